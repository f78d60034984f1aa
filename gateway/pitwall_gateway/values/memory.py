"""When questions of a variant were asked and how long they took in, how long slowness lasts out; pure.

The rule of batch means: cut the history into batches; the shortest length at which the shares of slow questions in
neighboring batches are no longer correlated is the system's memory. "Slow" is tried at three quantiles, and the
longest answer holds.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from operator import mul, sub
from typing import Final

from pitwall_crds.names import LATENCY_EDGES

BATCH_SECONDS: Final = (2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120)
QUANTILES: Final = (0.5, 0.9, 0.99)
HISTORY_SECONDS: Final = 7200
UNSETTLED_SECONDS: Final = 60
"""The last minute is left out: its slow questions are not answered yet."""
CORRELATION: Final = 0.1
"""Neighboring batches correlated less than this, plus the estimate's standard error, count as independent."""
BATCHES: Final = 60
"""A length is judged by at least so many batches that hold questions."""
KNOWN_BATCHES: Final = 30
KNOWN_SECONDS: Final = 30
KNOWN_QUESTIONS: Final = 12
"""Nothing is said before so many batches of so many seconds hold so many questions each."""
LEARNING: Final = 200
"""Questions from which the first quantiles are learned."""
LEARN_EVERY: Final = 64
FORGET_AT: Final = 20_000
"""So many questions in, the older ones weigh half: the quantiles follow the traffic."""


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """How long slowness lasts, and how much history says so; both in seconds."""

    memory_seconds: int
    history_seconds: int


class MemoryEstimator:
    """Two hours of seconds in a ring: how many questions were asked in each, and how many of those were slow."""

    def __init__(self) -> None:
        self._asked = array("L", bytes(array("L").itemsize * HISTORY_SECONDS))
        self._slow = tuple(array("L", self._asked) for _ in QUANTILES)
        self._first: int | None = None
        self._last = -1
        self._lasted = [0] * (len(LATENCY_EDGES) + 1)
        self._learned = 0
        self._thresholds: tuple[int, ...] = ()

    def answered(self, started: float, seconds: float) -> None:
        """A question asked at this time took so many seconds. Slowness belongs to the time at which it was asked: what
        waits for the end of a stall is answered all at once."""
        passed = bisect_left(LATENCY_EDGES, seconds)
        self._learn(passed)
        second = int(started)
        if not self._thresholds or (self._first is not None and second <= self._last - HISTORY_SECONDS):
            return
        if second != self._last:
            self._advance(second)
        place = second % HISTORY_SECONDS
        self._asked[place] += 1
        for slow, threshold in zip(self._slow, self._thresholds, strict=True):
            if passed > threshold:
                slow[place] += 1

    def estimate(self, now: float) -> MemoryEstimate | None:
        """The memory, or None while the history does not tell."""
        if self._first is None:
            return None
        self._advance(int(now))
        begin = max(self._first, self._last - HISTORY_SECONDS + 1)
        end = max(begin, self._last - UNSETTLED_SECONDS)
        asked = self._window(self._asked, begin, end)
        full = sum(number >= KNOWN_QUESTIONS for number in _batches(asked, KNOWN_SECONDS))
        if full < KNOWN_BATCHES:
            return None
        memory = BATCH_SECONDS[0]
        for slow in self._slow:
            memory = _uncorrelated(asked, self._window(slow, begin, end), memory)
        return MemoryEstimate(memory, end - begin)

    def _learn(self, passed: int) -> None:
        self._lasted[passed] += 1
        self._learned += 1
        if self._learned >= FORGET_AT:
            self._lasted = [number // 2 for number in self._lasted]
            self._learned = sum(self._lasted)
        if self._learned >= LEARNING and (self._learned % LEARN_EVERY == 0 or not self._thresholds):
            sums = list(accumulate(self._lasted))
            self._thresholds = tuple(
                next(edge for edge, number in enumerate(sums) if number >= quantile * sums[-1])
                for quantile in QUANTILES
            )

    def _advance(self, second: int) -> None:
        """Make this second part of the ring; what falls out is forgotten."""
        if self._first is None:
            self._first, self._last = second, second
        for passing in range(max(self._last + 1, second - HISTORY_SECONDS + 1), second + 1):
            place = passing % HISTORY_SECONDS
            self._asked[place] = 0
            for slow in self._slow:
                slow[place] = 0
        self._first = min(self._first, second) if second > self._last - HISTORY_SECONDS else self._first
        self._last = max(self._last, second)

    @staticmethod
    def _window(ring: "array[int]", begin: int, end: int) -> list[int]:
        place = begin % HISTORY_SECONDS
        return (ring[place:] + ring[:place])[: end - begin].tolist()


def _uncorrelated(asked: Sequence[int], slow: Sequence[int], shortest: int) -> int:
    """The first batch length, from the shortest on, at which the slow questions of neighbors do not agree."""
    questions, slow_ones = sum(asked), sum(slow)
    if not slow_ones:
        return shortest
    share = slow_ones / questions
    all_sums, slow_sums = list(accumulate(asked, initial=0)), list(accumulate(slow, initial=0))
    for seconds in BATCH_SECONDS[BATCH_SECONDS.index(shortest) :]:
        numbers, bad = _differences(all_sums[::seconds]), _differences(slow_sums[::seconds])
        holding = len(numbers) - numbers.count(0)
        if holding >= BATCHES and _correlation(numbers, bad, share) < CORRELATION + 1 / sqrt(holding):
            return seconds
    return BATCH_SECONDS[-1]


def _correlation(numbers: Sequence[int], bad: Sequence[int], share: float) -> float:
    """Lag-1 autocorrelation of the slow questions that batches hold beyond their usual share."""
    excess = [slow - share * number for slow, number in zip(bad, numbers, strict=True)]
    variance: float = sum(map(mul, excess, excess))
    covariance: float = sum(map(mul, excess, excess[1:]))
    return covariance / (variance or 1.0)


def _batches(counts: Sequence[int], seconds: int) -> list[int]:
    return _differences(list(accumulate(counts, initial=0))[::seconds])


def _differences(sums: Sequence[int]) -> list[int]:
    return list(map(sub, sums[1:], sums))
