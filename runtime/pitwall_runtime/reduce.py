"""Reduces the chosen frames' token grids to a budget of visual tokens."""

from collections.abc import Callable
from math import isqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Floats, VisualTokens

Grids = npt.NDArray[np.float16]
"""[frames, side, side, dimension]"""


def pool(grids: Grids, token_budget: int) -> VisualTokens:
    """Adaptive average pooling: the largest side whose tokens fit the budget; below one token a frame, frames merge.

    8 frames, side 4, budget 40 -> side 2, 32 tokens
    """
    frames, side = grids.shape[0], grids.shape[1]
    if token_budget < frames:
        bins = np.array_split(grids.astype(np.float32).mean((1, 2)), token_budget)
        return VisualTokens(np.stack([group.mean(0) for group in bins]), 1)
    kept = min(side, isqrt(token_budget // frames))
    return VisualTokens(_adaptive_average(grids.astype(np.float32), kept).reshape(-1, grids.shape[3]), kept)


def keep_all(grids: Grids, token_budget: int) -> VisualTokens:
    """Every token, whatever the budget says."""
    del token_budget
    return VisualTokens(grids.astype(np.float32).reshape(-1, grids.shape[3]), grids.shape[1])


def _adaptive_average(grids: Floats, side: int) -> Floats:
    """Cell k of `side` averages source cells [floor(k n / side), ceil((k + 1) n / side)), on both axes."""
    size = grids.shape[1]
    edges = [(k * size // side, -(-(k + 1) * size // side)) for k in range(side)]
    rows = np.stack([grids[:, start:end].mean(1) for start, end in edges], axis=1)
    return np.stack([rows[:, :, start:end].mean(2) for start, end in edges], axis=2)


Reduce = Callable[[Grids, int], VisualTokens]

REDUCERS: Final[dict[str, Reduce]] = {"pool": pool, "none": keep_all}


def build(name: str) -> Reduce:
    """The reducer of that name. Raises BadVariantError with the names there are."""
    if name not in REDUCERS:
        raise BadVariantError(f"unknown reducer {name!r}; choose one of {', '.join(sorted(REDUCERS))}")
    return REDUCERS[name]
