"""Quota, Pitwall's default: every promising piece of the video gets its best frame before its surroundings get more.

Shots, cut where they are long, are the pieces. A piece weighs Σ exp(sharpness · z) of its frames, z the relevance in
robust deviations from the video's median: how likely it is to hold evidence, up to a factor, so that a flat curve
leads to even coverage and a weak moment is not forgotten. The next frame goes to where most weight is not covered yet,
a frame covering its own piece and, less and less, what is within `reachSeconds`: greedy weighted coverage, within
1 - 1/e of the best (Nemhauser, Wolsey & Fisher 1978). In a piece, the most relevant frame first; if there are more
frames than pieces, then those that differ most from what is chosen of the piece.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection, Shot
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, bounds, deviations, evenly, is_flat, smooth
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.arithmetic.spread import farthest_first
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

Rows = Callable[[Positions], Floats]
"""Embeddings [M, D] of M frames."""


class QuotaParameters(Border):
    """How the budget falls on the pieces; decimals travel as strings."""

    sharpness: Annotated[
        Decimal, Field(ge=0, le=10, description="Higher prefers the most relevant pieces; 0 covers all alike.")
    ] = Decimal(1)
    reach_seconds: Annotated[
        Decimal, Field(gt=0, le=600, description="A chosen frame makes others within this time less needed.")
    ] = Decimal(15)


def choose(
    scores: Floats, rows: Rows, seconds: Curve, shots: tuple[Shot, ...], budget: int, parameters: QuotaParameters
) -> Positions:
    """`budget` ≤ N frames: scores [N], times [N], shots that tile the pool; rows only of pieces with two frames."""
    if is_flat(scores):
        return evenly(len(scores), budget)
    reach = float(parameters.reach_seconds)
    spacing = float(seconds[-1] - seconds[0]) / max(1, len(seconds) - 1)
    edges = pieces(shots, max(1, min(int(reach / (2 * spacing)), len(scores) // (2 * budget))))
    curve = smooth(scores)
    anchors = edges[:-1] + _first_best(curve, edges)
    weights = np.add.reduceat(np.exp(float(parameters.sharpness) * deviations(curve)), edges[:-1])
    served = cover(seconds[anchors], weights, min(budget, len(anchors)), reach)
    if len(served) == budget:
        return np.sort(anchors[served])
    lengths = np.diff(edges)
    quotas = 1 + largest_remainders(weights, budget - len(anchors), lengths - 1)
    chosen = [
        _inside(rows, start, end, anchor, quota)
        for start, end, anchor, quota in zip(edges[:-1], edges[1:], anchors, quotas.tolist(), strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def pieces(shots: tuple[Shot, ...], longest: int) -> Positions:
    """Edges [G + 1]: those of the shots, and of equal parts of shots longer than `longest` frames."""
    starts, lengths = bounds(shots)
    parts = -(-lengths // longest)
    part = np.arange(int(parts.sum())) - np.repeat(np.cumsum(parts) - parts, parts)
    edges = np.repeat(starts, parts) + part * np.repeat(lengths, parts) // np.repeat(parts, parts)
    return np.append(edges, shots[-1].end)


def cover(seconds: Curve, weights: Curve, count: int, reach: float) -> Positions:
    """`count` ≤ G of G places in the order of choice: greedy coverage of the weights [G] at rising times [G].

    A place covers itself wholly and one at a distance d seconds by 1 - d / reach.
    """
    near, share = _neighbours(seconds, reach)
    left = weights.astype(np.float64)
    gains = (share * left[near]).sum(axis=1)
    picks = np.empty(count, dtype=np.int64)
    for step in range(count):
        pick = int(np.argmax(gains))
        picks[step] = pick
        touched = near[pick]
        left[touched[share[pick] > 0]] *= 1 - share[pick][share[pick] > 0]
        around = near[touched].ravel()
        gains[around] = (share[around] * left[near[around]]).sum(axis=1)
        gains[picks[: step + 1]] = -np.inf
    return picks


def _neighbours(seconds: Curve, reach: float) -> tuple[Positions, Curve]:
    """For each of G places, which ones are within reach, and how much of them it covers; both [G, most neighbours]."""
    first = np.searchsorted(seconds, seconds - reach, side="left")
    count = np.searchsorted(seconds, seconds + reach, side="right") - first
    near = np.minimum(first[:, None] + np.arange(int(count.max())), len(seconds) - 1)
    is_near = np.arange(int(count.max())) < count[:, None]
    share = np.where(is_near, np.clip(1 - np.abs(seconds[near] - seconds[:, None]) / reach, 0, 1), 0.0)
    return near, share


def _first_best(curve: Curve, edges: Positions) -> Positions:
    """Where in each piece its greatest value stands first [G]."""
    starts, lengths = edges[:-1], np.diff(edges)
    is_best = np.flatnonzero(curve == np.repeat(np.maximum.reduceat(curve, starts), lengths))
    piece = np.repeat(np.arange(len(starts)), lengths)[is_best]
    return is_best[np.searchsorted(piece, np.arange(len(starts)))] - starts


def _inside(rows: Rows, start: int, end: int, anchor: int, quota: int) -> Positions:
    """A piece's anchor, then its frames that differ most from what is chosen of it."""
    if quota == 1:
        return np.array([anchor])
    if quota == end - start:
        return np.arange(start, end)
    return start + farthest_first(rows(np.arange(start, end)), anchor - start, quota)


def along(scores: Floats, context: SamplerContext, parameters: QuotaParameters | None = None) -> Positions:
    """The frames of a context by another curve than its own."""
    chosen = parameters or QuotaParameters()
    return choose(scores, context.embeddings, context.pts_seconds, context.shots, context.budget, chosen)


def select(context: SamplerContext, parameters: QuotaParameters) -> Selection:
    """Exactly `budget` frames."""
    return Selection.of(along(context.scores(), context, parameters))


SAMPLER = Sampler(
    name="quota",
    select=select,
    parameters=QuotaParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Each promising piece of the video gets its best frame before its surroundings get more.",
    source="Pitwall; coverage after Nemhauser, Wolsey & Fisher 1978",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
