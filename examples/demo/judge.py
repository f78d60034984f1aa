"""Judges an answer by the annotated truth about the film. Pure: no clock, chance or I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from examples.demo.annotations import AnnotatedMoment, AnnotatedQuestion, Annotations

TOLERANCE_SECONDS: Final = 1.0
"""How far beside an annotated moment a named one may lie: the annotations' accuracy and half a pool frame."""

READ_MOMENTS: Final = 3
"""How many named moments a user looks at before deciding."""

READ_MOMENTS_SEVERAL: Final = 5
"""The same for a question that needs several moments as evidence."""


@dataclass(frozen=True, slots=True)
class NamedMoment:
    """A moment that an answer names: a frame at pts_seconds, standing for [start_seconds, end_seconds)."""

    start_seconds: float
    end_seconds: float
    pts_seconds: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """Whether the user is satisfied, the annotated moments hit, and the share of the moments read that hit one."""

    satisfied: bool
    hit_moments: tuple[str, ...]
    precision: float


def judge(question: AnnotatedQuestion, answer_moments: Sequence[NamedMoment], annotations: Annotations) -> Satisfaction:
    """The user's judgement of the first moments that the answer names.

    The named frame must lie inside an annotated moment of the question, or at most TOLERANCE_SECONDS beside it.
    A question with at_least = 2 needs two named frames which between them show two different annotated moments;
    one frame that lies in two overlapping ones is a single piece of evidence.
    """
    read = answer_moments[: READ_MOMENTS if question.at_least == 1 else READ_MOMENTS_SEVERAL]
    truth = [annotations.moments[moment_id] for moment_id in question.moments]
    hits = [[moment.id for moment in truth if _shows(named, moment)] for named in read]
    frames_that_hit = sum(1 for hit in hits if hit)
    hit_moments = tuple(dict.fromkeys(moment_id for hit in hits for moment_id in hit))
    return Satisfaction(
        satisfied=min(frames_that_hit, len(hit_moments)) >= question.at_least,
        hit_moments=hit_moments,
        precision=frames_that_hit / len(read) if read else 0.0,
    )


def _shows(named: NamedMoment, moment: AnnotatedMoment) -> bool:
    """The named frame lies in the annotated moment, widened by the tolerance."""
    return moment.start_seconds - TOLERANCE_SECONDS <= named.pts_seconds < moment.end_seconds + TOLERANCE_SECONDS
