"""What an arm's rate or mean varies by since users differ, as gateways measure it.

Trials of a user are alike, so n of them say as much as n / D independent ones; D is the design effect (Kish, Survey
Sampling, 1965, 8.2), the variance with users as independent units over that with trials.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class SpreadPart:
    """What one gateway says: of how many trials, their standard errors if they were independent and with users as
    units, and how many users with equally many trials would say as much. By how much the rate or mean is larger without
    the few users who differ most, and the standard errors of that of most users, with users as units and if trials were
    independent; None where nothing is said of it."""

    trials: int
    of_trials: float
    of_users: float
    users: float
    shift: float = 0.0
    of_most: float | None = None
    of_most_trials: float | None = None

    @property
    def tells_most(self) -> bool:
        """Whether it says what most users show."""
        return self.of_most is not None and self.of_most_trials is not None


@dataclass(frozen=True, slots=True)
class UserSpread:
    """One arm, from so many trials: the variance of one, the design effect, and the users with equally many trials that
    would say as much. Without a trial nothing is known. `shift` leads from all users to most of them, `most` is the
    design effect of these; 0 where nothing is known of them."""

    trials: int = 0
    variance: float = 0.0
    design: float = 1.0
    users: float = 0.0
    shift: float = 0.0
    most: float = 0.0

    @classmethod
    def pooled(cls, parts: Iterable[SpreadPart]) -> Self:
        """What several gateways say, each of which saw a part of every user's trials.

        Of two trials of a user both came to the same gateway with the chance Σw², where w are the gateways' parts of
        all: so much of what users differ by do they see, and of the pairs of trials that a user has.
        """
        known = [part for part in parts if part.trials and part.users and part.of_trials]
        trials = sum(part.trials for part in known)
        numbers, unseen = [part.trials for part in known], _unseen(known)
        squares = _squares(numbers, (part.of_trials for part in known))
        if not squares:  # errors so small are none that trials have
            return cls()
        # Whatever gateways say: all trials together say as much as one user's, or more, and no more than they are.
        of_users = _squares(numbers, (part.of_users for part in known))
        design = min(float(trials), 1 + max(0.0, unseen * (of_users / squares - 1)))
        pairs = sum(part.trials**2 / part.users - part.trials for part in known)
        users = min(float(trials), max(1.0, trials**2 / (trials + max(0.0, unseen * pairs))))
        return cls(trials, squares / trials, design, users, *_of_most([part for part in known if part.tells_most]))

    def design_of(self, trials: int) -> float:
        """The design effect of so many trials: with more, each user has more; of fewer it is at most this."""
        return 1 + (self.design - 1) * max(1.0, trials / self.trials)

    def of_most(self) -> "UserSpread":
        """That of most users; at least two are left out."""
        return replace(self, design=self.most, users=max(2.0, self.users - 2))

    def or_better(self, other: "UserSpread") -> "UserSpread":
        """The one from more trials: a gateway that begins anew has yet to see what users differ by."""
        return other if other.trials >= self.trials else self

    def to_state(self) -> list[Any]:
        """The numbers that carry it over a restart."""
        return [self.trials, *map(repr, (self.variance, self.design, self.users, self.shift, self.most))]

    @classmethod
    def from_state(cls, state: Iterable[Any]) -> Self:
        """The spread as `to_state` left it."""
        trials, *numbers = state
        return cls(trials, *map(float, numbers))


def _unseen(parts: Sequence[SpreadPart]) -> float:
    """1 / Σw², of their shares w of all trials."""
    return sum(part.trials for part in parts) ** 2 / max(1, sum(part.trials**2 for part in parts))


def _squares(trials: Iterable[int], errors: Iterable[float]) -> float:
    return sum((number * error) ** 2 for number, error in zip(trials, errors, strict=True))


def _of_most(parts: Sequence[SpreadPart]) -> tuple[float, float]:
    """Where most users' rate or mean lies from that of all, and their design effect over the variance of all trials.

    Leaving few users out leaves their trials out, too: what users differ by is what theirs vary by beyond that.
    """
    numbers = [part.trials for part in parts]
    trials = sum(numbers)
    if not (squares := _squares(numbers, (part.of_trials for part in parts))):
        return 0.0, 0.0
    theirs = _squares(numbers, (part.of_most_trials or 0.0 for part in parts))
    beyond = _squares(numbers, (part.of_most or 0.0 for part in parts)) - theirs
    design = max(1.0, (theirs + max(0.0, _unseen(parts) * beyond)) / squares)
    return sum(part.trials * part.shift for part in parts) / trials, min(float(trials), design)


UNKNOWN = UserSpread()


@dataclass(frozen=True, slots=True)
class ArmsSpread:
    """Both arms at one edge, or of one rate or mean."""

    control: UserSpread = UNKNOWN
    candidate: UserSpread = UNKNOWN

    @property
    def tells_most(self) -> bool:
        """Whether it is known of both arms what most users show."""
        return bool(self.control.most and self.candidate.most)

    @property
    def is_known(self) -> bool:
        """Whether gateways say anything of either arm."""
        return bool(self.control.trials or self.candidate.trials)

    def or_better(self, other: "ArmsSpread") -> "ArmsSpread":
        """Of each arm what is known from more trials."""
        return ArmsSpread(self.control.or_better(other.control), self.candidate.or_better(other.candidate))

    def filled(self) -> "ArmsSpread":
        """An arm of which nothing is known has users like the other's."""
        control, candidate = self.control, self.candidate
        return ArmsSpread(control if control.trials else candidate, candidate if candidate.trials else control)

    def to_state(self) -> dict[str, Any]:
        """The numbers that carry it over a restart."""
        return {"control": self.control.to_state(), "candidate": self.candidate.to_state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The spreads as `to_state` left them."""
        return cls(UserSpread.from_state(state["control"]), UserSpread.from_state(state["candidate"]))
