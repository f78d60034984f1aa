"""What most users of an arm show: its share or mean without the few users who differ most from it.

Whoever shows something else than all others, in as many trials as one user may have, makes shares and means vary so
much that a real difference between the arms is within it. So mean and variance are told once more without the few
users farthest from the mean, of each arm alike: in expectation, twins differ by nothing then, either. In the variance
they count as far off as the farthest who is left, as for a trimmed mean (Tukey & McLaughlin, Sankhya A 25, 1963; Yuen,
Biometrika 61, 1974). Pure: no clock, chance or I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Final

LOOKED_AT: Final = 128
"""Users among whom these few are looked for, those with most trials: of anybody else the residual is smaller."""
_ALWAYS: Final = 2
"""So many are left out, however few users there are, and one of a hundred besides."""
_AT_MOST: Final = LOOKED_AT // 4

User = tuple[float, float, float]
"""Their trials n, the sum y of what these show, and z of its squares."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Over users: Σn, Σy, Σz, Σn², Σy² and Σny."""

    trials: float
    total: float
    squares: float
    trials_squared: float
    total_squared: float
    both: float

    def without(self, users: Iterable[User]) -> "Sums":
        """Those of all others."""
        trials, total, squares, trials_squared, total_squared, both = (
            self.trials, self.total, self.squares, self.trials_squared, self.total_squared, self.both,
        )  # fmt: skip
        for n, y, z in users:
            trials, total, squares = trials - n, total - y, squares - z
            trials_squared, total_squared, both = trials_squared - n * n, total_squared - y * y, both - n * y
        return Sums(trials, total, squares, trials_squared, total_squared, both)

    def of_trials(self, mean: float) -> float:
        """Sum of the squares of what trials show, less the mean."""
        return max(0.0, self.squares - 2 * mean * self.total + mean * mean * self.trials)

    def residuals(self, mean: float) -> float:
        """Sum of the squares of y - mean · n."""
        return max(0.0, self.total_squared - 2 * mean * self.both + mean * mean * self.trials_squared)


@dataclass(frozen=True, slots=True)
class Most:
    """By how much the share or mean of most users, of so many trials, is larger than that of all; the standard error of
    theirs if trials were independent, and with users as the units."""

    trials: float
    shift: float
    of_trials: float
    of_users: float


def few(users: int) -> int:
    """How many of so many users are left out."""
    return _ALWAYS + min(users // 100, _AT_MOST - _ALWAYS)


def of_most(sums: Sums, asked_most: list[User], left_out: int) -> Most | None:
    """All but so many of those who asked most; None where hardly anybody is left."""
    if len(asked_most) <= 2 * left_out:
        return None
    mean = sums.total / sums.trials
    ranked = sorted(asked_most, key=lambda user: -abs(user[1] - mean * user[0]))
    left = sums.without(ranked[:left_out])
    if left.trials <= 0:
        return None
    value = left.total / left.trials
    farthest = max(abs(y - value * n) for n, y, _ in ranked[left_out:])
    of_users = left.residuals(value) + left_out * farthest**2
    return Most(left.trials, value - mean, *(sqrt(each) / left.trials for each in (left.of_trials(value), of_users)))
