"""Trials and whose they are in; what a share or mean of an arm varies by, since users differ, out.

An arm is drawn once for each user. So what is drawn are users, each with all trials of theirs, and trials of one user
say less than as many of others. The share of trials beyond an edge is a ratio of two sums over users; its variance is
that of the users' residuals (the linearized ratio estimator: Cochran, Sampling Techniques, 1977, 6.4 and 9A; Liang &
Zeger, Biometrika 73, 1986). Sums are kept up with each trial, so that nobody is waited for at a scrape. Pure: no clock,
chance or I/O.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import accumulate
from math import sqrt
from typing import Final

from pitwall_crds.edges import LATENCY_EDGES, SELECTION_EDGES
from pitwall_crds.names import CacheResult, Outcome, Quantity
from pitwall_gateway.counting.users.most import LOOKED_AT, Most, Sums, User, few, of_most

REMEMBERED: Final = 8192
"""Users of an arm. Whoever was forgotten and comes again is taken for another: where that many take part, what they
differ by is within a percent or two of what all have in common."""
FEW: Final = 10
"""Nothing is said of a share before so many trials lie beyond the edge, and so many within."""

_EDGES: Final[Mapping[str, tuple[float, ...]]] = {Quantity.LATENCY: LATENCY_EDGES, Quantity.SELECTION: SELECTION_EDGES}
"""Of other quantities gates weigh the mean alone."""
OFTEN: Final = 3
"""So many failures, and half of all, are hardly chance; of one whom nothing but failures befall no more count."""
_HAPPENS: Final = frozenset({Outcome.ERROR, CacheResult.COLD})
"""What a trial shows or does not, 1 or 0."""


@dataclass(frozen=True, slots=True)
class StandardError:
    """Of the share beyond an edge, or of the mean where there is no edge: if trials were independent, and as users
    are. Of how many trials. What most users show, where there are some besides those few who are left out."""

    edge: float | None
    trials: int
    of_trials: float
    of_users: float
    most: Most | None = None


@dataclass(slots=True)
class _User:
    """One user's trials of one quantity: their number, how many lie beyond each edge, the sums of their values and of
    these squared."""

    trials: int = 0
    beyond: list[int] = field(default_factory=list)
    total: float = 0.0
    squares: float = 0.0

    @property
    def mostly(self) -> bool:
        """Whether what happens or does not has happened often, and in half of the trials."""
        return self.total >= max(OFTEN, self.trials / 2)

    def sums(self, edge: int | None) -> User:
        """How many trials, and the sums of their values, or how many lie beyond the edge of this number."""
        if edge is None:
            return self.trials, self.total, self.squares
        beyond = self.beyond[edge] if edge < len(self.beyond) else 0
        return self.trials, beyond, beyond


class _Quantity:
    """Sums over users of one quantity: Σn² and, beyond each edge, Σk² and Σnk; the same of the values. And the largest
    k of any one user, which never falls: nor does what all others have, since a trial adds one to k or to theirs."""

    __slots__ = (
        "_asked_most", "_asked_most_until", "_both", "_edges", "_last", "_most", "_of_one", "_own", "_shown",
        "_squares", "_total", "_total_of_one", "_trial_squares", "_trials", "_users", "_value_both", "_value_own",
    )  # fmt: skip

    def __init__(self, edges: tuple[float, ...], capacity: int) -> None:
        self._edges, self._users = edges, _Recent(capacity)
        self._last = [0] * (len(edges) + 1)
        self._own, self._both, self._of_one = [0] * len(edges), [0] * len(edges), [0] * len(edges)
        self._trials = self._squares = self._asked_most_until = self._shown = 0
        self._asked_most: list[_User] = []
        self._most: dict[int | None, Most | None] = {}
        self._total = self._trial_squares = self._value_own = self._value_both = self._total_of_one = 0.0

    def add(self, person: str, value: float) -> None:
        """One more trial of this person; without one it is a user's of its own."""
        known = self._users.get(person) if person else _User()
        before, was, self._trials = known.trials, known.mostly, self._trials + 1
        known.trials += 1
        self._squares += 2 * before + 1
        self._add_value(known, before, value)
        if person:
            self._total_of_one = max(self._total_of_one, known.total)
            self._shown += known.mostly - was
        if not self._edges:
            return
        last, beyond = bisect_left(self._edges, value), known.beyond
        self._last[last] += 1
        if len(beyond) < last:
            beyond.extend([0] * (last - len(beyond)))
        own, both, of_one = self._own, self._both, self._of_one
        for edge, count in enumerate(beyond):
            if edge < last:
                own[edge] += 2 * count + 1
                both[edge] += count + before + 1
                beyond[edge] = count + 1
                if count >= of_one[edge] and person:
                    of_one[edge] = count + 1
            else:
                both[edge] += count

    def _add_value(self, known: _User, before: int, value: float) -> None:
        self._total += value
        self._trial_squares += value * value
        self._value_own += value * (2 * known.total + value)
        self._value_both += known.total + (before + 1) * value
        known.total += value
        known.squares += value * value

    @property
    def users(self) -> float:
        """So many users with equally many trials would say as much (Kish, Survey Sampling, 1965, 11.7)."""
        return self._trials**2 / self._squares if self._squares else 0.0

    def errors(self) -> Iterator[StandardError]:
        """Of the mean, and of the share beyond each edge on both sides of which there are some."""
        if self._trials < 2 * FEW:
            return
        yield self._error(None, self._sums(self._total, self._trial_squares, self._value_own, self._value_both))
        within = accumulate(self._last)
        for edge, (inside, own, both) in enumerate(zip(within, self._own, self._both, strict=False)):
            beyond = self._trials - inside
            if min(inside, beyond) >= FEW:
                yield self._error(edge, self._sums(beyond, beyond, own, both))

    def served(self) -> tuple[int, int]:
        """To how many users it mostly happens, and to how many it does not."""
        return self._shown, len(self._users) - self._shown

    def of_one(self) -> Iterator[tuple[float | None, int]]:
        """Beyond each edge, or of what happens or does not, so many trials are one user's: whoever has most of them."""
        if not self._edges:
            yield None, round(self._total_of_one)
        yield from zip(self._edges, self._of_one, strict=True)

    def _sums(self, total: float, squares: float, own: float, both: float) -> Sums:
        return Sums(self._trials, total, squares, self._squares, own, both)

    def _error(self, edge: int | None, sums: Sums) -> StandardError:
        mean = sums.total / sums.trials
        of_trials = max(0.0, sums.squares - mean * sums.total)
        at = None if edge is None else self._edges[edge]
        of_trials, of_users = (sqrt(each) / self._trials for each in (of_trials, sums.residuals(mean)))
        return StandardError(at, self._trials, of_trials, of_users, self._of_most(edge, sums))

    def _of_most(self, edge: int | None, sums: Sums) -> Most | None:
        """What most users show. It takes long, so it is told again until there are some more trials."""
        if self._trials >= self._asked_most_until:
            self._asked_most = self._users.who_asked_most(LOOKED_AT)
            self._asked_most_until = self._trials + self._trials // 64 + 1
            self._most.clear()
        if edge not in self._most:
            self._most[edge] = self._computed(edge, sums)
        return self._most[edge]

    def _computed(self, edge: int | None, sums: Sums) -> Most | None:
        """Of an edge only while enough of their trials lie on both its sides."""
        users = [user.sums(edge) for user in self._asked_most]
        most = of_most(sums, users, few(len(self._users)))
        if most is None or edge is None:
            return most
        share = sums.total / sums.trials + most.shift
        return most if min(share, 1 - share) * most.trials >= FEW else None


