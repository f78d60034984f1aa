"""Relevance curves and pools: their range, their best frames, their candidates, their shots."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall_runtime.media import Floats, Shot

Curve = npt.NDArray[np.float64]
"""One number per frame, finite."""

Positions = npt.NDArray[np.int64]
"""Frames by their number in the pool."""

_FLAT = 1e-9
"""A curve whose range is smaller says nothing."""

_LEAST_DEVIATIONS = -1.0
_MOST_DEVIATIONS = 4.0
"""Beyond this a frame is not more certain: an outlier must not swallow the budget."""


def is_flat(scores: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether all frames are equally relevant, so that the question chooses nothing."""
    return float(scores.max()) - float(scores.min()) < _FLAT


def unit_range(scores: npt.NDArray[np.floating[Any]]) -> Curve:
    """The curve from 0 to 1; a flat one becomes zeros."""
    curve = scores.astype(np.float64)
    least, most = curve.min(), curve.max()
    return np.zeros_like(curve) if most - least < _FLAT else (curve - least) / (most - least)


def deviations(scores: npt.NDArray[np.floating[Any]]) -> Curve:
    """Robust z-scores [N], bounded: distance from the median in median absolute deviations (× 1.48)."""
    distances = scores.astype(np.float64) - float(np.median(scores))
    scale = 1.4826 * float(np.median(np.abs(distances))) or float(distances.std())
    return np.clip(distances / max(scale, 1e-12), _LEAST_DEVIATIONS, _MOST_DEVIATIONS)


def smooth(scores: npt.NDArray[np.floating[Any]]) -> Curve:
    """A running mean of three frames, weights 1 : 2 : 1: one frame's noise is not a moment."""
    padded: Curve = np.pad(scores.astype(np.float64), 1, mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def softmax(values: Curve) -> Curve:
    """exp(values), so that the sum is 1."""
    powers = np.exp(values - values.max())
    shares: Curve = powers / powers.sum()
    return shares


def evenly(pool_size: int, count: int) -> Positions:
    """Midpoints of `count` ≤ N equal stretches."""
    return (2 * np.arange(count, dtype=np.int64) + 1) * pool_size // (2 * count)


def best(scores: npt.NDArray[Any], count: int) -> Positions:
    """Positions of the `count` largest scores in time order; the earlier one wins a tie."""
    if count >= len(scores):
        return np.arange(len(scores), dtype=np.int64)
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    edge = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores > edge)
    ties = np.flatnonzero(scores == edge)[: count - len(above)]
    return np.sort(np.concatenate([above, ties]))


def candidates(scores: Floats, count: int) -> Positions:
    """At most `count` frames worth comparing pairwise: half of them evenly spread, the others the most relevant left.

    What compares frames with frames costs N · K · D; this bounds the N of a ten-hour video.
    """
    pool_size = len(scores)
    if count >= pool_size:
        return np.arange(pool_size, dtype=np.int64)
    if is_flat(scores):
        return evenly(pool_size, count)
    even = evenly(pool_size, count // 2)
    left = np.ones(pool_size, dtype=bool)
    left[even] = False
    others = np.flatnonzero(left)
    return np.sort(np.concatenate([even, others[best(scores[others], count - len(even))]]))


def bounds(shots: Sequence[Shot]) -> tuple[Positions, Positions]:
    """First frame and number of frames of every shot [S]."""
    starts = np.fromiter((shot.start for shot in shots), dtype=np.int64, count=len(shots))
    ends = np.fromiter((shot.end for shot in shots), dtype=np.int64, count=len(shots))
    return starts, ends - starts
