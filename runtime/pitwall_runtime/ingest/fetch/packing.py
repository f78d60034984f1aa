"""Unpacks a body that its server packs though it was asked not to, in pieces of a bounded size."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final

from pitwall_runtime.errors import MediaAwayError, MediaOriginError

_CODINGS: Final = frozenset(
    [
        "aes128gcm",
        "br",
        "compress",
        "dcb",
        "dcz",
        "deflate",
        "exi",
        "gzip",
        "pack200-gzip",
        "x-compress",
        "x-gzip",
        "zstd",
    ]
)
"""Those of HTTP's registry. Whatever else servers write there, such as aws-chunked or UTF-8, changes no byte."""

_UNPACKED: Final = ("gzip", "x-gzip", "deflate")
_ANY_HEADER: Final = zlib.MAX_WBITS | 32
"""For zlib: gzip's or its own."""
_NO_HEADER: Final = -zlib.MAX_WBITS
"""What some servers send as deflate."""
_MEMBER: Final = b"\x1f\x8b"
_MOST_UNPACKED: Final = 1 << 16
"""Bytes at once."""


async def unpacked(pieces: AsyncIterator[bytes], content_encoding: str) -> AsyncIterator[bytes]:
    """The body that came as `pieces`. Raises MediaOriginError for what cannot be unpacked."""
    named = (name.strip().lower() for name in content_encoding.split(","))
    codings = [name for name in named if name in _CODINGS]
    if not codings:
        async for piece in pieces:
            yield piece
        return
    [coding, *more] = codings
    if more or coding not in _UNPACKED:
        raise MediaOriginError(
            f"its server packs the file (Content-Encoding {', '.join(codings)[:40]!r}); use another server"
        )
    try:
        async for piece in _members(pieces, coding):
            yield piece
    except zlib.error:
        raise MediaOriginError(f"its server says {coding} and sends something else; use another server") from None


async def _members(pieces: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """One packed file, or several one behind the other, which are one. What else lies behind one is passed over."""
    unpacking, left = zlib.decompressobj(_ANY_HEADER), b""
    is_first, is_over, is_full = True, False, False
    async for packed in pieces:
        left = b"" if is_over else left + packed
        if is_first and len(left) >= len(_MEMBER):
            is_first = False
            unpacking = zlib.decompressobj(_header(left, coding))
        while (left or is_full) and not is_first:
            if unpacking.eof:
                left = left.lstrip(b"\0")  # padding between two
                if not left.startswith(_MEMBER):
                    is_over = not _MEMBER.startswith(left)
                    break
                unpacking = zlib.decompressobj(_ANY_HEADER)
            yield (piece := unpacking.decompress(left, _MOST_UNPACKED))
            # zlib may have taken all, and hold back what the piece had no room for: the end of a match, and of the file
            is_full = len(piece) == _MOST_UNPACKED and not unpacking.eof
            left = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
            await asyncio.sleep(0)  # a little may become much, while others wait
    if not unpacking.eof:
        raise MediaAwayError("its server hung up before the end of the file; ask again, or use another server")


def _header(beginning: bytes, coding: str) -> int:
    """Which header a packed body has, by its first two bytes: zlib's are a multiple of 31."""
    has_header = beginning.startswith(_MEMBER) or int.from_bytes(beginning[:2], "big") % 31 == 0
    return _ANY_HEADER if has_header or coding != "deflate" else _NO_HEADER
