"""Keeps any one user or caller from having more than a share of what gates weigh.

A trial counts while its party has no more than the share of all that counted, and of those that showed what few show,
or not yet a few. Whether it does depends on who, when and what was before, never on what it will show itself. Pure but
for its clock: no chance or I/O.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import nlargest
from math import inf
from operator import itemgetter
from typing import Final

from pitwall_crds.names import Arm, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.users.clusters import Clusters
from pitwall_gateway.counting.users.present import HOUR_SECONDS, PresentUsers
from pitwall_gateway.counting.users.rare_trials import Shown, Tails
from pitwall_gateway.values.speaker import Party

RUNS: Final = 2
USER_SHARE: Final = 0.05
"""Unless a gateway is told otherwise."""
EVEN: Final = 2.0
"""So many times an even part of an arm's questions may be a user's. Of fewer users than shares nobody's questions would
count any more after the first ones, so a variant that turns bad an hour later would never be seen."""
FEWEST: Final = 4
"""Of fewer users nobody has more than the first questions in an hour: one alone must not speak for all, and what turns
bad later must be seen."""
KINDS_PER_RUN: Final = 256
"""More arms and kinds than a split has; whoever rewrites one split's variants for ever is no longer counted."""
REMEMBERED: Final = 2048
"""Parties remembered per kind of trial. Whoever has more than a 2048th of all is among them (Misra and Gries 1982)."""


_BEGINNING: Final = (TrialKind.QUESTION, TrialKind.COPY)


class Excess(StrEnum):
    """Whose share is used up; values of the label `reason`."""

    USER = "user"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class ShareRule:
    """The largest part of an arm's trials of one kind, of all and of those beyond any edge, that may be one user's, and
    how many always count. 1 is no limit.

    Attributes:
        user: the part; callers have theirs in their own limits.
        even: so many times an even part of questions, one of all users who still ask, may be a user's where that is
            more.
        fewest: from so many users on; of fewer, the first questions of each hour count.
        first_questions: questions and copies of a user, or of a caller with a share, that always count.
        first_labels: labels of each signal of theirs that always count.
    """

    user: float = 1.0
    even: float = 0.0
    fewest: int = 1
    first_questions: int = 10
    first_labels: int = 3


class Frequent:
    """How often each of many came, for those who came often: at most a `capacity`th of all too low."""

    __slots__ = ("_capacity", "_counts")

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._counts: dict[str, int] = {}

    def count(self, name: str) -> int:
        """How often this one came."""
        return self._counts.get(name, 0)

    def most(self, number: int) -> list[tuple[str, int]]:
        """Who came most often, and how often."""
        return nlargest(number, self._counts.items(), key=itemgetter(1))

    def add(self, name: str) -> None:
        """This one came once more."""
        if name in self._counts or len(self._counts) < self._capacity:
            self._counts[name] = self._counts.get(name, 0) + 1
        else:
            self._counts = {known: count - 1 for known, count in self._counts.items() if count > 1}


@dataclass(slots=True)
class _Kind:
    total: int = 0
    callers: Frequent = field(default_factory=Frequent)
    persons: Frequent = field(default_factory=Frequent)
    asking: PresentUsers = field(default_factory=PresentUsers)
    tails: Tails = field(default_factory=Tails)
    tails_end: float = -inf
    most_users: int = 1
    clusters: Clusters = field(default_factory=Clusters)


