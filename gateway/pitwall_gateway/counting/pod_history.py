"""When a pod was asked and how long it took in, sums for the correlation of its neighboring batches out; pure.

A pod that stands still is asked little, since questions go to whoever has the fewest under way. So its silence counts
as well: until its next answer, whoever had asked would have waited at least as long.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add, mul, sub
from typing import Final

BATCH_SECONDS: Final = (2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120)
SEGMENT_SECONDS: Final = 360
"""Every batch length divides it. Sums are taken once of each segment."""
SEGMENTS: Final = 20
"""Two hours."""
UNSETTLED_SECONDS: Final = 60
"""A segment is summed so long after its end: until then its slow questions may be unanswered."""
LATEST: Final = SEGMENT_SECONDS - UNSETTLED_SECONDS
"""As much later at most: the ring has room for no more."""
KEPT_SEGMENTS: Final = 3
"""The one to be summed next, the one before it, whose last batch is a neighbor, and the present one."""
KEPT_SECONDS: Final = KEPT_SEGMENTS * SEGMENT_SECONDS
EMPTY: Final = array("L", bytes(array("L").itemsize * SEGMENT_SECONDS))

Sums = tuple[float, ...]
"""For each batch length the batches that hold questions, the neighbors that both do, and for each quantile: the shares
of slow questions, their squares, the two shares of neighbors added, and multiplied."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Six minutes of a pod."""

    number: int
    questions: int
    sums: Sums


class PodHistory:
    """Seconds of the present, sums of the past; times count from any fixed moment on."""

    def __init__(self, started: float, quantiles: int, late: float = 0.0) -> None:
        """`late`: from 0 to LATEST seconds by which its segments are summed up later, so that many pods take turns."""
        self._asked = array("L", bytes(array("L").itemsize * KEPT_SECONDS))
        self._missed = array("L", self._asked)
        self._slow = tuple(array("L", self._asked) for _ in range(quantiles))
        self._next = int(started) // SEGMENT_SECONDS
        self._due = (self._next + 1) * SEGMENT_SECONDS + UNSETTLED_SECONDS + late
        self._heard = started
        self._past: deque[Segment] = deque(maxlen=SEGMENTS)

    def answered(self, started: float, seconds: float, limits: Sequence[float]) -> None:
        """A question of this time took so long; longer than a limit is slow at that quantile. Slowness belongs to the
        time at which it was asked: what waits for the end of a stall is answered all at once."""
        ended = started + seconds
        if ended >= self._due:
            self.settle(ended)
        second = int(started)
        if second >= self._next * SEGMENT_SECONDS:
            place = second % KEPT_SECONDS
            self._asked[place] += 1
            for slow, limit in zip(self._slow, limits, strict=True):
                if seconds > limit:
                    slow[place] += 1
        silent_from = max(started, self._heard)
        self._heard = max(ended, self._heard)
        if ended - silent_from > limits[0]:
            self._was_silent(silent_from, ended, limits)

    def settle(self, now: float) -> None:
        """Sum up the segments whose questions are answered by now."""
        overdue = int((now - self._due) // SEGMENT_SECONDS) + 1
        for _ in range(min(overdue, KEPT_SEGMENTS)):
            if any(self._part(self._asked, self._next * SEGMENT_SECONDS, SEGMENT_SECONDS)):
                self._past.append(self._summed())
            self._next += 1
            place = (self._next + 1) * SEGMENT_SECONDS % KEPT_SECONDS
            for ring in (self._asked, self._missed, *self._slow):
                ring[place : place + SEGMENT_SECONDS] = EMPTY
        self._next += max(0, overdue - KEPT_SEGMENTS)
        self._due += max(0, overdue) * SEGMENT_SECONDS

    def since(self, number: int) -> list[Segment]:
        """The segments that are summed up, from this one on."""
        return [segment for segment in self._past if segment.number >= number]

    def _was_silent(self, begin: float, end: float, limits: Sequence[float]) -> None:
        """In each full second without an answer one question was not sent; it counts where it would have been slow."""
        first = max(int(begin) + 1, self._next * SEGMENT_SECONDS)
        for ring, limit in zip((self._missed, *self._slow), (limits[0], *limits), strict=True):
            for second in range(first, int(max(first, end - limit))):
                ring[second % KEPT_SECONDS] += 1

    def _summed(self) -> Segment:
        begin = self._next * SEGMENT_SECONDS
        sums: list[float] = []
        for seconds in BATCH_SECONDS:
            asked, missed, *slow_ones = (
                _batches(self._part(ring, begin - seconds, SEGMENT_SECONDS + seconds), seconds)
                for ring in (self._asked, self._missed, *self._slow)
            )
            numbers = list(map(add, asked, missed))
            holds = [number > 0 for number in numbers]
            sums += (sum(holds[1:]), sum(map(mul, holds, holds[1:])))
            for slow in slow_ones:
                sums += _moments([part / (number or 1) for part, number in zip(slow, numbers, strict=True)], holds)
        return Segment(self._next, sum(self._part(self._asked, begin, SEGMENT_SECONDS)), tuple(sums))

    @staticmethod
    def _part(ring: "array[int]", begin: int, length: int) -> Sequence[int]:
        place = begin % KEPT_SECONDS
        return (ring[place : place + length] + ring[: max(0, place + length - KEPT_SECONDS)]).tolist()


def _moments(shares: Sequence[float], holds: Sequence[bool]) -> tuple[float, ...]:
    """The first batch belongs to the segment before, and is only a neighbor."""
    own = shares[1:]
    both = sum(map(mul, shares, holds[1:])) + sum(map(mul, own, holds))
    return sum(own), sum(map(mul, own, own)), both, sum(map(mul, shares, own))


def _batches(counts: Sequence[int], seconds: int) -> list[int]:
    sums = list(accumulate(counts, initial=0))[::seconds]
    return list(map(sub, sums[1:], sums))
