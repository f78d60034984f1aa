"""Top-k: takes the K most relevant frames. Strong on one moment, blind to the second."""

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import best
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class TopKParameters(Border):
    """Top-k has none."""


def select(context: SamplerContext, parameters: TopKParameters) -> Selection:
    """The `budget` best-scored frames."""
    del parameters
    return Selection.of(best(context.scores(), context.budget))


SAMPLER = Sampler(
    name="topk",
    select=select,
    parameters=TopKParameters,
    contract=1,
    stability=Stability.STABLE,
    summary="The K most relevant frames.",
    uses=frozenset({Input.SCORES}),
)
