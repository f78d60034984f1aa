"""Reads and writes rows of arrays in NumPy's files, by position and never through a memory map.

A map of a file on a full disk, or of a file that somebody cuts, kills the process (SIGBUS); reading and writing fail
with an error instead. The files are sparse: rows that nobody wrote take no room.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RowFile:
    """One array, [rows, ...], in a `.npy` file."""

    path: Path
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    offset: int

    @classmethod
    def create(cls, path: Path, shape: tuple[int, ...], kind: npt.DTypeLike) -> None:
        """An array of zeros that takes no room yet."""
        with path.open("wb") as file:
            header = {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(np.dtype(kind))}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(kind).itemsize)

    @classmethod
    def opened(cls, path: Path) -> "RowFile":
        """Raises OSError or ValueError where the file is missing, damaged or cut."""
        status = path.stat()
        shape, kind, offset = _header_of(path, (status.st_ino, status.st_size, status.st_mtime_ns))
        if status.st_size < offset + math.prod(shape) * kind.itemsize:
            raise ValueError(f"{path} is shorter than its header says")
        return cls(path, shape, kind, offset)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return math.prod(self.shape[1:]) * self.kind.itemsize

    def read(self, rows: Sequence[int]) -> npt.NDArray[Any]:
        """[len(rows), ...]; neighbours are read together."""
        found = np.empty((len(rows), *self.shape[1:]), self.kind)
        with self.path.open("rb", buffering=0) as file:
            for start, end in _runs(rows) if self.row_bytes else ():
                piece = found[start:end].data.cast("B")
                if os.preadv(file.fileno(), [piece], self._at(rows[start])) < len(piece):
                    raise OSError(f"{self.path} was cut")
        return found

    def write(self, rows: Sequence[int], values: npt.NDArray[Any]) -> None:
        """Raises OSError, of a full disk for example; some of the rows may be written then."""
        values = np.ascontiguousarray(values, self.kind)
        with self.path.open("r+b", buffering=0) as file:
            for start, end in _runs(rows) if self.row_bytes else ():
                piece, position = values[start:end].data.cast("B"), self._at(rows[start])
                while piece:
                    written = os.pwrite(file.fileno(), piece, position)
                    piece, position = piece[written:], position + written

    def _at(self, row: int) -> int:
        if not 0 <= row < self.shape[0]:
            raise IndexError(f"row {row} of {self.shape[0]} in {self.path}")
        return self.offset + row * self.row_bytes


@lru_cache(maxsize=1024)
def _header_of(path: Path, version: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Read once for each version of a file: every question opens its video's rows."""
    del version
    with path.open("rb") as file:
        return _header(file)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"version {version} of NumPy's format is not ours")
    shape, fortran_order, kind = np.lib.format.read_array_header_1_0(file)
    if fortran_order or kind.hasobject:
        raise ValueError("not rows of plain numbers")
    return shape, kind, file.tell()


def _runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Positions [start, end) in `rows` whose numbers follow each other."""
    edges = [0, *(place for place, (one, two) in enumerate(pairwise(rows), 1) if two != one + 1), len(rows)]
    return [(start, end) for start, end in pairwise(edges) if end > start]
