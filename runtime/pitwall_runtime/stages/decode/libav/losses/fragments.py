"""Tells whether fragments of an MP4 are missing: they are numbered, and recorders lose some of a live stream."""

from bisect import bisect_right
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

_HEAD_BYTES: Final = 24
"""Of a fragment: its own head, and behind that a box that begins with its number."""
_LEAST_BYTES, _LARGE = 8, 1


class Fragments:
    """The fragments of one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._asked = 0
        """The last fragment that was asked about."""
        self._steps: set[int] = set()
        """From one number to the next where times go on."""

    def missing_between(self, begin: int, end: int) -> bool:
        """Whether there are fewer fragments between these two places than numbers, of which a packager may use each
        second one for another file. To be asked wherever times jump, in order: elsewhere nothing is missing."""
        places, numbers = self._table
        first, last = bisect_right(places, begin) - 1, bisect_right(places, end) - 1
        self._steps.update(numbers[at] - numbers[at - 1] for at in range(self._asked + 1, first + 1))
        self._asked = max(self._asked, last)
        step = min((step for step in self._steps if step > 0), default=1)
        return 0 <= first < last and numbers[last] - numbers[first] > (last - first) * step

    @cached_property
    def _table(self) -> tuple[list[int], list[int]]:
        """Where each fragment begins, and its number."""
        places: list[int] = []
        numbers: list[int] = []
        with open(self._path, "rb") as file:
            at, end = 0, Path(self._path).stat().st_size
            while at < end and (size := _size(head := _head(file, at))):
                if head[4:8] == b"moof" and head[12:16] == b"mfhd":
                    places.append(at)
                    numbers.append(int.from_bytes(head[20:24]))
                at += size
        return places, numbers


def _head(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(_HEAD_BYTES)


def _size(head: bytes) -> int:
    """Of a box with this head; 0 where none follows it, or where it is none."""
    size = int.from_bytes(head[:4])
    if size == _LARGE:
        size = int.from_bytes(head[8:16])
    return size if size >= _LEAST_BYTES else 0
