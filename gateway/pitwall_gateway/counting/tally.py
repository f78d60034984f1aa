"""What is counted of one arm's questions in one run."""

from dataclasses import dataclass, field
from enum import StrEnum

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES, SELECTION_EDGES
from pitwall_crds.names import CacheResult, Outcome, Quantity, Signal
from pitwall_gateway.counting.spread import Spread
from pitwall_gateway.values.answer import VariantAnswer


class End(StrEnum):
    """How a question ended for its user."""

    ANSWERED = "answered"
    FELL_BACK = "fell back"
    FAILED = "failed"
    REFUSED = "refused"
    UNMEASURED = "unmeasured"
    ABANDONED = "abandoned"
    EXCUSED = "excused"
    """The assigned variant says that the video was at fault, or not prepared yet, more often than that counts nowhere;
    stable answered."""
    KEPT = "kept"
    """A circuit kept it from the assigned variant, which has failed its party since whenever it was tried; stable
    answered."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A question without an answer yet. `shown` is how many edges it had passed when it was last scraped."""

    tally: "RunTally | None"
    started: float
    shown: int = 0


@dataclass(slots=True)
class Mean:
    """A sum, and of how many."""

    total: float = 0.0
    number: int = 0


@dataclass(slots=True, eq=False)
class RunTally:
    """The counts of one series. Nothing in it ever falls."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: {Outcome.OK: 0, Outcome.ERROR: 0})
    waiting: set[Waiting] = field(default_factory=set)
    latency: Spread = field(default_factory=lambda: Spread(LATENCY_EDGES))
    abandoned: Spread = field(default_factory=lambda: Spread(LATENCY_EDGES))
    excused: int = 0
    selection: Spread = field(default_factory=lambda: Spread(SELECTION_EDGES))
    values: dict[Quantity, Mean] = field(default_factory=dict)
    caches: dict[CacheResult, int] = field(default_factory=dict)
    quality: dict[tuple[Signal, str, Outcome], int] = field(default_factory=dict)
    pairs: dict[Outcome, int] = field(default_factory=dict)
    ratios: dict[Quantity, Spread] = field(default_factory=dict)

    def close(self, waiting: Waiting, end: End, seconds: float) -> None:
        """The question ended after so many seconds.

        Whoever got no answer is known to have waited so long, and no more. It is counted apart after what wait callers
        left, since nobody leaves an answer that was quick. A question that is refused, or of which nothing can be said,
        is nobody's trial: only what a scrape has shown of it stays, because counters do not fall. So it is with one
        that its variant excuses, or that a circuit keeps from it, but that counts as one that was left as soon: it is
        no error, and proves nothing.
        """
        self.waiting.discard(waiting)
        passed = max(self.latency.passed(seconds), waiting.shown)
        match end:
            case End.ANSWERED | End.FELL_BACK:
                self.latency.ended(passed)
            case End.FAILED | End.ABANDONED:
                self.latency.gave_up(passed)
            case End.REFUSED | End.UNMEASURED | End.EXCUSED | End.KEPT:
                self.latency.gave_up(waiting.shown)
        if end in (End.ABANDONED, End.EXCUSED, End.KEPT):
            self.abandoned.ended(passed if end is End.ABANDONED else waiting.shown)
        self.excused += end is End.EXCUSED
        if end is End.ANSWERED:
            self.outcomes[Outcome.OK] += 1
        elif end in (End.FELL_BACK, End.FAILED):
            self.outcomes[Outcome.ERROR] += 1

    def measure(self, answer: VariantAnswer) -> None:
        """What the answer tells of itself; what it does not tell is not counted."""
        self._value(Quantity.TOKENS, answer.tokens)
        self._value(Quantity.ENCODER, answer.encoder_seconds)
        self._value(Quantity.SELECTION, answer.selection_seconds)
        if answer.selection_seconds is not None:
            self.selection.ended(self.selection.passed(answer.selection_seconds))
        if answer.cache in (CacheResult.COLD, CacheResult.WARM):
            result = CacheResult(answer.cache)
            self.caches[result] = self.caches.get(result, 0) + 1

    def ratio(self, quantity: Quantity, ratio: float) -> None:
        """One pair's shadow value divided by the primary's."""
        spread = self.ratios.get(quantity)
        if spread is None:
            spread = self.ratios[quantity] = Spread(RATIO_EDGES)
        spread.ended(spread.passed(ratio))

    def under_way(self, now: float) -> list[int]:
        """How many edges each open question has passed; from now on they stay passed."""
        for waiting in tuple(self.waiting):
            waiting.shown = self.latency.passed(now - waiting.started)
        return [waiting.shown for waiting in tuple(self.waiting)]

    def _value(self, quantity: Quantity, value: float | None) -> None:
        if value is None:
            return
        mean = self.values.get(quantity)
        if mean is None:
            mean = self.values[quantity] = Mean()
        mean.total += value
        mean.number += 1
