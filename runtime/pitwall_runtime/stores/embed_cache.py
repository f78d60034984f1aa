"""Caches embeddings of pool frames on disk, memory-mapped and shared by all processes.

One folder per (video, pool, encoder) with three arrays, one row per pool frame (the pool lists each row's pts), and a
byte per row that says whether it is filled. The files are mapped shared, so a row that one process fills is at once
there for all; its byte is set last. Writers hold the video's lock.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall_runtime.media import Embedded, EmbeddingShape, Floats, FramePool
from pitwall_runtime.stores.drafts import drafted

_VIDEOS_IN_MEMORY = 16
_CENTRE_FRAMES = 64


@dataclass(slots=True)
class VideoEmbeddings:
    """One video's rows, mapped, and what was computed from all of them."""

    vectors: npt.NDArray[np.float32]
    grids: npt.NDArray[np.float16]
    labels: npt.NDArray[np.int16]
    present: npt.NDArray[np.uint8]
    _hot: Floats | None = None
    _hot_regions: Floats | None = None
    _centre: Floats | None = None
    _region_centre: Floats | None = None

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Those of `rows` that nobody has filled yet."""
        return [row for row in rows if not self.present[row]]

    def fill(self, rows: list[int], embedded: Embedded) -> None:
        """Write rows; they count as present only once they are whole."""
        self.vectors[rows] = embedded.vectors
        self.grids[rows] = embedded.grids
        self.labels[rows] = embedded.labels
        self.present[rows] = 1

    def centre_rows(self) -> list[int]:
        """The evenly spread rows whose mean is the video's centre; the same ones for every question and sampler."""
        count = len(self.present)
        spread = np.linspace(0, count - 1, min(count, _CENTRE_FRAMES)).astype(int)
        return sorted({int(row) for row in spread})

    def centred(self, rows: list[int]) -> Floats:
        """Unit vectors of `rows` after subtracting the video's centre: what sets a frame apart within its video."""
        if self._centre is None:
            self._centre = self.vectors[self.centre_rows()].mean(0)
        return _unit(self.vectors[rows] - self._centre)

    def centred_regions(self, rows: list[int]) -> Floats:
        """[rows, regions, D]: the same for the regions of each frame, around the regions' own centre."""
        if self._region_centre is None:
            self._region_centre = self.grids[self.centre_rows()].astype(np.float32).mean((0, 1, 2))
        regions = self.grids[rows].astype(np.float32) - self._region_centre
        return _unit(regions.reshape(len(rows), -1, regions.shape[-1]))

    def all_centred(self) -> Floats:
        """`centred` of every row, kept in memory. Every row must be present."""
        if self._hot is None:
            self._hot = self.centred(list(range(len(self.present))))
        return self._hot

    def all_centred_regions(self) -> Floats:
        """`centred_regions` of every row, kept in memory. Every row must be present."""
        if self._hot_regions is None:
            self._hot_regions = self.centred_regions(list(range(len(self.present))))
        return self._hot_regions


class EmbedCache:
    """Opens videos' embeddings, creating empty ones, and keeps the recent ones mapped."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: OrderedDict[Path, VideoEmbeddings] = OrderedDict()
        self._guard = threading.Lock()

    def open(self, pool: FramePool, encoder_key: str, shape: EmbeddingShape) -> VideoEmbeddings:
        """The rows of one video under one encoder."""
        folder = self._root / pool.video_hash / pool.spec.key / encoder_key
        with self._guard:
            if folder not in self._open:
                if not folder.is_dir():
                    _create(folder, len(pool), shape)
                self._open[folder] = _mapped(folder)
            self._open.move_to_end(folder)
            while len(self._open) > _VIDEOS_IN_MEMORY:
                self._open.popitem(last=False)
            return self._open[folder]


def _create(folder: Path, count: int, shape: EmbeddingShape) -> None:
    """Empty arrays (sparse files), renamed into place; if another process was first, its folder stands."""
    layout: dict[str, tuple[tuple[int, ...], Any]] = {
        "vectors": ((count, shape.dimension), np.float32),
        "grids": ((count, shape.side, shape.side, shape.dimension), np.float16),
        "labels": ((count, shape.labels), np.int16),
        "present": ((count,), np.uint8),
    }
    with drafted(folder) as draft:
        for name, (size, kind) in layout.items():
            np.lib.format.open_memmap(draft / f"{name}.npy", mode="w+", dtype=kind, shape=size).flush()


def _mapped(folder: Path) -> VideoEmbeddings:
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r+") for name in ("vectors", "grids", "labels", "present")]
    return VideoEmbeddings(*arrays)


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Floats = (rows / np.maximum(norms, 1e-9)).astype(np.float32)
    return unit
