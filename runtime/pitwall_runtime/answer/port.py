"""The interface of every answer engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import Answer, Evidence, Moment


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
