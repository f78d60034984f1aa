"""QCA: gives equal segments quotas by how unusual and how relevant they are; inside, the best frame and its opposites.

ECCV 2026 (arXiv 2607.00983). A segment's share mixes softmaxes of its distance from the video's mean, of its variance
and of its mean relevance; frames at least γ times as relevant as the best one are spread by farthest-point sampling.
Two things differ from the published code: relevance is brought to 0..1 first (negative cosines defeat its threshold,
and frames are missing), and there are never more segments than frames (there it is an error).
"""

from decimal import Decimal
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, best, softmax, unit_range
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.arithmetic.spread import farthest_first
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

_TEMPERATURE: Final = 0.5
_LEAST_THRESHOLD: Final = 1e-6


class QcaParameters(Border):
    """As in the paper; decimals travel as strings."""

    segments: Annotated[int, Field(ge=1, le=1024, description="Equal segments of the video.")] = 16
    unusual: Annotated[
        Decimal, Field(ge=0, le=1, description="β: weight of how unusual a segment is; relevance has the rest.")
    ] = Decimal("0.5")
    threshold: Annotated[
        Decimal, Field(gt=0, le=1, description="γ: candidates are at least so relevant, compared with the best one.")
    ] = Decimal("0.5")
    segment_candidates: Annotated[
        int, Field(ge=1, le=4096, description="At most so many frames of a segment, the best, are compared.")
    ] = 256


def choose(scores: Floats, rows: Floats, budget: int, parameters: QcaParameters) -> Positions:
    """`budget` ≤ N frames: scores [N], unit rows [N, D]."""
    relevance = unit_range(scores)
    edges = np.linspace(0, len(scores), min(parameters.segments, len(scores)) + 1).astype(np.int64)
    quotas = largest_remainders(_shares(relevance, rows, edges, float(parameters.unusual)), budget, np.diff(edges))
    chosen = [
        start + _inside(relevance[start:end], rows[start:end], quota, parameters)
        for start, end, quota in zip(edges[:-1], edges[1:], quotas.tolist(), strict=True)
        if quota
    ]
    return np.sort(np.concatenate(chosen))


def _shares(relevance: Curve, rows: Floats, edges: Positions, unusual: float) -> Curve:
    """Each segment's share of the budget [G]."""
    lengths = np.diff(edges).astype(np.float64)
    sums = np.stack([np.ones(end - start, np.float32) @ rows[start:end] for start, end in _pairs(edges)])
    means, whole = sums / lengths[:, None], sums.sum(axis=0) / len(rows)
    distances = ((means - whole) ** 2).sum(axis=1)
    # Of unit rows, the trace of the covariance is (n - n |mean|²) / (n - 1).
    variances = lengths * (1 - (means**2).sum(axis=1)) / np.maximum(lengths - 1, 1)
    strangeness = softmax((softmax(distances / _TEMPERATURE) + softmax(variances / _TEMPERATURE)) / _TEMPERATURE)
    relevant = softmax(np.add.reduceat(relevance, edges[:-1]) / lengths)
    return unusual * strangeness + (1 - unusual) * relevant


def _pairs(edges: Positions) -> list[tuple[int, int]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _inside(relevance: Curve, rows: Floats, quota: int, parameters: QcaParameters) -> Positions:
    """`quota` frames of one segment: the most relevant, then those least alike among the relevant."""
    threshold = float(parameters.threshold) * float(relevance.max())
    while threshold > _LEAST_THRESHOLD and (relevance >= threshold).sum() < quota:
        threshold /= 2
    pool = np.flatnonzero(relevance >= threshold)
    if len(pool) < quota:
        return best(relevance, quota)
    pool = pool[best(relevance[pool], max(quota, parameters.segment_candidates))]
    return pool[farthest_first(rows[pool], int(np.argmax(relevance[pool])), quota)]


def select(context: SamplerContext, parameters: QcaParameters) -> Selection:
    """Exactly `budget` frames."""
    return Selection.of(choose(context.scores(), context.embeddings(), context.budget, parameters))


SAMPLER = Sampler(
    name="qca",
    select=select,
    parameters=QcaParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Quotas for equal segments by how unusual and relevant they are; inside, the best frame and its opposites.",
    source="QCA, ECCV 2026, arXiv 2607.00983",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
