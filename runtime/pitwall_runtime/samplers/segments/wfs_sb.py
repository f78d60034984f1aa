"""WFS-SB: cuts the video where the relevance curve changes (a wavelet's coarsest detail), then MMR in each segment.

CVPR 2026 (arXiv 2603.00512), with the settings of its experiments: peaks of the detail are borders; a segment's weight
mixes length, mean, best and variance of relevance; unimportant segments are dropped; quotas by softmax.
Three things differ from the published code: a segment never owes more frames than it has, MMR is arrays instead of
loops over frames, and scores that are no numbers never count as the best.
"""

from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, best, evenly, softmax, unit_range
from pitwall_runtime.samplers.arithmetic.peaks import find_peaks
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.arithmetic.spread import fill_by_score, marginal_relevance
from pitwall_runtime.samplers.arithmetic.wavelet import coarsest_detail, deepest_level
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

_LENGTH, _MEAN, _BEST, _VARIANCE = 0.4, 0.2, 0.3, 0.1
_STRICTNESS = 1.2
_LEAST_IMPORTANCE = 0.05
_HEIGHT, _PROMINENCE, _DISTANCE, _LEAST_DISTANCE = 0.5, 0.05, 0.02, 5


class WfsSbParameters(Border):
    """As in the paper's experiments; decimals travel as strings."""

    relevance: Annotated[
        Decimal, Field(ge=0, le=1, description="Weight of relevance in a segment; likeness has the rest.")
    ] = Decimal("0.5")
    temperature: Annotated[Decimal, Field(gt=0, le=100, description="Lower gives important segments more.")] = Decimal(
        1
    )
    segment_candidates: Annotated[
        int, Field(ge=1, le=4096, description="At most so many frames of a segment, the best, are compared.")
    ] = 512


def choose(scores: Floats, rows: Floats, budget: int, parameters: WfsSbParameters) -> Positions:
    """`budget` ≤ N frames: scores [N], unit rows [N, D]."""
    relevance = unit_range(scores)
    edges = borders(relevance)
    if len(edges) == 2:
        return fill_by_score(relevance, evenly(len(scores), budget // 2), budget, gap_frames=1)
    starts, ends, importance = _kept(edges, _importance(relevance, edges), budget)
    quotas = largest_remainders(softmax(importance / float(parameters.temperature)), budget, ends - starts)
    chosen = [
        start + _inside(relevance[start:end], rows[start:end], quota, parameters)
        for start, end, quota in zip(starts, ends, quotas.tolist(), strict=True)
        if quota
    ]
    return np.sort(np.concatenate(chosen))


def borders(relevance: Curve) -> Positions:
    """Segment edges [G + 1]: 0, the peaks of the coarsest detail, N."""
    length = len(relevance)
    level = min(deepest_level(length), int(np.log2(max(length, 1))) - 3)
    if level < 1:
        return np.array([0, length])
    detail = np.abs(coarsest_detail(relevance, level))
    peaks = find_peaks(
        detail,
        height=float(detail.mean() + _HEIGHT * detail.std()),
        distance=max(_LEAST_DISTANCE, int(_DISTANCE * length)),
        prominence=_PROMINENCE * float(np.ptp(detail)),
    )
    return np.concatenate([[0], peaks, [length]])


def _importance(relevance: Curve, edges: Positions) -> Curve:
    starts, lengths = edges[:-1], np.diff(edges)
    means = np.add.reduceat(relevance, starts) / lengths
    variances = np.maximum(np.add.reduceat(relevance**2, starts) / lengths - means**2, 0)
    importance: Curve = (
        _LENGTH * lengths / len(relevance)
        + _MEAN * means
        + _BEST * np.maximum.reduceat(relevance, starts)
        + _VARIANCE * variances / (relevance.var() + 1e-8)
    )
    return importance


def _kept(edges: Positions, importance: Curve, budget: int) -> tuple[Positions, Positions, Curve]:
    """Starts, ends and importance of the segments that matter; all of them if those that do are too short."""
    keep = np.ones(len(importance), dtype=bool)
    if len(importance) > 3:
        keep = importance >= max(_LEAST_IMPORTANCE, float(importance.mean() - _STRICTNESS * importance.std()))
    if np.diff(edges)[keep].sum() < budget:
        keep[:] = True
    return edges[:-1][keep], edges[1:][keep], importance[keep]


def _inside(relevance: Curve, rows: Floats, quota: int, parameters: WfsSbParameters) -> Positions:
    pool = best(relevance, max(quota, parameters.segment_candidates))
    return pool[marginal_relevance(2 * relevance[pool] - 1, rows[pool], quota, float(parameters.relevance))]


def select(context: SamplerContext, parameters: WfsSbParameters) -> Selection:
    """Exactly `budget` frames."""
    return Selection.of(choose(context.scores(), context.embeddings(), context.budget, parameters))


SAMPLER = Sampler(
    name="wfs-sb",
    select=select,
    parameters=WfsSbParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Segments between the changes of the relevance curve; in each its best frame and what differs from it.",
    source="WFS-SB, CVPR 2026, arXiv 2603.00512",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
