"""MMR: always adds the frame that is most relevant and least like what is chosen already.

Carbonell & Goldstein, SIGIR 1998. Relevance runs from 0 to 1 over the pool, likeness is the cosine.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import candidates, unit_range
from pitwall_runtime.samplers.arithmetic.spread import marginal_relevance
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class MmrParameters(Border):
    """How relevance weighs against likeness; decimals travel as strings."""

    relevance: Annotated[
        Decimal, Field(ge=0, le=1, description="Weight of relevance; what is missing to 1 is that of likeness.")
    ] = Decimal("0.5")
    candidates: Annotated[
        int, Field(ge=1, le=100_000, description="Frames compared with each other: half evenly spread, half the best.")
    ] = 1024


def select(context: SamplerContext, parameters: MmrParameters) -> Selection:
    """Exactly `budget` frames."""
    scores = context.scores()
    pool = candidates(scores, max(parameters.candidates, context.budget))
    relevance = unit_range(scores)[pool]
    picks = marginal_relevance(relevance, context.embeddings(pool), context.budget, float(parameters.relevance))
    return Selection.of(pool[picks])


SAMPLER = Sampler(
    name="mmr",
    select=select,
    parameters=MmrParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Maximal marginal relevance: the most relevant frame that is least like those chosen before.",
    source="Carbonell & Goldstein, SIGIR 1998",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
