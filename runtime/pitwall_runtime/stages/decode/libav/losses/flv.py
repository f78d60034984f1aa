"""What an FLV tells beside its pictures: how many bytes it has, and what follows that FFmpeg does not read."""

import math
import struct
from fractions import Fraction
from typing import BinaryIO, Final

_SIZE: Final = b"\0\x08filesize\0"
_HEAD_BYTES, _DOUBLE_BYTES = 4096, 8
SIGNATURE: Final = b"FLV\1"
_SIGNATURE_BYTES: Final = 13
"""With the size, of nothing, of the tag before the first one."""
_TAG_BYTES: Final = 11
_VIDEO, _KIND = 9, 0x1F
_CONTENT: Final = (8, 9, 18)


def told_bytes(path: str) -> int:
    """How many bytes the file has by its own word; 0 if it does not say."""
    with open(path, "rb") as file:
        _, mark, behind = file.read(_HEAD_BYTES).partition(_SIZE)
    told = struct.unpack(">d", behind[:_DOUBLE_BYTES])[0] if mark and len(behind) >= _DOUBLE_BYTES else 0.0
    return int(told) if math.isfinite(told) else 0


def first_time(content: bytes) -> int:
    """The clock of the recording whose signature is in `content`, at its beginning, in milliseconds."""
    at = content.index(SIGNATURE) + _SIGNATURE_BYTES
    return _time(content[at : at + _TAG_BYTES].ljust(_TAG_BYTES, b"\0"))


def unread_seconds(path: str, place: int) -> Fraction:
    """How long the recordings last that follow the one whose last tag begins at `place`, each with a signature of its
    own: FFmpeg takes that for the length of a tag, and reads on far behind."""
    with open(path, "rb") as file:
        (at, _), seconds = _followed(file, place), Fraction(0)
        while file.seek(at) == at and file.read(len(SIGNATURE)) == SIGNATURE:
            at, lasting = _followed(file, at + _SIGNATURE_BYTES)
            seconds += lasting
    return seconds


def _followed(file: BinaryIO, at: int) -> tuple[int, Fraction]:
    """Where the tags from a place on end, and how many seconds of pictures they hold."""
    times: list[int] = []
    while file.seek(at) == at and len(head := file.read(_TAG_BYTES)) == _TAG_BYTES and _is_tag(head):
        if head[0] & _KIND == _VIDEO:
            times.append(_time(head))
        at += _TAG_BYTES + int.from_bytes(head[1:4]) + 4
    span = max(times) - min(times) if times else 0
    return at, Fraction(span, 1000)


def _time(head: bytes) -> int:
    return head[7] << 24 | int.from_bytes(head[4:7])


def _is_tag(head: bytes) -> bool:
    return head[0] & _KIND in _CONTENT and head[8:] == bytes(3)
