"""Messages of a log whose jobs are not due yet: held in memory, so that nobody writes them anew while nothing happens.

A log is committed up to a place, so whatever is held ahead of a place must go behind it before that is committed. What
a worker knows of a partition ends when that is taken from it: from then on its next owner, perhaps the same worker,
gets everything again that was not committed.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Generic, Protocol, TypeVar


class Placed(Protocol):
    """A message knows where it is."""

    def partition(self) -> int | None:
        """The number of its partition."""

    def offset(self) -> int | None:
        """Its place there."""


M = TypeVar("M", bound=Placed)


@dataclass(frozen=True, slots=True)
class HandedOut(Generic[M]):
    """A message in work, and how often its partition had been taken away by then."""

    message: M
    taken_away: int


@dataclass(slots=True)
class Partitions(Generic[M]):
    """Which messages in work still count: those whose partition was not taken away since."""

    _taken_away: Counter[int | None] = field(default_factory=Counter)
    _finished: set[tuple[int | None, int | None]] = field(default_factory=set)

    def hand_out(self, message: M) -> HandedOut[M]:
        """It goes to work."""
        return HandedOut(message, self._taken_away[message.partition()])

    def take_away(self, partitions: Iterable[int]) -> None:
        """What is in work of these does not count any more."""
        self._taken_away.update(partitions)

    def counts(self, handed: HandedOut[M]) -> bool:
        """Whether its place may be committed."""
        return self._taken_away[handed.message.partition()] == handed.taken_away

    def remember(self, message: M) -> None:
        """It is finished, and comes again if its partition comes back."""
        self._finished.add((message.partition(), message.offset()))

    def is_finished(self, message: M) -> bool:
        """Whether it was remembered; it is not any more."""
        place = (message.partition(), message.offset())
        was_there = place in self._finished
        self._finished.discard(place)
        return was_there


@dataclass(slots=True)
class HeldBack(Generic[M]):
    """Messages by when they are due, in epoch seconds."""

    _waiting: list[tuple[float, int, M]] = field(default_factory=list)
    _added: int = 0

    def add(self, message: M, due: float) -> None:
        """Hold one more."""
        self._added += 1
        heapq.heappush(self._waiting, (due, self._added, message))

    def next_due(self) -> float:
        """When the first is due; infinity if there is none."""
        return self._waiting[0][0] if self._waiting else inf

    def pop(self) -> M:
        """The first, which is held no more."""
        return heapq.heappop(self._waiting)[2]

    def ahead_of(self, message: M) -> list[tuple[M, float]]:
        """Those of its partition that lie before it, each with when it is due."""
        return [
            (one, due) for due, _, one in sorted(self._waiting, key=lambda held: held[1]) if _is_before(one, message)
        ]

    def drop_ahead_of(self, message: M) -> None:
        """Hold those no more: they have been written anew."""
        self._keep(held for held in self._waiting if not _is_before(held[2], message))

    def forget(self, partitions: Iterable[int]) -> None:
        """Hold nothing of these: somebody gets it again from the log."""
        theirs = set(partitions)
        self._keep(held for held in self._waiting if held[2].partition() not in theirs)

    def _keep(self, held: Iterable[tuple[float, int, M]]) -> None:
        self._waiting = list(held)
        heapq.heapify(self._waiting)


def _is_before(one: Placed, other: Placed) -> bool:
    return one.partition() == other.partition() and (one.offset() or 0) < (other.offset() or 0)
