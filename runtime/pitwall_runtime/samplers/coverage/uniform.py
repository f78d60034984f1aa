"""Uniform: takes the middle frame of each of K equal stretches. Ignores the question and costs nothing."""

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.contract import Sampler, SamplerContext, Stability


class UniformParameters(Border):
    """Uniform has none."""


def spread(start: int, end: int, count: int) -> list[int]:
    """`count` distinct frames of [start, end), the midpoints of equal stretches.

    start = 0, end = 8, count = 2 -> [2, 6]
    """
    length = end - start
    return [start + (2 * k + 1) * length // (2 * count) for k in range(count)]


def select(context: SamplerContext, parameters: UniformParameters) -> Selection:
    """`budget` frames evenly over the pool."""
    del parameters
    return Selection.of(spread(0, context.pool_size, context.budget))


SAMPLER = Sampler(
    name="uniform",
    select=select,
    parameters=UniformParameters,
    contract=1,
    stability=Stability.STABLE,
    summary="The middle frames of K equal stretches.",
)
