"""Adaptive keyframe sampling: splits the score curve until a stretch has a clear peak, then takes its best frames.

Tang et al., CVPR 2025 (arXiv 2502.21271), written from the paper's description, with the budget repaired: the published
integer quota K/2^depth loses frames whenever K is not a multiple of it (and returns none for K < 32 at depth 5). Here
the depth is bounded by log2 K, and leaves share K by largest remainder, so exactly K frames come back.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability
from pitwall_runtime.samplers.coverage.uniform import spread
from pitwall_runtime.samplers.relevance.topk import best


class AksParameters(Border):
    """Thresholds as in the paper; decimals travel as strings."""

    peak_threshold: Annotated[
        Decimal, Field(ge=0, le=1, description="A stretch is a peak if its best frames exceed its mean by this much.")
    ] = Decimal("0.8")
    deviation_threshold: Annotated[
        Decimal, Field(ge=-100, le=1, description="… and its deviation exceeds this; -100 turns the second test off.")
    ] = Decimal(-100)
    max_depth: Annotated[int, Field(ge=0, le=10, description="How often a stretch may be halved.")] = 5


@dataclass(frozen=True, slots=True)
class Leaf:
    """Frames [start, end) that are not split further, and the depth they were reached at."""

    start: int
    end: int
    depth: int


def select(context: SamplerContext, parameters: AksParameters) -> Selection:
    """Exactly `budget` frames: most from stretches with a clear peak, some from everywhere."""
    scores = context.scores()
    low, high = float(scores.min()), float(scores.max())
    if high - low < 1e-9 or context.budget == context.pool_size:
        return Selection.of(spread(0, context.pool_size, context.budget))
    normal = (scores - low) / (high - low)
    leaves = _split(normal, context.budget, parameters)
    quotas = _quotas(leaves, context.budget)
    chosen = [
        leaf.start + offset
        for leaf, quota in zip(leaves, quotas, strict=True)
        for offset in best(normal[leaf.start : leaf.end], quota)
    ]
    return Selection.of(chosen)


def _split(normal: Floats, budget: int, parameters: AksParameters) -> list[Leaf]:
    """Judge and split: leaves in time order that tile the pool."""
    deepest = min(parameters.max_depth, budget.bit_length() - 1)
    stack, leaves = [Leaf(0, len(normal), 0)], []
    while stack:
        leaf = stack.pop()
        if leaf.depth >= deepest or leaf.end - leaf.start < 2 or _has_peak(normal, leaf, budget, parameters):
            leaves.append(leaf)
            continue
        middle = (leaf.start + leaf.end) // 2
        stack += [Leaf(middle, leaf.end, leaf.depth + 1), Leaf(leaf.start, middle, leaf.depth + 1)]
    return leaves


def _has_peak(normal: Floats, leaf: Leaf, budget: int, parameters: AksParameters) -> bool:
    stretch = normal[leaf.start : leaf.end]
    count = min(budget, len(stretch))
    top = np.partition(stretch, len(stretch) - count)[len(stretch) - count :]
    rises = float(top.mean() - stretch.mean()) > parameters.peak_threshold
    return bool(rises and float(stretch.std()) > parameters.deviation_threshold)


def _quotas(leaves: list[Leaf], budget: int) -> list[int]:
    """Budget shared by 2^-depth with largest remainders, never more than a leaf holds."""
    deepest = max(leaf.depth for leaf in leaves)
    shares = [budget << (deepest - leaf.depth) for leaf in leaves]
    unit = 1 << deepest
    quotas = [min(share // unit, leaf.end - leaf.start) for share, leaf in zip(shares, leaves, strict=True)]
    order = sorted(range(len(leaves)), key=lambda k: (-(shares[k] % unit), k))
    missing = budget - sum(quotas)
    while missing:
        for k in order:
            if missing and quotas[k] < leaves[k].end - leaves[k].start:
                quotas[k] += 1
                missing -= 1
    return quotas


SAMPLER = Sampler(
    name="aks",
    select=select,
    parameters=AksParameters,
    contract=1,
    stability=Stability.STABLE,
    summary="Halves the video until a stretch has a clear peak, and takes the best frames of each stretch.",
    source="Tang et al., CVPR 2025, arXiv 2502.21271",
    uses=frozenset({Input.SCORES}),
)
