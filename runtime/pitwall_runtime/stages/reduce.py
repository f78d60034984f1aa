"""Reduces the chosen frames' token grids to a budget of visual tokens."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Floats, VisualTokens

Grids = npt.NDArray[np.float16]
"""[frames, side, side, dimension]"""


def pool(grids: Grids, token_budget: int, tiers: Sequence[int] = ()) -> VisualTokens:
    """Adaptive average pooling: the largest side whose tokens fit the budget; below one token a frame, frames merge.

    `tiers` says how often each frame's side is halved, as its sampler wished; what these save, the others get.

    8 frames, side 4, budget 40 -> side 2, 32 tokens; tiers 0 0 1 1 1 1 1 1 -> sides 3 3 and six times 1, 24 tokens
    """
    frames, side = grids.shape[0], grids.shape[1]
    if token_budget < frames:
        bins = np.array_split(grids.astype(np.float32).mean((1, 2)), token_budget)
        return VisualTokens(np.stack([group.mean(0) for group in bins]), 1, (1,) * frames)
    halvings = tiers or (0,) * frames
    kept = next(one for one in range(side, 0, -1) if sum(_sides(one, halvings) ** 2) <= token_budget)
    sides = _sides(kept, halvings)
    if len(set(halvings)) == 1:
        values = _adaptive_average(grids.astype(np.float32), int(sides[0])).reshape(-1, grids.shape[3])
    else:
        each = (_adaptive_average(grids[k : k + 1].astype(np.float32), int(one)) for k, one in enumerate(sides))
        values = np.concatenate([one.reshape(-1, grids.shape[3]) for one in each])
    return VisualTokens(values, kept, tuple(int(one) ** 2 for one in sides))


def keep_all(grids: Grids, token_budget: int, tiers: Sequence[int] = ()) -> VisualTokens:
    """Every token, whatever the budget and the sampler say."""
    del token_budget, tiers
    frames, side = grids.shape[0], grids.shape[1]
    return VisualTokens(grids.astype(np.float32).reshape(-1, grids.shape[3]), side, (side * side,) * frames)


def _sides(largest: int, halvings: Sequence[int]) -> npt.NDArray[np.intp]:
    """The side that each frame keeps: at least one region."""
    return np.maximum(1, np.right_shift(largest, np.asarray(halvings, dtype=np.intp))).astype(np.intp)


def _adaptive_average(grids: Floats, side: int) -> Floats:
    """Cell k of `side` averages source cells [floor(k n / side), ceil((k + 1) n / side)), on both axes."""
    size = grids.shape[1]
    edges = [(k * size // side, -(-(k + 1) * size // side)) for k in range(side)]
    rows = np.stack([grids[:, start:end].mean(1) for start, end in edges], axis=1)
    return np.stack([rows[:, :, start:end].mean(2) for start, end in edges], axis=2)


Reduce = Callable[[Grids, int, Sequence[int]], VisualTokens]

REDUCERS: Final[dict[str, Reduce]] = {"pool": pool, "none": keep_all}


def build(name: str) -> Reduce:
    """The reducer of that name. Raises BadVariantError with the names there are."""
    if name not in REDUCERS:
        raise BadVariantError(f"unknown reducer {name!r}; choose one of {', '.join(sorted(REDUCERS))}")
    return REDUCERS[name]
