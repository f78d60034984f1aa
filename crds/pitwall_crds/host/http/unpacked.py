"""Asks servers for uncompressed replies: a few compressed kilobytes may become gigabytes before a limit is seen."""

from collections.abc import Mapping
from typing import Final

UNPACKED: Final = {"Accept-Encoding": "identity"}
"""Headers of a request whose reply is to be as it is."""
_LONGEST: Final = 40


def packing(headers: Mapping[str, str]) -> str:
    """How a reply is packed although nobody asked for it; empty if it is not. One that is must not be read by what
    unpacks it, since that makes all of it, layer by layer, of each piece that came."""
    named = headers.get("content-encoding", "").strip().lower()
    return "" if named in {"", "identity"} else repr(named[:_LONGEST])
