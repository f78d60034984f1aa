"""FOCUS: a bandit that scores few frames: some of every clip, more of the promising clips, and stays with the best.

Zhu et al., ICLR 2026 (arXiv 2510.27280), written from the paper's algorithm 2. Three things differ from the published
code: scores of the second stage count for their clip's mean, by which the final clips are ranked (there the first
stage alone counts); clips tile the whole video (there up to a clip's length at the end is never seen); and what clips
cannot hold is filled up, so that exactly K frames come back.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, best
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.arithmetic.spread import fill_by_score
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

_LEAST_CLIPS = 8
_LEAST_PROMISING = 4
_MOST_FINAL = 32
_LEAST_VARIANCE = 1e-6

Score = Callable[[Positions], Floats]
"""Relevance [M] of M frames: what costs."""


class FocusParameters(Border):
    """As in the paper; decimals travel as strings."""

    clip_seconds: Annotated[Decimal, Field(gt=0, le=3600, description="Length of a clip, an arm of the bandit.")] = (
        Decimal(16)
    )
    first_pulls: Annotated[int, Field(ge=1, le=64, description="Frames scored in every clip, its middle first.")] = 3
    second_pulls: Annotated[int, Field(ge=0, le=1024, description="Frames scored in every promising clip beside.")] = 16
    promising: Annotated[
        Decimal, Field(gt=0, le=1, description="Share of clips that are looked at more closely and chosen from.")
    ] = Decimal("0.25")
    top_share: Annotated[
        Decimal, Field(ge=0, le=1, description="Share of the budget for the best frames seen, from any clip.")
    ] = Decimal("0.2")
    temperature: Annotated[Decimal, Field(gt=0, le=10, description="Lower stays closer to a clip's best frame.")] = (
        Decimal("0.06")
    )

    def promising_of(self, clips: int) -> int:
        """How many of so many clips are looked at again."""
        return min(clips, max(_LEAST_PROMISING, math.ceil(clips * float(self.promising))))

    def most_scored(self, clips: int) -> int:
        """At most so many frames are scored with so many clips."""
        return clips * self.first_pulls + self.promising_of(clips) * self.second_pulls


@dataclass(slots=True)
class Arms:
    """R clips [edges[r], edges[r + 1]), and the score of each of their N frames: NaN where nobody looked."""

    edges: Positions
    seen: Curve
    generator: np.random.Generator

    @property
    def count(self) -> int:
        """Number of clips, R."""
        return len(self.edges) - 1

    def look(self, frames: Positions, score: Score) -> None:
        """Score these frames."""
        if len(frames):
            self.seen[frames] = score(frames)

    def statistics(self) -> tuple[Curve, Curve, Curve]:
        """Number of scored frames, their mean and their variance, each [R]."""
        known = np.isfinite(self.seen)
        values = np.where(known, self.seen, 0.0)
        starts = self.edges[:-1]
        counts = np.maximum(np.add.reduceat(known.astype(np.float64), starts), 1.0)
        means = np.add.reduceat(values, starts) / counts
        return counts, means, np.maximum(np.add.reduceat(values**2, starts) / counts - means**2, _LEAST_VARIANCE)

    def best_of(self, values: Curve, count: int) -> Positions:
        """The `count` clips with the greatest values [R]; lots are drawn among equal ones, not the earliest taken."""
        order = np.lexsort((self.generator.random(self.count), -values))
        return np.sort(order[:count])

    def first_of_each(self, keys: Curve, counts: Positions) -> Positions:
        """The counts[r] frames of clip r with the smallest keys; a key of infinity never counts."""
        clip = np.repeat(np.arange(self.count), np.diff(self.edges))
        order = np.lexsort((keys, clip))
        rank = np.arange(len(keys)) - np.repeat(self.edges[:-1], np.diff(self.edges))
        return np.sort(order[(rank < counts[clip]) & np.isfinite(keys[order])])


def choose(
    score: Score, edges: Positions, budget: int, parameters: FocusParameters, generator: np.random.Generator
) -> tuple[Positions, int]:
    """`budget` ≤ N frames of R clips [R + 1 edges], and how many were scored; `score` is never asked for one twice."""
    arms = Arms(edges, np.full(int(edges[-1]), np.nan), generator)
    promising = parameters.promising_of(arms.count)
    arms.look(_first_pulls(arms, parameters.first_pulls), score)
    arms.look(_second_pulls(arms, arms.best_of(_optimistic(arms), promising), parameters.second_pulls), score)
    known = np.flatnonzero(np.isfinite(arms.seen))
    top = known[best(arms.seen[known], round(float(parameters.top_share) * min(budget, len(known))))]
    final = arms.best_of(arms.statistics()[1], min(promising, _MOST_FINAL))
    estimate = _nearest_known(arms.seen, known)
    more = _draw(arms, final, estimate, top, budget - len(top), float(parameters.temperature))
    return fill_by_score(estimate, np.concatenate([top, more]), budget, gap_frames=1), len(known)


def _first_pulls(arms: Arms, pulls: int) -> Positions:
    """The middle of every clip and others at random."""
    keys = arms.generator.random(len(arms.seen))
    keys[(arms.edges[:-1] + arms.edges[1:] - 1) // 2] = -1.0
    return arms.first_of_each(keys, np.full(arms.count, pulls))


def _second_pulls(arms: Arms, clips: Positions, pulls: int) -> Positions:
    """Half of the frames evenly over each promising clip, half at random, none that is scored already."""
    keys = arms.generator.random(len(arms.seen))
    for clip in clips:
        start, length = arms.edges[clip], arms.edges[clip + 1] - arms.edges[clip]
        keys[start + (np.arange(pulls // 2) * 2 + 1) * length // max(1, 2 * (pulls // 2))] -= 1.0
    keys[np.isfinite(arms.seen)] = np.inf
    counts = np.zeros(arms.count, dtype=np.int64)
    counts[clips] = pulls
    return arms.first_of_each(keys, counts)


def _optimistic(arms: Arms) -> Curve:
    """Upper confidence bound of each clip's mean (equation 6: empirical Bernstein)."""
    counts, means, variances = arms.statistics()
    log_total = math.log(max(2.0, counts.sum()))
    return means + np.sqrt(2 * log_total * variances / counts) + 3 * log_total / counts


