"""The files of one video's embeddings: an array each, and a byte per row that says whether it is filled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall_runtime.media import EmbeddingShape
from pitwall_runtime.stores.files.drafts import drafted
from pitwall_runtime.stores.files.eviction import LEASE
from pitwall_runtime.stores.files.rows import RowFile


@dataclass(frozen=True, slots=True)
class RowFolder:
    """The files of one video's rows under one encoder."""

    path: Path
    vectors: RowFile
    grids: RowFile
    labels: RowFile
    present: RowFile

    @classmethod
    def opened(cls, path: Path) -> "RowFolder":
        """Raises OSError or ValueError where it is missing or damaged."""
        return cls(path, *(RowFile.opened(path / f"{name}.npy") for name in ("vectors", "grids", "labels", "present")))

    @classmethod
    def create(cls, path: Path, count: int, shape: EmbeddingShape) -> None:
        """Empty arrays, renamed into place; if another process was first, its folder stands."""
        with drafted(path) as draft:
            (draft / LEASE).touch()
            for name, (size, kind) in layout(count, shape).items():
                RowFile.create(draft / f"{name}.npy", size, kind)

    def fits(self, count: int, shape: EmbeddingShape) -> bool:
        """Whether the files are those of so many frames of this shape."""
        return {name: file.shape for name, file in self.files().items()} == {
            name: size for name, (size, _) in layout(count, shape).items()
        }

    def files(self) -> dict[str, RowFile]:
        """The arrays by name."""
        return {"vectors": self.vectors, "grids": self.grids, "labels": self.labels, "present": self.present}

    def filled(self) -> npt.NDArray[np.uint8]:
        """A byte per row, as it is now."""
        return self.present.read(range(self.present.shape[0]))


def layout(count: int, shape: EmbeddingShape) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Sizes and types of the arrays of `count` frames."""
    return {
        "vectors": ((count, shape.dimension), np.float32),
        "grids": ((count, shape.side, shape.side, shape.dimension), np.float16),
        "labels": ((count, shape.labels), np.int16),
        "present": ((count,), np.uint8),
    }
