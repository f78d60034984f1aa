"""Q-Frame: draws frames at random by relevance, the first ones in high resolution, the others in lower tiers.

Zhang et al., ICCV 2025 (arXiv 2506.22139): softmax of the scores over evenly spread candidates, top-k of perturbed
logarithms (Gumbel), tiers by rank. The published draw is seeded by nothing; here the same question draws the same.
"""

from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Positions, evenly
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class QFrameParameters(Border):
    """Candidates, temperature and the tiers' shares as in the paper; decimals travel as strings."""

    candidates: Annotated[int, Field(ge=1, le=100_000, description="Evenly spread frames that are drawn from.")] = 128
    temperature: Annotated[Decimal, Field(gt=0, le=100, description="Higher draws more freely.")] = Decimal("0.8")
    logit_scale: Annotated[
        Decimal, Field(gt=0, le=1000, description="Cosines are multiplied by this first; CLIP's own is 100.")
    ] = Decimal(100)
    full: Annotated[int, Field(ge=0, le=1024, description="Share of frames in full resolution.")] = 4
    half: Annotated[int, Field(ge=0, le=1024, description="Share of frames with half as many pixels a side.")] = 8
    quarter: Annotated[int, Field(ge=0, le=1024, description="Share of frames with a quarter a side.")] = 32


def draw(scores: Floats, budget: int, parameters: QFrameParameters, generator: np.random.Generator) -> Positions:
    """`budget` ≤ N frames in the order of the draw: without replacement, with odds exp(score / temperature)."""
    pool = evenly(len(scores), min(len(scores), max(budget, parameters.candidates)))
    logits = scores[pool].astype(np.float64) * float(parameters.logit_scale) / float(parameters.temperature)
    perturbed = logits + generator.gumbel(size=len(pool))
    return pool[np.argsort(-perturbed, kind="stable")[:budget]]


def tiers(budget: int, parameters: QFrameParameters) -> Positions:
    """The tier of the first, second, … frame of the draw: 0 full, 1 half, 2 quarter; shared as the parameters say."""
    shares = np.array([parameters.full, parameters.half, parameters.quarter], dtype=np.float64)
    counts = largest_remainders(shares, budget, np.full(3, budget))
    return np.repeat(np.arange(3), counts)


def select(context: SamplerContext, parameters: QFrameParameters) -> Selection:
    """Exactly `budget` frames and the tier of each."""
    drawn = draw(context.scores(), context.budget, parameters, context.random())
    order = np.argsort(drawn)
    return Selection(tuple(drawn[order].tolist()), tiers=tuple(tiers(context.budget, parameters)[order].tolist()))


SAMPLER = Sampler(
    name="qframe",
    select=select,
    parameters=QFrameParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Draws frames by relevance; the best are shown in full resolution, the others in lower tiers.",
    source="Zhang et al., ICCV 2025, arXiv 2506.22139",
    uses=frozenset({Input.SCORES}),
)
