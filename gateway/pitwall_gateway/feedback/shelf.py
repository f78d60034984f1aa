"""Remembers in bounded memory, where what counts for nothing, and what one caller has too much of, is kept apart.

Pure: no clock, chance or I/O.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.values.speaker import Party

FEW: Final = 10
"""As many places any caller may have, however small its share: so many of its questions count at first."""

CallerShare = Callable[[str], float]
"""A caller in, the largest part of what counts that may be its own out; 1 is no limit."""


class Parts:
    """The places of what counts: a caller that has a share of it has no more than that share of them."""

    def __init__(self, capacity: int, caller_share: CallerShare) -> None:
        self._capacity = capacity
        self._caller_share = caller_share
        self._held: Counter[str] = Counter()
        self._total = 0

    def take(self, caller: str) -> bool:
        """One more place of this caller's part, if that is not full; whether there is one at all is for others to
        say."""
        share = self._caller_share(caller)
        if share < 1 and self._held[caller] >= max(FEW, int(share * self._capacity)):
            return False
        self._held[caller] += 1
        self._total += 1
        return True

    def give_back(self, caller: str) -> None:
        """A place of this caller is free again."""
        self._total -= 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]

    def __len__(self) -> int:
        """How many places are taken."""
        return self._total


class Remembered(Protocol):
    """What lies on a shelf: whose it is, what it counts on, and when it was last of use."""

    @property
    def series(self) -> ArmSeries: ...
    @property
    def party(self) -> Party: ...
    @property
    def last_at(self) -> float: ...


T = TypeVar("T", bound=Remembered)


class Shelf(Generic[T]):
    """Things by name, of which the latest stay: as many as it holds of what counts, and as many of all other."""

    def __init__(self, capacity: int, caller_share: CallerShare) -> None:
        self._capacity = capacity
        self._parts = Parts(capacity, caller_share)
        self._counting: OrderedDict[str, T] = OrderedDict()
        self._aside: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T | None:
        """What is known by this name."""
        return self._counting.get(name) or self._aside.get(name)

    def put(self, name: str, thing: T) -> None:
        """Remember it as the latest, in place of what had its name."""
        self._drop(name)
        if thing.series.run and self._parts.take(thing.party.caller):
            self._counting[name] = thing
            if len(self._counting) > self._capacity:
                self._drop(next(iter(self._counting)))
        else:
            self._aside[name] = thing
            if len(self._aside) > self._capacity:
                self._drop(next(iter(self._aside)))

    def touch(self, name: str) -> None:
        """It is the last to be forgotten."""
        for room in (self._counting, self._aside):
            if name in room:
                room.move_to_end(name)

    def forget(self, before: float) -> None:
        """Whatever was of no use since then goes."""
        for room in (self._counting, self._aside):
            while room and next(iter(room.values())).last_at < before:
                self._drop(next(iter(room)))

    def _drop(self, name: str) -> None:
        thing = self._counting.pop(name, None)
        if thing is not None:
            self._parts.give_back(thing.party.caller)
        self._aside.pop(name, None)
