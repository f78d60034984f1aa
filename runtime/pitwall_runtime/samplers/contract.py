"""The interface of every sampler: what it is given (times, shots, a budget, lazy scores) and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from pitwall_runtime.media import Floats, Selection, Shot


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """Where scores and embeddings come from. Both are computed when first asked for, and not before."""

    embeddings: Callable[[], Floats]
    scores: Callable[[], Floats]


@dataclass(slots=True)
class SamplerContext:
    """Everything that a sampler may know of one question on one video.

    `pts_seconds` has one entry per pool frame; shots are half-open ranges of pool frames that tile the pool.
    `embeddings()` is [frames, dimension] with unit rows, `scores()` is [frames], cosines with the question.
    """

    pts_seconds: npt.NDArray[np.float64]
    shots: tuple[Shot, ...]
    max_frames: int
    seed: int
    source: FeatureSource

    @property
    def pool_size(self) -> int:
        """Number of pool frames, N."""
        return int(self.pts_seconds.shape[0])

    @property
    def budget(self) -> int:
        """How many frames must be chosen: min(max_frames, N)."""
        return min(self.max_frames, self.pool_size)

    def embeddings(self) -> Floats:
        """Unit embeddings of the whole pool; the first call may have to encode frames."""
        return self.source.embeddings()

    def scores(self) -> Floats:
        """Relevance of each pool frame to the question; NaN counts as least relevant."""
        raw = np.asarray(self.source.scores(), dtype=np.float32)
        return np.nan_to_num(raw, nan=float(np.nanmin(raw)) if np.isfinite(raw).any() else 0.0)

    def random(self) -> np.random.Generator:
        """A generator that draws the same numbers for the same question."""
        return np.random.default_rng(self.seed)


Select = Callable[[SamplerContext, Any], Selection]
"""(context, its own parameters) -> exactly `context.budget` pool frames."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler and the schema of its parameters."""

    select: Select
    parameters: type[BaseModel]
