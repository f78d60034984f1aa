"""AdaRD-Key: relevance plus the volume that a frame adds, weighed by how clear the question is.

Zhang et al., 2025 (arXiv 2510.02778): greedy argmax of R + λ · log(what the chosen frames do not explain of this one);
if nothing is relevant enough, volume alone. The paper's constants for λ are not published: ours grows with N / K and
shrinks with the scores' coefficient of variation. The update is a row of a Cholesky factor per step.
"""

from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, candidates, unit_range
from pitwall_runtime.samplers.arithmetic.volume import greedy_volume
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class AdaRdParameters(Border):
    """Gate and weights; decimals travel as strings."""

    gate: Annotated[
        Decimal,
        Field(
            ge=-1,
            le=1,
            description="If no frame's score is at least this, relevance is ignored. The paper's 0.4 is "
            "for matching probabilities; cosines of CLIP or SigLIP are lower.",
        ),
    ] = Decimal("0.05")
    least_weight: Annotated[Decimal, Field(gt=0, le=10, description="Least weight of volume, λ.")] = Decimal("0.05")
    most_weight: Annotated[Decimal, Field(gt=0, le=10, description="Greatest weight of volume, λ.")] = Decimal("0.5")
    candidates: Annotated[
        int, Field(ge=1, le=100_000, description="Frames compared with each other: half evenly spread, half the best.")
    ] = 1024


def volume_weight(relevance: Curve, pool_size: int, budget: int, parameters: AdaRdParameters) -> float:
    """λ: grows with log2(N / K), since more frames are alike; shrinks where relevance tells frames apart."""
    variation = float(relevance.std() / max(relevance.mean(), 1e-9))
    weight = 0.05 * np.log2(max(2.0, pool_size / budget)) / (1.0 + variation)
    return float(np.clip(weight, float(parameters.least_weight), float(parameters.most_weight)))


def choose(relevance: Curve, rows: Floats, budget: int, weight: float) -> Positions:
    """`budget` ≤ M of M rows [M, D], in the order of choice; relevance [M] from 0 to 1."""
    return greedy_volume(rows, budget, relevance / weight)


def select(context: SamplerContext, parameters: AdaRdParameters) -> Selection:
    """Exactly `budget` frames."""
    scores = context.scores()
    relevance = unit_range(scores)
    is_clear = bool(scores.max() >= float(parameters.gate))
    weight = volume_weight(relevance, context.pool_size, context.budget, parameters)
    if not is_clear:
        relevance = np.zeros_like(relevance)
    pool = candidates(scores, max(parameters.candidates, context.budget))
    picks = choose(relevance[pool], context.embeddings(pool), context.budget, weight)
    return Selection.of(pool[picks], volume_weight=weight, relevance_counts=is_clear)


SAMPLER = Sampler(
    name="adard",
    select=select,
    parameters=AdaRdParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Relevance plus the volume a frame adds; volume alone where the question matches nothing.",
    source="Zhang et al., 2025, arXiv 2510.02778; the weight of volume is Pitwall's own",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
