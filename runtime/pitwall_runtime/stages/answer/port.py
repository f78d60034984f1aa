"""The interface of every answer engine: the brief that it is given, and the answer that it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pitwall_runtime.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Evidence:
    """One chosen frame as an answer engine sees it. `score` is the cosine with the question, -1 to 1."""

    index: int
    seconds: float
    end_seconds: float
    shot: int
    score: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the video, [start_seconds, end_seconds), with its best frame's time, label and score."""

    start_seconds: float
    end_seconds: float
    pts_seconds: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the asker reads, and the moments it stands on (best first)."""

    text: str
    moments: tuple[Moment, ...]
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Brief:
    """One question with the chosen frames, in time order, and their moments, best first.

    `jpegs` reads the frames' pictures; an engine that needs none never causes a read. `tokens_per_frame` is what the
    reducer left to each frame. `deadline` is the question's.
    """

    question: str
    evidence: Sequence[Evidence]
    moments: tuple[Moment, ...]
    jpegs: Callable[[], list[bytes]]
    tokens_per_frame: Sequence[int]
    deadline: Deadline = field(default_factory=Deadline)


class AnsweringEngine(Protocol):
    """Turns a brief into an answer. `sees_frames`: a model looks at the pictures, so it can be asked about them."""

    sees_frames: bool

    def answer(self, brief: Brief) -> Answer:
        """The answer. Raises UnavailableError if a server it needs does not answer, TooLateError at the deadline."""
