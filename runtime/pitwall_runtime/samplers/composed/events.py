"""Stretches of a relevance curve that stand out, by a mixture of two Gaussians: what matters and what does not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall_runtime.samplers.arithmetic.curve import Curve

_STEPS = 40
_LEAST_SHARE = 1e-6
_MOST_VALUES = 512
"""Of more values every n-th one by size is enough."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two Gaussians: means, standard deviations and weights, the lower mean first."""

    means: tuple[float, float]
    deviations: tuple[float, float]
    weights: tuple[float, float]

    def threshold(self, caution: float) -> float:
        """The higher mean less `caution` times the wider deviation (A.I.R., equation 2)."""
        return max(self.means) - caution * max(self.deviations)


def fit(values: npt.NDArray[np.floating[Any]]) -> Mixture:
    """Two Gaussians by expectation-maximization, from the lower and the upper tenth; the same values fit the same."""
    x = np.sort(values.astype(np.float64))[:: max(1, len(values) // _MOST_VALUES)]
    least = 1e-3 * float(x.std()) + 1e-12
    means = np.quantile(x, [0.1, 0.9])
    spreads, weights = np.full(2, float(x.std()) + least), np.full(2, 0.5)
    for _ in range(_STEPS):
        logs = np.log(weights) - np.log(spreads) - 0.5 * ((x[:, None] - means) / spreads) ** 2
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        counts = np.maximum(shares.sum(axis=0), _LEAST_SHARE)
        means = shares.T @ x / counts
        spreads = np.sqrt((shares * (x[:, None] - means) ** 2).sum(axis=0) / counts) + least
        weights = counts / counts.sum()
    low, high = np.argsort(means, kind="stable")
    return Mixture(
        (float(means[low]), float(means[high])),
        (float(spreads[low]), float(spreads[high])),
        (float(weights[low]), float(weights[high])),
    )


def events(scores: Curve, threshold: float, merge_frames: int, least_frames: int) -> list[tuple[int, int]]:
    """Stretches [start, end) at or above the threshold: gaps below `merge_frames` closed, then short ones dropped."""
    above = np.concatenate([[False], scores >= threshold, [False]])
    borders = np.flatnonzero(above[1:] != above[:-1])
    found: list[tuple[int, int]] = []
    for start, end in zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True):
        if found and start - found[-1][1] < merge_frames:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= least_frames]
