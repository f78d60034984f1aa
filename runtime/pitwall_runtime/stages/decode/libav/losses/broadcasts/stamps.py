"""Tells whether the time that a transport stream says of a picture is as its sender wrote it, or may be damaged."""

import os
from collections.abc import Iterable
from typing import Final

_PACKET, _SYNC, _STAMP = 188, 0x47, 4
"""Bytes of a packet; with what each begins; bytes of the time that some recorders put before each."""
_BOTH_TIMES: Final = 3
_MARKED: Final = ((9, 3), (14, 1))
"""Where each of the two times begins in a picture's head, and the number before it."""
_MARKS: Final = (0, 2, 4)
"""Bytes of a time whose last bit is set."""
_LEAST_BIT: Final = 10
"""A flipped bit below moves a picture by less than a hundredth of a second."""


def is_as_written(path: str, place: int, shown: int, usual: Iterable[int]) -> bool:
    """Whether the head of the picture in the packet at `place` has all its marks, and the time that it says, in ticks
    of 1/90000 s, is none of the `usual` ones with one bit flipped."""
    return _has_marks(_head(path, place)) and not any(_is_one_bit(shown - one) for one in usual)


def _head(path: str, place: int) -> bytes:
    """The beginning of what the packet holds."""
    with open(path, "rb") as file:
        read = os.pread(file.fileno(), _STAMP + _PACKET, place)
    packet = next((read[at:][:_PACKET] for at in (0, _STAMP) if read[at : at + 1] == bytes((_SYNC,))), b"")
    if len(packet) < _PACKET:
        return b""
    return packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :]


def _has_marks(head: bytes) -> bool:
    if len(head) < 19 or head[:3] != b"\0\0\1" or head[7] >> 6 != _BOTH_TIMES:
        return False
    return all(head[at] >> 4 == number and all(head[at + mark] & 1 for mark in _MARKS) for at, number in _MARKED)


def _is_one_bit(apart: int) -> bool:
    return abs(apart) >> _LEAST_BIT > 0 and abs(apart).bit_count() == 1
