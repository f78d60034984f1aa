"""One deadline per question: how long all stages together may take, and who, if anybody, still waits for the answer."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from pitwall_runtime.errors import TooLateError

CALLER_PART: Final = 3 / 4
"""Of what all share, queue or memory, what one caller may have; the rest is for others."""


def caller_of(party: str) -> str:
    """The caller of a party; empty for nobody in particular."""
    return party.partition(".")[0]


def user_of(party: str) -> str:
    """The party where it is a single user's; empty for all others."""
    return party if party.partition(".")[2] else ""


class Deadline:
    """The moment by which a question must be answered. Shared by all threads that work on the question.

    `party` is whose question it is, a caller and, behind a dot, a user; empty where it is nobody's in particular.
    `preparing`: what it waits for is made of its video for the first time here, frames or embeddings.
    """

    def __init__(self, seconds: float = math.inf, party: str = "") -> None:
        self.seconds, self.party = seconds, party
        self.preparing = False
        self._ends = time.monotonic() + seconds
        self._given_up = threading.Event()
        self._guard = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def given_up(self) -> bool:
        """Whether the asker has left."""
        return self._given_up.is_set()

    def remaining(self) -> float:
        """Seconds that are left, never below 0; 0 once the asker has left; infinite without a limit."""
        return 0.0 if self.given_up else max(0.0, self._ends - time.monotonic())

    def within(self, limit_seconds: float) -> float:
        """What is left, or a stage's own limit where that is shorter."""
        return min(self.remaining(), limit_seconds)

    def check(self) -> None:
        """Raises TooLateError once the time is over or the asker has left; stages call it between two steps."""
        if self.given_up:
            raise TooLateError("the asker has left before the answer was ready; what is prepared so far is kept")
        if self.remaining() <= 0:
            raise TooLateError(
                f"the question was not answered within its {self.seconds:g} s; what is prepared so far is kept: "
                "ask again, or put the video into the queue with POST /v1/videos first"
            )

    def give_up(self) -> None:
        """The asker has left: whatever is under way for this question alone may stop."""
        with self._guard:
            self._given_up.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def when_given_up(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this (at once if it is too late already); the returned function withdraws it."""
        with self._guard:
            if not self._given_up.is_set():
                self._callbacks.append(callback)
                return lambda: self._withdraw(callback)
        callback()
        return lambda: None

    def _withdraw(self, callback: Callable[[], None]) -> None:
        with self._guard:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