def _nearest_known(seen: Curve, known: Positions) -> Curve:
    """Every frame with the score of the nearest scored one; the earlier one if two are as near."""
    middles = (known[:-1] + known[1:]) / 2
    return seen[known[np.searchsorted(middles, np.arange(len(seen)), side="left")]]


def _draw(arms: Arms, final: Positions, estimate: Curve, top: Positions, missing: int, temperature: float) -> Positions:
    """As many from each final clip, without replacement, with odds exp(estimate within the clip / temperature)."""
    lengths = np.diff(arms.edges)
    least = np.repeat(np.minimum.reduceat(estimate, arms.edges[:-1]), lengths)
    most = np.repeat(np.maximum.reduceat(estimate, arms.edges[:-1]), lengths)
    inside = np.where(most > least, (estimate - least) / np.maximum(most - least, 1e-12), 1.0)
    keys = -(inside / temperature + arms.generator.gumbel(size=len(estimate)))
    keys[top] = np.inf
    counts = np.zeros(arms.count, dtype=np.int64)
    counts[final] = largest_remainders(np.ones(len(final)), missing, lengths[final])
    return arms.first_of_each(keys, counts)


def clips(seconds: float, pool_size: int, parameters: FocusParameters, scored_frames: int | None) -> int:
    """How many clips a video is cut into: of `clip_seconds`, at least eight, fewer if more would score too much."""
    count = min(pool_size, max(_LEAST_CLIPS, math.ceil(seconds / float(parameters.clip_seconds))))
    if scored_frames is None:
        return count
    while count > 1 and parameters.most_scored(count) > scored_frames:
        count -= max(1, count // 16)
    return count


def select(context: SamplerContext, parameters: FocusParameters) -> Selection:
    """Exactly `budget` frames; only some of the pool is scored."""
    count = clips(
        float(context.durations_seconds.sum()), context.pool_size, parameters, context.allowance.scored_frames
    )
    edges = np.linspace(0, context.pool_size, count + 1).astype(np.int64)
    frames, scored = choose(context.score, edges, context.budget, parameters, context.random())
    return Selection.of(frames, scored_frames=scored, clips=count)


SAMPLER = Sampler(
    name="focus",
    select=select,
    parameters=FocusParameters,
    contract=1,
    stability=Stability.BETA,
    summary="A bandit that scores a few frames of every clip, more of the promising ones, and chooses from the best.",
    source="Zhu et al., ICLR 2026, arXiv 2510.27280",
    uses=frozenset({Input.SCORES}),
)
