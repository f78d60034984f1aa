"""Keeps the copies that wait for a shadow, and says whose turn it is: of what the workers have of time, and of the
places, no caller can keep the others from their part, and no user those of the same caller."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.values.answer import VariantAnswer
from pitwall_gateway.values.speaker import NOBODY, Party

REMEMBERED: Final = 1024
"""Callers, and users of each, of whom it is known what they had; whoever had a turn longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A question of a party for a shadow variant, and the series it counts on. `primary` is the answer to compare with,
    None if it may not be compared; `seconds` is how long its user's answer took."""

    series: ArmSeries
    body: bytes
    primary: VariantAnswer | None
    headers: Mapping[str, str] = field(default_factory=dict)
    party: Party = NOBODY
    seconds: float = 0.0


class Turns:
    """Who has had how much of the workers' time. Who begins to wait, or waits again, is level with whoever has had
    least: nobody saves up time, and nobody pays for what they took while nobody else wanted it."""

    def __init__(self) -> None:
        self._had: dict[str, float] = {}
        self._level = 0.0

    def had(self, name: str) -> float:
        """Seconds, comparable among those who wait."""
        return max(self._had.get(name, 0.0), self._level)

    def spend(self, name: str, seconds: float) -> None:
        """They had so much more."""
        had = self.had(name) + seconds
        self._had.pop(name, None)
        self._had[name] = had
        if len(self._had) > REMEMBERED:
            del self._had[next(iter(self._had))]

    def rise(self, waiting: Iterable[str]) -> None:
        """These wait. Whoever has had no more than the least of them is not told from who comes new."""
        self._level = max(self._level, min(self.had(name) for name in waiting))
        self._had = {name: seconds for name, seconds in self._had.items() if seconds > self._level}


class CopyQueue:
    """So many copies, each user's in the order in which they came."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: list[Copy] = []
        self._under_way = Counter[Party]()
        self._callers = Turns()
        self._users: dict[str, Turns] = {}

    def put(self, copy: Copy) -> Copy | None:
        """One more, and who is dropped for it where all places are taken: the newest of the user who has most, of the
        caller who has most. So one who has the queue alone has all of it, and of two each has half."""
        self._waiting.append(copy)
        self._users.setdefault(copy.party.caller, Turns())
        if len(self._waiting) <= self._places:
            return None
        of_callers = Counter(other.party.caller for other in self._waiting)
        of_users = Counter(other.party for other in self._waiting)
        latest_first = reversed(range(len(self._waiting)))

        def places(number: int) -> tuple[int, int]:
            party = self._waiting[number].party
            return of_callers[party.caller], of_users[party]

        return self._waiting.pop(max(latest_first, key=places))

    def take(self) -> Copy | None:
        """The next copy, which is under way from now on; None if everybody who waits has one under way.

        It is of the caller with the fewest under way, then with the least time; and of that caller's users of whoever
        has had the least. A user has one at a time.
        """
        ready = [copy for copy in self._waiting if not (copy.party.person and self._under_way[copy.party])]
        if not ready:
            return None
        at_work = Counter(party.caller for party in self._under_way.elements())

        def turn(copy: Copy) -> tuple[int, float, float]:
            caller, person = copy.party.caller, copy.party.person
            return at_work[caller], self._callers.had(caller), self._users[caller].had(person)

        copy = min(ready, key=turn)
        caller = copy.party.caller
        self._callers.rise(other.party.caller for other in ready)
        self._users[caller].rise(other.party.person for other in ready if other.party.caller == caller)
        self._waiting = [other for other in self._waiting if other is not copy]
        self._under_way[copy.party] += 1
        return copy

    def ended(self, copy: Copy, seconds: float) -> None:
        """It had a worker for so long."""
        caller, person = copy.party.caller, copy.party.person
        self._under_way -= Counter([copy.party])
        self._callers.spend(caller, seconds)
        self._users[caller].spend(person, seconds)
        if caller not in {party.caller for party in (*self._under_way, *(other.party for other in self._waiting))}:
            del self._users[caller]
