"""Checks that the flag service behind a sync stream is alive, and gives the stream up if it does not answer."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

BEAT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 3.0
"""A service that hangs, or a network that drops packets, is noticed within the sum of the two."""


class Heartbeat:
    """Asks every BEAT_SECONDS while the context lasts. `answers` gets its time limit, and says whether an answer came.

    gRPC's own keepalive does not notice a stopped process in Python (found by tests/flags/provider/test_provider.py).
    """

    def __init__(self, answers: Callable[[float], bool], give_up: Callable[[], object]) -> None:
        self._answers = answers
        self._give_up = give_up
        self._ended = threading.Event()
        self.gave_up = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="pitwall-flags-heartbeat", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            if not self._answers(ANSWER_SECONDS) and not self._ended.is_set():
                self.gave_up = True
                self._give_up()
                return