class Shares:
    """Who has how much of each kind of trial, by arm and run; of the present run and the last."""

    def __init__(
        self, rule: ShareRule, caller_share: Callable[[str], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rule, self._clock = rule, clock
        self._caller_share = caller_share
        self._runs: OrderedDict[str, dict[tuple[ArmSeries, str], _Kind]] = OrderedDict()

    def of_callers(self) -> "Shares":
        """The same shares of callers, with nothing counted yet; users have none."""
        return Shares(replace(self._rule, user=1.0), self._caller_share, self._clock)

    def anew(self, *, even: float = 0.0) -> "Shares":
        """The same shares, with nothing counted yet, or for users so many times an even part, however few they are."""
        return Shares(replace(self._rule, even=even, fewest=1), self._caller_share, self._clock)

    def take(self, series: ArmSeries, kind: str, party: Party) -> Excess | None:
        """Count one more trial of this party, or say whose share is used up."""
        if not series.run:
            return None
        known = self._kind(series, kind)
        if known is None:
            return None
        now = self._clock()
        if excess := self._excess(known, kind, party, now):
            return excess
        known.total += 1
        known.callers.add(party.caller)
        if party.person:
            known.persons.add(party.person)
            known.asking.came(party.person, now)
        return None

    def _excess(self, known: _Kind, kind: str, party: Party, now: float) -> Excess | None:
        """Whose share is used up. Of few users what they showed in an hour is forgotten with it."""
        first = self._rule.first_questions if kind in _BEGINNING else self._rule.first_labels
        asking = max(1, known.asking.users(now))
        known.most_users = max(known.most_users, asking)
        if kind == TrialKind.QUESTION and asking < self._rule.fewest and now >= known.tails_end:
            known.tails, known.tails_end = Tails(), now + HOUR_SECONDS
        # Of a history, which goes on for as long as the process, nobody who asks alone for an hour has all.
        number = known.most_users if self._rule.fewest == 1 else asking
        if party.person and self._has_its_part(known, kind, party.person, number, now):
            return Excess.USER
        users = self._users_share(known, kind, number)
        # A caller that has a share may invent users: at first it counts as one.
        if self._is_over(known.callers.count(party.caller), known.total, self._caller_share(party.caller), first):
            return Excess.CALLER
        return self._beyond_edges(known, party, users, first)

    def _beyond_edges(self, known: _Kind, party: Party, users: float, first: int) -> Excess | None:
        """Whose share of what few trials show is used up."""
        for reason, name, share in self._shareholders(party, users):
            if known.tails.is_over(f"{reason} {name}", share, first):
                return reason
        return None

    def since_taken(self, series: ArmSeries, kind: str, party: Party) -> Excess | None:
        """Whose share of what few trials show is used up by now: of a trial that was counted and has waited since,
        while others of its party ended."""
        known = self._known(series, kind)
        return self._beyond_edges(known, party, self._rule.user, self._rule.first_questions) if known else None

    def opened(self, series: ArmSeries, kind: str, party: Party) -> None:
        """A trial that counts begins, and will end."""
        if known := self._known(series, kind):
            known.tails.opened(self._names(party))

    def ended(self, series: ArmSeries, kind: str, party: Party, shown: Shown) -> None:
        """A trial that counts ended, and showed this."""
        if known := self._known(series, kind):
            known.tails.ended(self._names(party), shown)
            if _is_compared(series, kind):
                known.clusters.showed(party.name or party.person, shown)

    def showed(self, series: ArmSeries, kind: str, party: Party, shown: Shown) -> None:
        """A trial that counts showed this besides."""
        if known := self._known(series, kind):
            known.tails.showed(self._names(party), shown)
            if _is_compared(series, kind):
                known.clusters.showed(party.name or party.person, shown)

    def callers(self, number: int) -> Iterator[tuple[ArmSeries, str, dict[str, int]]]:
        """Whose trials count, of each arm, run and kind: of so many callers with most of them in all arms together, and
        under an empty name of all others. Who is told of one arm is told of all."""
        for kinds in self._runs.values():
            for wanted in {kind for _, kind in kinds}:
                arms = {series: known for (series, kind), known in kinds.items() if kind == wanted}
                named = self._most(arms.values(), number)
                for series, known in arms.items():
                    told = {name: known.callers.count(name) for name in named}
                    yield series, wanted, {**told, "": known.total - sum(told.values())}

    def clusters(self) -> Iterator[tuple[ArmSeries, Clusters]]:
        """What the questions of both arms of each run show, by whose they are."""
        for kinds in tuple(self._runs.values()):
            for (series, kind), known in tuple(kinds.items()):
                if _is_compared(series, kind):
                    yield series, known.clusters

    def _known(self, series: ArmSeries, kind: str) -> _Kind | None:
        """Where it is counted what these trials show; nowhere for a run that is over, or none."""
        return self._runs.get(series.run, {}).get((series, kind))

    def _users_share(self, known: _Kind, kind: str, users: int) -> float:
        """The largest part of these trials that may be one user's. Opinions are few, and no witness is asked of how
        much users differ in them, so there few users have no more. Nor have those who come first: whoever asks much
        would be half of all before the others ask, and could fail an objective alone."""
        has_begun = self._rule.fewest == 1 or known.total >= self._rule.first_questions / 2 * users
        are_few = kind == TrialKind.QUESTION and users >= self._rule.fewest and has_begun
        return min(1.0, max(self._rule.user, self._rule.even / users if are_few else 0.0))

    def _has_its_part(self, known: _Kind, kind: str, person: str, users: int, now: float) -> bool:
        """Whether no more of this user's trials count, of so many users. An even part is one of two hours' questions:
        else one who asks at night, beside few, could have as much of it as all others by day."""
        first = self._rule.first_questions if kind in _BEGINNING else self._rule.first_labels
        if kind == TrialKind.QUESTION and users < self._rule.fewest:
            return self._rule.user < 1 and known.asking.count(person, now) >= first
        if self._rule.fewest == 1:
            share = self._users_share(known, kind, users)
            return self._is_over(known.persons.count(person), known.total, share, first)
        if not self._is_over(known.persons.count(person), known.total, self._rule.user, first):
            return False
        count, total = known.asking.part(person, now)
        has_begun, part = total >= first / 2 * users, self._rule.even / users
        if kind != TrialKind.QUESTION or part <= self._rule.user:
            return True
        return count >= first / 2 and (not has_begun or count + 1 > part * (total + 1))

    def _shareholders(self, party: Party, users: float) -> Iterator[tuple[Excess, str, float]]:
        """Who of a party has a share, and which."""
        if party.person and users < 1:
            yield Excess.USER, party.person, users
        if (share := self._caller_share(party.caller)) < 1:
            yield Excess.CALLER, party.caller, share

    def _names(self, party: Party) -> list[str]:
        """Whose trials are remembered: a caller's in any case, since its share may change while they are open."""
        user = [f"{Excess.USER} {party.person}"] if party.person and self._rule.user < 1 else []
        return [*user, f"{Excess.CALLER} {party.caller}"]

    @staticmethod
    def _most(arms: Iterable[_Kind], number: int) -> list[str]:
        together = Counter[str]()
        for known in arms:
            together.update(dict(known.callers.most(number)))
        return [name for name, _ in together.most_common(number) if name]

    @staticmethod
    def _is_over(count: int, total: int, share: float, first: int) -> bool:
        return share < 1 and count >= first and count + 1 > share * (total + 1)

    def _kind(self, series: ArmSeries, kind: str) -> _Kind | None:
        """What is known of these trials; None for a label of a run that is over, which `EvidenceCounters` ignores. As
        there, only a question makes its run the present one: nothing that comes late pushes that out."""
        kinds = self._runs.get(series.run)
        if kinds is None:
            if kind not in _BEGINNING and len(self._runs) >= RUNS:
                return None
            kinds = self._runs[series.run] = {}
            if len(self._runs) > RUNS:
                self._runs.popitem(last=False)
            if kind != TrialKind.QUESTION:
                self._runs.move_to_end(series.run, last=False)
        elif kind == TrialKind.QUESTION:
            self._runs.move_to_end(series.run)
        if (series, kind) not in kinds and len(kinds) >= KINDS_PER_RUN:
            return None
        return kinds.setdefault((series, kind), _Kind())


def _is_compared(series: ArmSeries, kind: str) -> bool:
    """Whether these are trials of which one user has many, on an arm that is drawn by user."""
    return kind == TrialKind.QUESTION and series.arm in (Arm.CANDIDATE, Arm.CONTROL)
