"""Who still asks: how many users did in this hour or the last, and how often each has.

Whoever left long ago has no part any more. Pure: no clock, chance or I/O.
"""

from typing import Final

HOUR_SECONDS: Final = 3600.0
REMEMBERED: Final = 2048
"""Users of an hour; of so many nobody asks how many more there are."""


class PresentUsers:
    """The users of this hour and of the last."""

    __slots__ = ("_began", "_capacity", "_last", "_now", "_still", "_totals")

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._began = float("-inf")
        self._now: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._still = 0  # of those of the last hour, who are here again
        self._totals = 0, 0  # questions of the last hour, and of this one

    def came(self, name: str, now: float) -> None:
        """This one asked, and it counted."""
        self._turn(now)
        last, this = self._totals
        self._totals = last, this + 1
        if name not in self._now:
            if len(self._now) >= self._capacity:
                return
            self._now[name] = 0
            self._still += name in self._last
        self._now[name] += 1

    def users(self, now: float) -> int:
        """How many asked in this hour or the last."""
        self._turn(now)
        return len(self._now) + len(self._last) - self._still

    def count(self, name: str, now: float) -> int:
        """How often this one did in this hour."""
        self._turn(now)
        return self._now.get(name, 0)

    def part(self, name: str, now: float) -> tuple[int, int]:
        """How often this one did in both hours, and how often all."""
        return self.count(name, now) + self._last.get(name, 0), sum(self._totals)

    def _turn(self, now: float) -> None:
        passed = now - self._began
        if passed < HOUR_SECONDS:
            return
        if passed < 2 * HOUR_SECONDS:
            self._last, self._totals, self._began = self._now, (self._totals[1], 0), self._began + HOUR_SECONDS
        else:
            self._last, self._totals, self._began = {}, (0, 0), now
        self._now, self._still = {}, 0
