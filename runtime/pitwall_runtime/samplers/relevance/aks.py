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
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, evenly, is_flat, unit_range
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


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
class Leaves:
    """L stretches [edges[k], edges[k + 1]) that tile the pool, and how often each was halved [L]."""

    edges: Positions
    depths: Positions


def choose(scores: Floats, budget: int, parameters: AksParameters) -> Positions:
    """`budget` ≤ N frames in time order."""
    if is_flat(scores):
        return evenly(len(scores), budget)
    normal = unit_range(scores)
    leaves = split(normal, budget, parameters)
    lengths = np.diff(leaves.edges)
    quotas = largest_remainders(0.5**leaves.depths, budget, lengths)
    leaf = np.repeat(np.arange(len(lengths)), lengths)
    order = np.argsort(2.0 * leaf - normal, kind="stable")  # leaf by leaf, the best first
    rank = np.arange(len(normal)) - np.repeat(leaves.edges[:-1], lengths)
    return np.sort(order[rank < np.repeat(quotas, lengths)])


def split(normal: Curve, budget: int, parameters: AksParameters) -> Leaves:
    """Judge and halve, one depth after the other, until every stretch has a peak or is deep enough."""
    sums = np.concatenate([[0.0], np.cumsum(normal)])
    edges, depths = np.array([0, len(normal)]), np.zeros(1, dtype=np.int64)
    is_open = np.ones(1, dtype=bool)
    for depth in range(min(parameters.max_depth, budget.bit_length() - 1)):
        lengths = np.diff(edges)
        means = np.diff(sums[edges]) / lengths
        # The mean of the best frames is at most the maximum, so that few stretches need more than it.
        maybe = is_open & (np.maximum.reduceat(normal, edges[:-1]) - means > float(parameters.peak_threshold))
        for at in np.flatnonzero(maybe):
            is_open[at] = not _has_peak(normal[edges[at] : edges[at + 1]], budget, parameters)
        halved = is_open & (lengths >= 2)
        if not halved.any():
            break
        copies = 1 + halved
        middles = (edges[:-1] + edges[1:])[halved] // 2
        depths = np.repeat(np.where(halved, depth + 1, depths), copies)
        is_open = np.repeat(is_open, copies)
        edges = np.sort(np.concatenate([edges, middles]))
    return Leaves(edges, depths)


def _has_peak(stretch: Curve, budget: int, parameters: AksParameters) -> bool:
    count = min(budget, len(stretch))
    top = np.partition(stretch, len(stretch) - count)[len(stretch) - count :]
    rises = float(top.mean() - stretch.mean()) > float(parameters.peak_threshold)
    return bool(rises and float(stretch.std()) > float(parameters.deviation_threshold))


def select(context: SamplerContext, parameters: AksParameters) -> Selection:
    """Exactly `budget` frames: most from stretches with a clear peak, some from everywhere."""
    return Selection.of(choose(context.scores(), context.budget, parameters))


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
