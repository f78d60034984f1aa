"""The best frames first, none near another: non-maximum suppression over time.

Where too few frames are that far apart, the distance is halved, so that the budget is always spent.
"""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class PeaksApartParameters(BaseModel):
    """What a SamplerVariant may set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_seconds: Annotated[int, Field(ge=0, le=3600, description="Least time between two frames; 0 is video / 2K.")] = 0


def select(context: SamplerContext, parameters: PeaksApartParameters) -> Selection:
    """Exactly `context.budget` frames."""
    scores, times = context.scores(), context.pts_seconds
    length = context.end_seconds - float(times[0])
    gap = float(parameters.gap_seconds) or length / (2 * context.budget)
    least = float(context.durations_seconds.min())
    chosen: list[int] = []
    while True:
        free = np.ones(context.pool_size, dtype=bool)
        for index in chosen:
            _block(free, times, index, gap)
        while free.any() and len(chosen) < context.budget:
            best = int(np.argmax(np.where(free, scores, -np.inf)))
            chosen.append(best)
            _block(free, times, best, gap)
        if len(chosen) == context.budget:
            return Selection.of(chosen, gap_seconds=gap)
        gap = gap / 2 if gap > least else 0.0


def _block(free: np.ndarray, times: np.ndarray, index: int, gap: float) -> None:
    """Take a chosen frame and what is near it out of those that are free. Times rise, so what is near is a stretch."""
    first, last = np.searchsorted(times, (times[index] - gap, times[index] + gap), side="left")
    free[first + 1 if times[first] <= times[index] - gap else first : last] = False
    free[index] = False


SAMPLER = Sampler(
    name="peaks-apart",
    select=select,
    parameters=PeaksApartParameters,
    contract=1,
    stability=Stability.ALPHA,
    summary="The best frames first, none near another.",
    source="non-maximum suppression, as detectors use it in space",
    uses=frozenset({Input.SCORES}),
)
