"""Who has shown how much of what only some trials show: slow answers, large ones, cold ones, errors, bad words.

One user with a twentieth of the trials, all slow, is five in six of the slow ones where one in a hundred is slow. So
parties have a share of the trials beyond each edge too. That bounds means as well: E[X] is the integral of P(X > x).
Pure: no clock, chance or I/O.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Final

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES, SELECTION_EDGES, TOKEN_EDGES
from pitwall_crds.names import CacheResult, Outcome, Quantity
from pitwall_gateway.counting.tally import End
from pitwall_gateway.values.answer import VariantAnswer

REMEMBERED: Final = 4096
"""Parties of each kind of trial; who has shown nothing for longest is forgotten."""
FIRST: Final = 3
"""Beyond each edge, the trials of a party that always count."""
CLEARLY: Final = 4.0
"""Standard deviations: chance alone puts nobody beyond them, in whose place others would have to come first."""
STEP: Final = 2
"""Every second edge: a quarter more each, which is near enough."""

Shown = Mapping[str, float]
"""What one trial showed, by name; what happened or did not is 1 or 0."""

_HAPPENED: Final = (0.5,)
_WORSE: Final = "{} of a copy"
_BETTER: Final = "{} of the answer that was copied"
_TIMES_MORE: Final = tuple(edge for edge in RATIO_EDGES if edge > 1)
_EDGES: Final[Mapping[str, tuple[float, ...]]] = {
    Quantity.LATENCY: LATENCY_EDGES[::STEP],
    Quantity.SELECTION: SELECTION_EDGES[::STEP],
    Quantity.ENCODER: SELECTION_EDGES[::STEP],
    Quantity.TOKENS: TOKEN_EDGES[::STEP],
    **{name.format(what): _TIMES_MORE for name in (_WORSE, _BETTER) for what in (Quantity.LATENCY, Quantity.TOKENS)},
}


def of_end(end: End, seconds: float) -> Shown:
    """What a question showed when it ended, after so many seconds; nothing where nothing can be said."""
    if end in (End.REFUSED, End.UNMEASURED):
        return {}
    if end in (End.EXCUSED, End.KEPT):
        return {End.ABANDONED: 1.0}
    return {
        Quantity.LATENCY: seconds,
        Outcome.ERROR: float(end in (End.FELL_BACK, End.FAILED)),
        End.ABANDONED: float(end is End.ABANDONED),
    }


def of_answer(answer: VariantAnswer) -> Shown:
    """What the assigned variant's own answer tells of itself."""
    told = {
        Quantity.SELECTION: answer.selection_seconds,
        Quantity.ENCODER: answer.encoder_seconds,
        Quantity.TOKENS: answer.tokens,
        CacheResult.COLD: float(answer.cache == CacheResult.COLD),
    }
    return {name: value for name, value in told.items() if value is not None}


def of_pair(quantity: Quantity, ratio: float) -> Shown:
    """What a copy showed beside the answer that was copied, by how many times it is larger; either way alike."""
    return {_WORSE.format(quantity): ratio, _BETTER.format(quantity): 1 / ratio if ratio else inf}


@dataclass(slots=True)
class _Tail:
    """One party's trials: of each quantity how many passed so many edges."""

    passed: dict[str, dict[int, int]] = field(default_factory=dict)
    trials: int = 0
    open: int = 0


class Tails:
    """Of one kind of an arm's trials: how many lie beyond each edge, all and each party's."""

    __slots__ = ("_beyond", "_capacity", "_open", "_parties", "_trials")

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._beyond: dict[str, list[int]] = {}
        self._trials = self._open = 0
        self._capacity = capacity
        self._parties: OrderedDict[str, _Tail] = OrderedDict()

    def is_over(self, party: str, share: float, first: int) -> bool:
        """Whether one more trial of this party could give it more than its share beyond an edge, and clearly more than
        its part of all trials. An open one may yet lie beyond any. Of its first trials so many may as others' do."""
        known = self._parties.get(party)
        if known is None or known.trials + known.open < FIRST:
            return False
        if known.open >= max(FIRST, share + _no_more_than(self._open, share)):
            return True
        doubtful = min(known.open, FIRST)
        others = max(1, self._trials - known.trials)
        part = min(share, (known.trials + doubtful) / (self._trials + doubtful))
        for beyond, everybodys in self._beyond_of(known):
            count, there = beyond + doubtful, everybodys + doubtful
            if count >= FIRST and count + 1 > share * (there + 1):
                rate = (everybodys - beyond) / others
                if count >= max(first * rate, 1 + _no_more_than(there, part)):
                    return True
        return False

    def _beyond_of(self, known: _Tail) -> Iterator[tuple[int, int]]:
        """How many trials of a party lie beyond an edge, and of all: at each that one of its own passed as its last,
        since fewer of all lie beyond those than beyond others that as many of its own passed."""
        for name, passed in known.passed.items():
            mine = 0
            for last in sorted(passed, reverse=True):
                mine += passed[last]
                if last:
                    yield mine, self._beyond[name][last - 1]

    def opened(self, parties: Iterable[str]) -> None:
        """A trial of these parties begins: of a user, and of a caller."""
        self._open += 1
        for known in map(self._known, parties):
            known.open += 1

    def ended(self, parties: Sequence[str], shown: Shown) -> None:
        """It ended, and showed this."""
        self._open -= self._open > 0
        self._trials += 1
        for known in map(self._known, parties):
            known.open -= known.open > 0
            known.trials += 1
        self.showed(parties, shown)

    def showed(self, parties: Iterable[str], shown: Shown) -> None:
        """A trial that was counted showed this besides."""
        tails = [*map(self._known, parties)]
        for name, value in shown.items():
            edges = _EDGES.get(name, _HAPPENED)
            last, beyond = bisect_left(edges, value), self._beyond.setdefault(name, [0] * len(edges))
            for edge in range(last):
                beyond[edge] += 1
            for known in tails:
                passed = known.passed.setdefault(name, {})
                passed[last] = passed.get(last, 0) + 1

    def _known(self, party: str) -> _Tail:
        known = self._parties.get(party)
        if known is None:
            known = self._parties[party] = _Tail()
            if len(self._parties) > self._capacity:
                self._parties.popitem(last=False)
        self._parties.move_to_end(party)
        return known


def _no_more_than(number: int, part: float) -> float:
    """Of so many trials, how many a party with this part of them has at most, by chance."""
    return number * part + CLEARLY * sqrt(number * part * (1 - part))
