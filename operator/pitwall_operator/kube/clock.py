"""Tells the time by the API server's clock, which all replicas share.

It is read from the dates of the server's answers and carried on by this process's monotonic clock. Objects' timestamps
and what every replica writes down are by that one clock, so a node whose own clock is set, or is wrong, neither ends a
stage early nor passes a deadline.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

log = logging.getLogger(__name__)

NOTABLE_SECONDS: Final = 30.0
"""A node's clock that is further away is worth a word: certificates and tokens are checked by it."""


@dataclass(slots=True)
class ClusterClock:
    """The API server's clock; this machine's own until the API server has answered once."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _least: float = field(default=0.0, init=False)
    _most: float = field(default=float("inf"), init=False)
    _is_wrong_here: bool = field(default=False, init=False)

    def __call__(self) -> float:
        """Epoch seconds."""
        if self._most == float("inf"):
            return self.wall()
        return self.steady() + (self._least + self._most) / 2

    def heard(self, date: str, asked: float) -> None:
        """An answer to what was asked at this steady time has just come, and bears this Date (whole seconds)."""
        try:
            said = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        least, most = said - self.steady(), said + 1.0 - asked
        if least <= self._most and most >= self._least:
            least, most = max(least, self._least), min(most, self._most)
        self._least, self._most = least, most
        self._compare()

    def _compare(self) -> None:
        """Say once that this machine's clock is wrong, and once that it is right again."""
        ahead = self.wall() - self()
        is_wrong = abs(ahead) > NOTABLE_SECONDS
        if is_wrong and not self._is_wrong_here:
            log.warning("this machine's clock is %+.0f s off the API server's, whose time is taken", ahead)
        elif self._is_wrong_here and not is_wrong:
            log.info("this machine's clock agrees with the API server's again")
        self._is_wrong_here = is_wrong
