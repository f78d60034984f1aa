"""BOLT: reads the relevance curve as a density and takes its evenly spaced quantiles, so peaks get more frames.

Liu et al., CVPR 2025 (arXiv 2503.21483), inverse transform sampling. Two frames of the published form can be the same
(the quantiles of one sharp peak are one frame); here such places go to the best frames left, kept apart in time.
"""

from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Positions, evenly, is_flat, unit_range
from pitwall_runtime.samplers.arithmetic.spread import fill_by_score
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class BoltParameters(Border):
    """How sharp the density is; decimals travel as strings."""

    power: Annotated[
        Decimal,
        Field(gt=0, le=20, description="Exponent of the relevance; the paper's 2.5 (LongVideoBench) or 3 (Video-MME)."),
    ] = Decimal(3)


def choose(scores: Floats, budget: int, power: float) -> Positions:
    """`budget` ≤ N frames: quantiles of the density, repeats replaced by the best frames left."""
    if is_flat(scores):
        return evenly(len(scores), budget)
    density = unit_range(scores) ** power
    quantiles = np.linspace(1 / budget, 1 - 1 / budget, budget) if budget > 1 else np.array([0.5])
    drawn = np.searchsorted(np.cumsum(density / density.sum()), quantiles)
    distinct = np.unique(np.minimum(drawn, len(scores) - 1))
    return fill_by_score(scores, distinct, budget, gap_frames=len(scores) // (4 * budget))


def select(context: SamplerContext, parameters: BoltParameters) -> Selection:
    """Exactly `budget` frames, dense where the question is answered."""
    return Selection.of(choose(context.scores(), context.budget, float(parameters.power)))


SAMPLER = Sampler(
    name="bolt",
    select=select,
    parameters=BoltParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Evenly spaced quantiles of the relevance curve: more frames where it is high, none where it is zero.",
    source="Liu et al., CVPR 2025, arXiv 2503.21483",
    uses=frozenset({Input.SCORES}),
)