class _Recent:
    """The users who came last."""

    __slots__ = ("_capacity", "_users")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._users: OrderedDict[str, _User] = OrderedDict()

    def __len__(self) -> int:
        return len(self._users)

    def who_asked_most(self, number: int) -> list[_User]:
        """Those with most trials, among all who are remembered."""
        return nlargest(number, self._users.values(), key=lambda user: user.trials)

    def get(self, person: str) -> _User:
        """What is known of this one."""
        known = self._users.get(person)
        if known is None:
            known = self._users[person] = _User()
            if len(self._users) > self._capacity:
                self._users.popitem(last=False)
        self._users.move_to_end(person)
        return known


class Clusters:
    """Of an arm's trials: what each quantity varies by."""

    __slots__ = ("_capacity", "_quantities")

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._quantities: dict[str, _Quantity] = {}

    def showed(self, person: str, shown: Mapping[str, float]) -> None:
        """A trial of this person, who may be unknown, showed this."""
        for name, value in shown.items():
            sums = self._quantities.get(name)
            if sums is None:
                sums = self._quantities[name] = _Quantity(_EDGES.get(name, ()), self._capacity)
            sums.add(person, value)

    def users(self) -> Iterator[tuple[str, float]]:
        """By quantity: so many users with equally many trials would say as much."""
        for name, sums in tuple(self._quantities.items()):
            yield name, sums.users

    def served(self) -> tuple[int, int]:
        """How many users are mostly failed, and how many are not."""
        sums = self._quantities.get(Outcome.ERROR)
        return sums.served() if sums else (0, 0)

    def of_one(self) -> Iterator[tuple[str, float | None, int]]:
        """By quantity and edge: the trials beyond it, or that failed or were cold, of the one user with most of them;
        where there are any."""
        for name, sums in tuple(self._quantities.items()):
            if name in _EDGES or name in _HAPPENS:
                yield from ((name, edge, trials) for edge, trials in sums.of_one() if trials)

    def errors(self) -> Iterator[tuple[str, StandardError]]:
        """By quantity: the standard errors of the mean and of the share beyond each edge."""
        for name, sums in tuple(self._quantities.items()):
            yield from ((name, error) for error in sums.errors())
