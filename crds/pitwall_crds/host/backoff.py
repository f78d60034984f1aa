"""Exponential back-off: how long to pause after failures in a row, doubling up to a limit."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

_MOST_DOUBLINGS: Final = 64
"""More would overflow a float in the end; no limit is so far away."""


class Dice(Protocol):
    """Where chance comes from: the module `random`, or a seeded `random.Random`."""

    def uniform(self, a: float, b: float, /) -> float:
        """A number between both."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts. `spread` is the range of a factor by chance, so that many do not come back at once.

    As an iterable: the pauses after the first, second, third … failure, without end.
    """

    first_seconds: float
    longest_seconds: float
    spread: tuple[float, float] = (1.0, 1.0)

    def seconds(self, failures: int, dice: Dice = random) -> float:
        """The pause after so many failures in a row; none counts as one."""
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        return min(self.first_seconds * 2.0**doublings, self.longest_seconds) * dice.uniform(*self.spread)

    def keeps_waiting(self, left_seconds: float) -> bool:
        """Whether a pause with so much left goes on. By a clock that was set back more seems left than any pause has:
        such a one is over."""
        return 0 < left_seconds <= self.longest_seconds * max(self.spread) + 1

    def __iter__(self) -> Iterator[float]:
        return map(self.seconds, itertools.count(1))
