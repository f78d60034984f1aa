"""Greedy choices that keep frames apart: in time, or by what they show."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall_runtime.media import Floats
from pitwall_runtime.samplers.arithmetic.curve import Positions


def fill_by_score(scores: npt.NDArray[np.floating[Any]], chosen: Positions, budget: int, gap_frames: int) -> Positions:
    """`chosen` and more of the best frames until there are `budget`, sorted and unique.

    New ones keep `gap_frames` from all others while such frames are left; then half as much, and so on.
    """
    taken = np.zeros(len(scores), dtype=bool)
    taken[chosen] = True
    missing = min(budget, len(scores)) - int(taken.sum())
    gap = max(gap_frames, 1)
    least = np.maximum(scores, np.finfo(scores.dtype).min)  # minus infinity marks frames that are taken or too near
    while missing > 0:
        open_scores = np.where(_near(taken, gap - 1), -np.inf, least)
        while missing > 0:
            pick = int(np.argmax(open_scores))
            if open_scores[pick] == -np.inf:
                break
            taken[pick] = True
            missing -= 1
            open_scores[max(0, pick - gap + 1) : pick + gap] = -np.inf
        gap = max(1, gap // 2)
    return np.flatnonzero(taken)


def _near(taken: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """Frames within `reach` of a taken one."""
    edges = np.zeros(len(taken) + 1, dtype=np.int64)
    at = np.flatnonzero(taken)
    np.add.at(edges, np.maximum(at - reach, 0), 1)
    np.add.at(edges, np.minimum(at + reach + 1, len(taken)), -1)
    near: npt.NDArray[np.bool_] = np.cumsum(edges[:-1]) > 0
    return near


def farthest_first(rows: Floats, start: int, count: int) -> Positions:
    """`count` ≤ M rows [M, D]: `start`, then always the one farthest from all before (Gonzalez 1985). In that order."""
    lengths = np.einsum("nd,nd->n", rows, rows)
    nearest = np.full(len(rows), np.inf, dtype=np.float32)
    picks = np.empty(count, dtype=np.int64)
    pick = start
    for step in range(count):
        picks[step] = pick
        nearest = np.minimum(nearest, lengths + lengths[pick] - 2.0 * (rows @ rows[pick]))
        nearest[picks[: step + 1]] = -np.inf
        pick = int(np.argmax(nearest))
    return picks


def marginal_relevance(relevance: npt.NDArray[np.floating[Any]], rows: Floats, count: int, weight: float) -> Positions:
    """`count` ≤ M rows [M, D] by maximal marginal relevance (Carbonell & Goldstein 1998), in the order of choice.

    First the most relevant, then argmax of weight · relevance - (1 - weight) · likeness to the most alike before.
    """
    gains = (weight * relevance).astype(np.float32)
    likest = np.full(len(rows), -np.inf, dtype=np.float32)
    picks = np.empty(count, dtype=np.int64)
    pick = int(np.argmax(gains))
    for step in range(count):
        picks[step] = pick
        gains[pick] = -np.inf
        np.maximum(likest, rows @ rows[pick], out=likest)
        pick = int(np.argmax(gains - np.float32(1 - weight) * likest))
    return picks
