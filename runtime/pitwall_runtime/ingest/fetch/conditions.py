"""Asks a server whether a file has changed, and knows from an answer that does not say so outright."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

_MOST_VALIDATOR: Final = 512
"""Characters of an ETag or a date that are worth remembering."""

_TAG: Final = "If-None-Match"
_DATE: Final = "If-Modified-Since"


@dataclass(frozen=True, slots=True)
class FileHere:
    """What is here of an address: what is sent along to ask for changes, and how many bytes it has."""

    validators: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0


def file_here(validators: Mapping[str, str], path: Path) -> FileHere:
    """What is at `path`; nothing, where it has been evicted meanwhile."""
    try:
        return FileHere(validators, path.stat().st_size)
    except FileNotFoundError:
        return FileHere()


def validators_of(headers: httpx.Headers) -> dict[str, str]:
    """What to send with the next request for the same address, so that an unchanged file is not sent again."""
    sent = {_TAG: headers.get("etag", ""), _DATE: headers.get("last-modified", "")}
    return {name: value for name, value in sent.items() if 0 < len(value) <= _MOST_VALIDATOR and value.isascii()}


def is_the_same(headers: httpx.Headers, here: FileHere) -> bool:
    """Whether a file that is sent all the same is what is here: it has the same strong tag, or date and length.

    A date alone says nothing: reproducible images, copies and archives give each file the same one.
    """
    sent = validators_of(headers)
    tag, date = sent.get(_TAG, ""), sent.get(_DATE, "")
    if tag != here.validators.get(_TAG, ""):
        return False
    if tag and not tag.startswith("W/"):
        return True
    return date != "" and date == here.validators.get(_DATE) and headers.get("content-length") == str(here.size_bytes)
