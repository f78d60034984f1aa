"""What variants usually take, from which thresholds are frozen before a run: counted as what gates weigh.

One user with few but very slow questions would else set the edge beyond which a candidate's count as slow, or put it
where nothing is measured.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from pitwall_crds.edges import LATENCY_EDGES, SELECTION_EDGES
from pitwall_crds.names import Arm, Metric, TrialKind
from pitwall_gateway.counting.recent import RecentHistogram
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.users import rare_trials
from pitwall_gateway.counting.users.shares import EVEN, Shares
from pitwall_gateway.values.answer import VariantAnswer
from pitwall_gateway.values.speaker import Party

ENDED: Final = frozenset({End.ANSWERED, End.FELL_BACK})
"""Of which it is known how long its user waited for an answer."""


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """A question that is part of its variant's history, as soon as it is answered."""

    series: ArmSeries
    party: Party
    shared: ArmSeries


class History:
    """Histograms of the questions that users asked lately, in all runs and outside of them: what stable took weeks ago,
    with another answer server or colder caches, says nothing of what is slow now.

    A party has the same share of a variant's questions as of an arm's in a run, whatever arms and runs they are of, in
    each generation anew, so that nobody fills one by what others asked before;
    and a user twice an even one where users are fewer than four, too, so that one alone has all: it takes hundreds of
    answers before anything is looked for. As in a run, the variants of the last two are kept in mind; whose comes back
    has its share anew.
    """

    def __init__(
        self, shares: Shares, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shares = shares.anew(even=EVEN)
        self._latency = RecentHistogram(Metric.HISTORY_LATENCY, LATENCY_EDGES, clock)
        self._selection = RecentHistogram(Metric.HISTORY_SELECTION, SELECTION_EDGES, clock)
        registry.register(self._latency)
        registry.register(self._selection)

    def asked(self, series: ArmSeries, party: Party) -> PastQuestion | None:
        """A question was assigned; None where its party has its share of the variant's history already."""
        if not series.variant:
            return None
        shared = _shared(series, self._latency.generation(series.variant))
        if self._shares.take(shared, TrialKind.QUESTION, party) is not None:
            return None
        self._shares.opened(shared, TrialKind.QUESTION, party)
        return PastQuestion(series, party, shared)

    def closed(self, asked: PastQuestion | None, end: End, seconds: float) -> None:
        """It ended, after so many seconds."""
        if asked is None:
            return
        self._shares.ended(asked.shared, TrialKind.QUESTION, asked.party, rare_trials.of_end(end, seconds))
        if end in ENDED:
            self._latency.observe(asked.series.variant, asked.series.arm, seconds)

    def measured(self, asked: PastQuestion | None, answer: VariantAnswer) -> None:
        """The assigned variant's own answer, and what it tells of itself."""
        if asked is None:
            return
        self._shares.showed(asked.shared, TrialKind.QUESTION, asked.party, rare_trials.of_answer(answer))
        if answer.selection_seconds is not None:
            self._selection.observe(asked.series.variant, asked.series.arm, answer.selection_seconds)


def _shared(series: ArmSeries, generation: int) -> ArmSeries:
    """Under what shares of a variant's history are kept: as of one run of its own in each generation."""
    return ArmSeries(series.variant, Arm.STABLE, run=f"{series.variant} {generation}")
