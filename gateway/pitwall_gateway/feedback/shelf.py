"""Remembers in bounded memory, where what counts for nothing, and what one party has too much of, is kept apart.

Pure: no clock, chance or I/O.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.values.speaker import Party

FEW: Final = 10
"""As many places any party may have, however small its share: so many of its questions count at first."""


@dataclass(frozen=True, slots=True)
class PlaceRule:
    """The largest part of the places of what counts that may be a caller's, and a user's: as of what counts itself. 1
    is no limit."""

    caller: Callable[[str], float] = lambda _: 1.0
    user: float = 1.0


NO_LIMIT: Final = PlaceRule()


class Parts:
    """Who has how many of so many places: nobody more than their part."""

    def __init__(self, capacity: int, rule: PlaceRule) -> None:
        self._capacity = capacity
        self._rule = rule
        self._callers: Counter[str] = Counter()
        self._persons: Counter[str] = Counter()
        self._taken = 0

    def take(self, party: Party) -> bool:
        """One more place for this party, unless all are taken, or its part of them is."""
        user = self._rule.user if party.person else 1.0
        if self._taken >= self._capacity or not (
            self._within(self._callers[party.caller], self._rule.caller(party.caller))
            and self._within(self._persons[party.person], user)
        ):
            return False
        self._change(party, 1)
        return True

    def give_back(self, party: Party) -> None:
        """A place of this party is free again."""
        self._change(party, -1)

    def _within(self, held: int, share: float) -> bool:
        return share >= 1 or held < max(FEW, int(share * self._capacity))

    def _change(self, party: Party, places: int) -> None:
        self._taken += places
        for counter, name in ((self._callers, party.caller), (self._persons, party.person)):
            counter[name] += places
            if not counter[name]:
                del counter[name]


class Remembered(Protocol):
    """What lies on a shelf."""

    @property
    def series(self) -> ArmSeries:
        """What it counts on."""

    @property
    def party(self) -> Party:
        """Whose it is at the moment."""

    @property
    def last_at(self) -> float:
        """When it was last of use."""


T = TypeVar("T", bound=Remembered)


class Shelf(Generic[T]):
    """Things by name, of which the latest stay: as many as it holds of what counts; of all other as many as there is
    room for beside that, and a quarter as many in any case."""

    def __init__(self, capacity: int, rule: PlaceRule) -> None:
        self._capacity = capacity
        self._parts = Parts(capacity + 1, rule)  # one more, for as long as it takes to make room
        self._counting: OrderedDict[str, tuple[T, Party]] = OrderedDict()
        self._aside: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T | None:
        """What is known by this name."""
        counting = self._counting.get(name)
        return counting[0] if counting else self._aside.get(name)

    def put(self, name: str, thing: T) -> None:
        """Remember it as the latest, in place of what had its name."""
        self._drop(name)
        if thing.series.run and self._parts.take(thing.party):
            self._counting[name] = thing, thing.party
        else:
            self._aside[name] = thing
        if len(self._counting) > self._capacity:
            self._drop(next(iter(self._counting)))
        while len(self._aside) > max(self._capacity // 4, self._capacity - len(self._counting)):
            self._drop(next(iter(self._aside)))

    def touch(self, name: str) -> None:
        """It is the last to be forgotten."""
        for room in (self._counting, self._aside):
            if name in room:
                room.move_to_end(name)

    def forget(self, before: float) -> None:
        """Whatever was of no use since then goes."""
        while self._counting and next(iter(self._counting.values()))[0].last_at < before:
            self._drop(next(iter(self._counting)))
        while self._aside and next(iter(self._aside.values())).last_at < before:
            self._drop(next(iter(self._aside)))

    def _drop(self, name: str) -> None:
        counting = self._counting.pop(name, None)
        if counting is not None:
            self._parts.give_back(counting[1])
        self._aside.pop(name, None)
