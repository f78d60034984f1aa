"""Completes a search's frames to the whole budget, so that a conversation that ends early still chooses."""

from collections.abc import Sequence

import numpy as np

from pitwall_runtime.media import Floats
from pitwall_runtime.samplers.arithmetic.curve import Positions
from pitwall_runtime.samplers.arithmetic.spread import fill_by_score
from pitwall_runtime.samplers.contract import SamplerContext
from pitwall_runtime.samplers.segments import quota


def completed(found: Sequence[int], unwanted: Sequence[int], scores: Floats, context: SamplerContext) -> Positions:
    """The first `budget` of the found frames, else all of them and the most relevant that `quota` chooses.

    Unwanted frames come last of all.
    """
    chosen = np.array(found[: context.budget], dtype=np.int64)
    if len(chosen) == context.budget:
        return chosen
    order = scores.astype(np.float64)
    order[np.asarray(unwanted, dtype=np.int64)] = order.min() - 1.0
    usual = np.setdiff1d(quota.along(scores, context), np.concatenate([chosen, np.asarray(unwanted, dtype=np.int64)]))
    best_first = usual[np.argsort(-order[usual], kind="stable")]
    together = np.concatenate([chosen, best_first])[: context.budget]
    return fill_by_score(order, together, context.budget, gap_frames=1)
