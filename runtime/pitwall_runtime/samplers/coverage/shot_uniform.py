"""Shot-uniform: gives every shot its share of the budget by length, at least one frame while there are enough."""

from collections.abc import Sequence

import numpy as np

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection, Shot
from pitwall_runtime.samplers.arithmetic.curve import Positions, best, bounds
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.contract import Sampler, SamplerContext, Stability


class ShotUniformParameters(Border):
    """Shot-uniform has none."""


def choose(shots: Sequence[Shot], budget: int) -> Positions:
    """`budget` ≤ N frames: the middles of each shot's equal stretches; with fewer frames than shots, the longest ones.

    Shots [0, 6) and [6, 8), budget 4 -> [1, 3, 5, 7].
    """
    starts, lengths = bounds(shots)
    served = best(lengths, budget)
    quotas = np.zeros(len(shots), dtype=np.int64)
    quotas[served] = 1 + largest_remainders(lengths[served], budget - len(served), lengths[served] - 1)
    place = np.arange(budget) - np.repeat(np.cumsum(quotas) - quotas, quotas)
    middles: Positions = (2 * place + 1) * np.repeat(lengths, quotas) // np.maximum(2 * np.repeat(quotas, quotas), 1)
    return np.repeat(starts, quotas) + middles


def select(context: SamplerContext, parameters: ShotUniformParameters) -> Selection:
    """Exactly `budget` frames, some of each shot."""
    del parameters
    return Selection.of(choose(context.shots, context.budget))


SAMPLER = Sampler(
    name="shot-uniform",
    select=select,
    parameters=ShotUniformParameters,
    contract=1,
    stability=Stability.STABLE,
    summary="Middles of shots: each shot has its share by length, so that a short one is not skipped.",
)
