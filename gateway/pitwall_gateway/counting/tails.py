"""Who has shown how much of what only some trials show: slow answers, large ones, cold ones, errors, bad words.

One user with a twentieth of the trials, all slow, is five in six of the slow ones where one in a hundred is slow. So
parties have a share of the trials beyond each edge too. That bounds means as well: E[X] is the integral of P(X > x).
Pure: no clock, chance or I/O.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Final

from pitwall_crds.names import LATENCY_EDGES, SELECTION_EDGES, TOKEN_EDGES, CacheResult, Outcome, Quantity
from pitwall_gateway.counting.spread import Spread
from pitwall_gateway.counting.tally import End
from pitwall_gateway.values.answer import VariantAnswer

REMEMBERED: Final = 4096
"""Parties of each kind of trial; who has shown nothing for longest is forgotten."""
FIRST: Final = 3
"""Beyond each edge, the trials of a party that always count."""
CLEARLY: Final = 3.0
"""Standard deviations: chance alone puts nobody beyond them, in whose place others would have to come first."""
STEP: Final = 2
"""Every second edge: a quarter more each, which is near enough."""

Shown = Mapping[str, float]
"""What one trial showed, by name; what happened or did not is 1 or 0."""

_HAPPENED: Final = (0.5,)
_EDGES: Final[Mapping[str, tuple[float, ...]]] = {
    Quantity.LATENCY: LATENCY_EDGES[::STEP],
    Quantity.SELECTION: SELECTION_EDGES[::STEP],
    Quantity.ENCODER: SELECTION_EDGES[::STEP],
    Quantity.TOKENS: TOKEN_EDGES[::STEP],
}


def of_end(end: End, seconds: float) -> Shown:
    """What a question showed when it ended, after so many seconds; nothing where nothing can be said."""
    if end in (End.REFUSED, End.UNMEASURED):
        return {}
    return {Quantity.LATENCY: seconds, Outcome.ERROR: float(end in (End.FELL_BACK, End.FAILED))}


def of_answer(answer: VariantAnswer) -> Shown:
    """What the assigned variant's own answer tells of itself."""
    told = {
        Quantity.SELECTION: answer.selection_seconds,
        Quantity.ENCODER: answer.encoder_seconds,
        Quantity.TOKENS: answer.tokens,
        CacheResult.COLD: float(answer.cache == CacheResult.COLD),
    }
    return {name: value for name, value in told.items() if value is not None}


@dataclass(slots=True)
class _Tail:
    spreads: dict[str, Spread] = field(default_factory=dict)
    trials: int = 0
    open: int = 0

    def add(self, shown: Shown) -> None:
        for name, value in shown.items():
            spread = self.spreads.get(name)
            if spread is None:
                spread = self.spreads[name] = Spread(_EDGES.get(name, _HAPPENED))
            spread.ended(spread.passed(value))

    def beyond(self) -> Iterator[tuple[str, list[int]]]:
        for name, spread in self.spreads.items():
            yield name, spread.beyond()


class Tails:
    """Of one kind of an arm's trials: how many lie beyond each edge, all and each party's."""

    __slots__ = ("_all", "_capacity", "_parties")

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._all = _Tail()
        self._capacity = capacity
        self._parties: OrderedDict[str, _Tail] = OrderedDict()

    def is_over(self, party: str, share: float, first: int) -> bool:
        """Whether one more trial of this party could give it more than its share beyond an edge, and clearly more of
        its trials than of others' lie there. An open one may yet lie beyond any. Of its first trials so many may as
        others' do."""
        known = self._parties.get(party)
        if known is None or known.trials + known.open < FIRST:
            return False
        if known.open >= max(FIRST, share * (self._all.open + 1)):
            return True
        doubtful = min(known.open, FIRST)
        others, mine = max(1, self._all.trials - known.trials), known.trials + doubtful + 1
        for name, theirs in known.beyond():
            for beyond, of_all in zip(theirs, self._all.spreads[name].beyond(), strict=True):
                count = beyond + doubtful
                if beyond and count >= FIRST and count + 1 > share * (of_all + 1):
                    rate = (of_all - beyond) / others
                    if count >= max(first * rate, mine * rate + CLEARLY * sqrt(mine * rate) + 1):
                        return True
        return False

    def opened(self, parties: Iterable[str]) -> None:
        """A trial of these parties begins: of a user, and of a caller."""
        for known in (self._all, *map(self._known, parties)):
            known.open += 1

    def ended(self, parties: Iterable[str], shown: Shown) -> None:
        """It ended, and showed this."""
        for known in (self._all, *map(self._known, parties)):
            known.open -= known.open > 0
            known.trials += 1
            known.add(shown)

    def showed(self, parties: Iterable[str], shown: Shown) -> None:
        """A trial that was counted showed this besides."""
        for known in (self._all, *map(self._known, parties)):
            known.add(shown)

    def _known(self, party: str) -> _Tail:
        known = self._parties.get(party)
        if known is None:
            known = self._parties[party] = _Tail()
            if len(self._parties) > self._capacity:
                self._parties.popitem(last=False)
        self._parties.move_to_end(party)
        return known
