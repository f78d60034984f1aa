"""Tells whether an AVI's index has all the film's pictures, so that the numbers in it are right."""

from collections.abc import Sequence
from typing import BinaryIO, Final

import numpy as np
from av.index import IndexEntries, IndexEntry
from av.video.stream import VideoStream

UNTOLD: Final = 1 << 30
"""What FFmpeg writes as the number of pictures where it cannot go back to tell it, as into a pipe."""
_CHUNKS_AT: Final = 12
"""Behind the name and the size of the whole, and its kind."""
_RECORD: Final = np.dtype([("name", "S2"), ("kind", "S2"), ("rest", "V12")])
_PICTURES: Final = (b"dc", b"db")


def numbers_all(entries: IndexEntries | Sequence[IndexEntry], declared: int, path: str, stream: VideoStream) -> bool:
    """Whether the index, as FFmpeg read it, numbers as many pictures as are declared. Those that are held, which
    capture programs write as chunks without bytes, have numbers but no entries."""
    if not len(entries):
        return False
    counted = entries[-1].timestamp + 1
    if declared in (len(entries), counted):
        return True
    with open(path, "rb") as file:
        return counted < declared == _listed(file, f"{stream.index:02d}".encode())


def _listed(file: BinaryIO, name: bytes) -> int:
    """How many of the stream's chunks are listed, those without bytes too."""
    at = _CHUNKS_AT
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return 0
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"idx1":
            read = file.read(size)
            records = np.frombuffer(read, _RECORD, len(read) // _RECORD.itemsize)
            return int(((records["name"] == name) & np.isin(records["kind"], _PICTURES)).sum())
        at += 8 + size + size % 2
