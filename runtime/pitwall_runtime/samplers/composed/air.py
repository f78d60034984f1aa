"""A.I.R.: relevance finds events, a model rates a few of their frames, and more is asked near the ones that it likes.

Zou et al., ICLR 2026 (arXiv 2510.04428), without its reasons: two Gaussians set the threshold, intervals between
candidates are ranked by relevance, change and length, twelve frames a round are rated from 1 to 5, those above 3 stay
and their neighbours become candidates. It ends after six rounds, with the budget full, or when calls or time are spent;
what is missing then comes from `quota`, whose frames, and evenly spread ones, are asked about when no event is left.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, evenly
from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders
from pitwall_runtime.samplers.composed.dialogue import Look, clock, converse
from pitwall_runtime.samplers.composed.events import events, fit
from pitwall_runtime.samplers.composed.remainder import completed
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability
from pitwall_runtime.samplers.segments import quota

_MERGE_SECONDS: Final = 2.0
_LEAST_SECONDS: Final = 3.0
_LIKED: Final = 4
_MOST_SILENT: Final = 2
_NEAR: Final = (1.0, 1.5)
_RATING: Final = re.compile(r"(?<!\d)(\d{1,9})\s{0,9}[:=.)\-]{1,9}\s{0,9}([1-5])(?!\d)")
"""All in it is bounded: a reply of digits or blanks alone is read in no more time than another."""
"""Neighbours of a frame that the model likes, in units of the step."""

_PROMPT: Final = """Question about a video: {question}
You see {count} of its frames, in this order: {frames}.
How much does each frame help to answer the question? 1 is not at all, 5 is a lot.
Reply with one line per frame and nothing else: its number, a colon, and your rating."""


class AirParameters(Border):
    """As in the paper; decimals travel as strings."""

    rounds: Annotated[int, Field(ge=0, le=64, description="At most so many questions to the model.")] = 6
    frames_per_round: Annotated[int, Field(ge=1, le=64, description="Frames that the model rates at a time.")] = 12
    caution: Annotated[
        Decimal,
        Field(ge=0, le=10, description="How far an event may lie below the relevant frames' mean, in σ."),
    ] = Decimal("0.7")


@dataclass(slots=True)
class AirSearch:
    """A conversation about N frames: relevance [N], times [N]; `others` are asked about when no event is left."""

    question: str
    scores: Curve
    seconds: Curve
    budget: int
    parameters: AirParameters
    others: tuple[int, ...] = ()
    candidates: set[int] = field(default_factory=set)
    ratings: dict[int, int] = field(default_factory=dict)
    shown: tuple[int, ...] = ()
    asked: set[int] = field(default_factory=set)
    rounds: int = 0
    silent: int = 0

    def __post_init__(self) -> None:
        """The first candidates: of every event by its length, evenly."""
        spacing = max(1e-9, float(self.seconds[-1] - self.seconds[0]) / max(1, len(self.seconds) - 1))
        found = events(
            self.scores,
            fit(self.scores).threshold(float(self.parameters.caution)),
            round(_MERGE_SECONDS / spacing),
            max(1, round(_LEAST_SECONDS / spacing)),
        ) or [(0, len(self.scores))]
        lengths = np.array([end - start for start, end in found])
        wanted = 2 * max(self.budget, self.parameters.frames_per_round)
        for (start, end), count in zip(found, largest_remainders(lengths, wanted, lengths).tolist(), strict=True):
            self.candidates.update((start + evenly(end - start, count)).tolist())

    def ask(self) -> Look | None:
        """The most promising candidates that were not shown yet."""
        if self.candidates <= self.asked:
            self.candidates.update(self.others)
        open_frames = sorted(self.candidates - self.asked)
        is_over = self.rounds >= self.parameters.rounds or self.silent >= _MOST_SILENT
        if is_over or not open_frames or len(self.found()) >= self.budget:
            return None
        order = np.argsort(-self._potential(open_frames), kind="stable")[: self.parameters.frames_per_round]
        self.shown = tuple(sorted(open_frames[at] for at in order))
        self.asked.update(self.shown)
        self.rounds += 1
        told = ", ".join(f"{n} at {clock(self.seconds[frame])}" for n, frame in enumerate(self.shown, 1))
        return Look(_PROMPT.format(question=self.question, count=len(self.shown), frames=told), self.shown)

    def learn(self, reply: str) -> None:
        """Keep the ratings; put the neighbours of liked frames among the candidates."""
        rated = ratings(reply, len(self.shown))
        self.silent = 0 if rated else self.silent + 1
        for number, rating in rated.items():
            frame = self.shown[number - 1]
            self.ratings[frame] = rating
            if rating >= _LIKED:
                self.candidates.update(self._neighbours(frame))

    def found(self) -> list[int]:
        """The liked frames, the best rated first."""
        liked = [frame for frame, rating in self.ratings.items() if rating >= _LIKED]
        return sorted(liked, key=lambda frame: (-self.ratings[frame], -self.scores[frame], frame))

    def disliked(self) -> list[int]:
        """Frames that the model saw and did not like."""
        return [frame for frame, rating in self.ratings.items() if rating < _LIKED]

    def _potential(self, frames: Sequence[int]) -> Curve:
        """Of the interval around each candidate: mean relevance · (1 + mean change) · (1 + log10 of its length)."""
        everyone = np.array(sorted(self.candidates))
        borders = np.concatenate([[0], (everyone[:-1] + everyone[1:] + 1) // 2, [len(self.scores)]])
        at = np.searchsorted(everyone, frames)
        sums = np.concatenate([[0.0], np.cumsum(self.scores - self.scores.min())])
        changes = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self.scores, prepend=self.scores[0])))])
        starts, ends = borders[at], borders[at + 1]
        lengths = np.maximum(1, ends - starts)
        means, change = (sums[ends] - sums[starts]) / lengths, (changes[ends] - changes[starts]) / lengths
        potential: Curve = means * (1 + change) * (1 + np.log10(lengths))
        return potential

    def _neighbours(self, frame: int) -> list[int]:
        others = np.array(sorted(self.candidates - {frame}) or [frame])
        step = max(1.0, 0.05 * float(np.abs(others - frame).min()))
        near = [round(frame + side * step * factor) for factor in _NEAR for side in (-1, 1)]
        return [index for index in near if 0 <= index < len(self.scores)]


def ratings(reply: str, count: int) -> dict[int, int]:
    """The ratings in a reply by the frame's number, 1 to `count`; what is out of range does not count."""
    pairs = _RATING.findall(reply)
    return {int(number): int(rating) for number, rating in pairs if 1 <= int(number) <= count}


async def select(context: SamplerContext, parameters: AirParameters) -> Selection:
    """Exactly `budget` frames: those that the model likes, then those of `quota`."""
    scores: Floats = context.scores()
    usual = (*quota.along(scores, context).tolist(), *evenly(context.pool_size, context.budget).tolist())
    curve, seconds = scores.astype(np.float64), context.pts_seconds
    search = AirSearch(context.question, curve, seconds, context.budget, parameters, usual)
    ended = await converse(context, search)
    frames = completed(search.found(), search.disliked(), scores, context)
    return Selection.of(frames, liked=len(search.found()), rated=len(search.ratings), rounds=search.rounds, ended=ended)


SAMPLER = Sampler(
    name="air",
    select=select,
    parameters=AirParameters,
    contract=1,
    stability=Stability.ALPHA,
    summary="Relevance finds events, a model rates a few of their frames, and more is asked near the ones it likes.",
    source="Zou et al., ICLR 2026, arXiv 2510.04428",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS, Input.MODEL}),
)
