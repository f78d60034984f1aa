"""Finds recordings that were appended byte by byte to a file of a kind of which FFmpeg reads the first one alone."""

import io
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import BinaryIO, Final

import av
from av.container import InputContainer
from av.error import FFmpegError

from pitwall_runtime.errors import RefusedError
from pitwall_runtime.stages.decode.libav.files.streams import film_of

IVF_MARK: Final = b"DKIF"
_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_HEAD, _BOX_HEAD, _IVF_HEAD, _IVF_FRAME = 24, 16, 32, 12
_LARGE: Final = 1
_READ_BYTES: Final = 1 << 20


def appended_seconds(path: str, demuxer: str, begin: int, *, fragmented: bool) -> Fraction:
    """How long the films last together that begin behind the first one, from this place of the file on.

    Of an MP4 that is `fragmented` FFmpeg reads further fragments, too, whoever wrote them.
    """
    walk = next((walk for name, walk in _WALKS.items() if demuxer.startswith(name)), None)
    if walk is None:
        return Fraction(0)
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        places = [*walk(file, begin, end), end]
        parts = (_Part(file, start, until) for start, until in pairwise(places))
        return sum((_seconds(part, demuxer, fragmented=fragmented) for part in parts), Fraction(0))


class _Part(io.RawIOBase):
    """A part of a file, as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._end, self._at = file, start, end, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._end - self._at)
        self._file.seek(self._at)
        content = self._file.read(left if size < 0 else min(size, left))
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = offset + {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self.tell()

    def tell(self) -> int:
        return self._at - self._start


def _seconds(part: _Part, demuxer: str, *, fragmented: bool) -> Fraction:
    try:
        name, options = demuxer.partition(",")[0], {"protocol_whitelist": ""}
        with av.open(part, "r", name, options, metadata_errors="replace") as container:
            film = film_of(container)
            if fragmented and not film.frames:
                return Fraction(0)
            if film.duration and film.time_base:
                return film.duration * film.time_base
            return Fraction(container.duration, av.time_base) if container.duration else _read(container)
    except (FFmpegError, IndexError, RefusedError):
        return Fraction(0)


def _read(container: InputContainer) -> Fraction:
    """As long as the packets say, where the head says nothing."""
    times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
    return max(times) - min(times) if times else Fraction(0)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[int]:
    """Where further MP4s begin."""
    seen_film = False
    while at + _BOX_HEAD // 2 <= end:
        file.seek(at)
        head = file.read(_BOX_HEAD)
        size = int.from_bytes(head[:4])
        size = int.from_bytes(head[8:16]) if size == _LARGE else size or end - at
        if head[4:8] == b"ftyp" and seen_film:
            yield at
        seen_film |= head[4:8] == b"moov"
        if size < _BOX_HEAD // 2:
            return
        at += size


def _objects(file: BinaryIO, at: int, end: int) -> Iterator[int]:
    """Where further ASF recordings begin."""
    begin = at
    while at + _ASF_HEAD <= end:
        file.seek(at)
        head = file.read(_ASF_HEAD)
        if head.startswith(_ASF) and at > begin:
            yield at
        size = int.from_bytes(head[16:24], "little")
        if size < _ASF_HEAD:
            return
        at += size


def _frames(file: BinaryIO, at: int, end: int) -> Iterator[int]:
    """Where further IVF recordings begin, from the head of the second one on."""
    while at + _IVF_FRAME <= end:
        file.seek(at)
        head = file.read(_IVF_FRAME)
        if head.startswith(IVF_MARK):
            yield at
            at += _IVF_HEAD
        else:
            at += _IVF_FRAME + int.from_bytes(head[:4], "little")


def _marks(file: BinaryIO, at: int, end: int, *, mark: bytes) -> Iterator[int]:
    """Where a mark stands that begins each recording, behind the first one."""
    begin, left = at, b""
    while at < end:
        file.seek(at)
        read = left + file.read(_READ_BYTES)
        found, place = read.find(mark), at - len(left)
        while found >= 0:
            if place + found > begin:
                yield place + found
            found = read.find(mark, found + 1)
        at, left = at + _READ_BYTES, read[1 - len(mark) :]


_WALKS: Final[dict[str, Callable[[BinaryIO, int, int], Iterator[int]]]] = {
    "mov": _boxes,
    "asf": _objects,
    "ivf": _frames,
    "apng": partial(_marks, mark=b"\x89PNG\r\n\x1a\n"),
    "nut": partial(_marks, mark=b"nut/multimedia container\0"),
    "rm": partial(_marks, mark=b".RMF\0\0\0\x12\0"),
    "wtv": partial(_marks, mark=bytes.fromhex("b7d800203749da11a64e0007e95ead8d")),
}
