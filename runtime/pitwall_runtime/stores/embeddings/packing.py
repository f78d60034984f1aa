"""Packs rows of embeddings into bytes for other machines, and unpacks what came from there."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pitwall_runtime.media import Embedded, EmbeddingShape
from pitwall_runtime.stores.embeddings.soundness import finite_rows
from pitwall_runtime.stores.files.row_folder import layout

_Sizes = list[tuple[tuple[int, ...], Any]]


def packed(rows: list[int], embedded: Embedded) -> dict[int, bytes]:
    """The bytes of each row: its vector, grid and labels."""
    parts = (embedded.vectors, embedded.grids, embedded.labels)
    return {row: b"".join(part[place].tobytes() for part in parts) for place, row in enumerate(rows)}


def unpacked(values: Mapping[int, bytes], shape: EmbeddingShape) -> tuple[list[int], Embedded, int]:
    """The sound rows, in order, their numbers, and how many rows were none: too short, too long, or not finite."""
    rows = sorted(row for row, value in values.items() if len(value) == row_bytes(shape))
    found = _parts([values[row] for row in rows], shape)
    sound = np.flatnonzero(finite_rows(found))
    kept = Embedded(found.vectors[sound], found.grids[sound], found.labels[sound])
    return [rows[place] for place in sound], kept, len(values) - len(sound)


def _parts(values: list[bytes], shape: EmbeddingShape) -> Embedded:
    block = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), row_bytes(shape))
    parts, start = [], 0
    for size, kind in _sizes(len(values), shape):
        width = int(np.prod(size[1:])) * np.dtype(kind).itemsize
        parts.append(np.ascontiguousarray(block[:, start : start + width]).view(kind).reshape(size))
        start += width
    return Embedded(*parts)


def row_bytes(shape: EmbeddingShape) -> int:
    """How many bytes a packed row has."""
    return sum(int(np.prod(size[1:])) * np.dtype(kind).itemsize for size, kind in _sizes(1, shape))


def _sizes(count: int, shape: EmbeddingShape) -> _Sizes:
    sizes = layout(count, shape)
    return [sizes["vectors"], sizes["grids"], sizes["labels"]]
