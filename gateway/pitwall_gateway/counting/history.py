"""What variants usually take, from which thresholds are frozen before a run: counted as what gates weigh.

One user with few but very slow questions would else set the edge beyond which a candidate's count as slow, or put it
where nothing is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from pitwall_crds.edges import LATENCY_EDGES, SELECTION_EDGES
from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Arm, Label, Metric, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.users import tails
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


class History:
    """Histograms of all questions that users asked, in all runs and outside of them, for as long as the process lives.

    A party has the same share of a variant's questions as of an arm's in a run, whatever arms and runs they are of;
    and a user twice an even one where users are fewer than four, too, so that one alone has all: it takes hundreds of
    answers before anything is looked for. As in a run, the variants of the last two are kept in mind; whose comes back
    has its share anew.
    """

    def __init__(self, shares: Shares, registry: CollectorRegistry) -> None:
        self._shares = shares.anew(even=EVEN)

        def histogram(metric: Metric, edges: Sequence[float]) -> Histogram:
            labels = (Label.SAMPLER_VARIANT, Label.ARM)
            return Histogram(metric, SERIES[metric].about, labels, buckets=edges, registry=registry)

        self._latency = cache(histogram(Metric.HISTORY_LATENCY, LATENCY_EDGES).labels)
        self._selection = cache(histogram(Metric.HISTORY_SELECTION, SELECTION_EDGES).labels)

    def asked(self, series: ArmSeries, party: Party) -> PastQuestion | None:
        """A question was assigned; None where its party has its share of the variant's history already."""
        if not series.variant:
            return None
        shared = _shared(series)
        if self._shares.take(shared, TrialKind.QUESTION, party) is not None:
            return None
        self._shares.opened(shared, TrialKind.QUESTION, party)
        return PastQuestion(series, party)

    def closed(self, asked: PastQuestion | None, end: End, seconds: float) -> None:
        """It ended, after so many seconds."""
        if asked is None:
            return
        self._shares.ended(_shared(asked.series), TrialKind.QUESTION, asked.party, tails.of_end(end, seconds))
        if end in ENDED:
            self._latency(asked.series.variant, asked.series.arm).observe(seconds)

    def measured(self, asked: PastQuestion | None, answer: VariantAnswer) -> None:
        """The assigned variant's own answer, and what it tells of itself."""
        if asked is None:
            return
        self._shares.showed(_shared(asked.series), TrialKind.QUESTION, asked.party, tails.of_answer(answer))
        if answer.selection_seconds is not None:
            self._selection(asked.series.variant, asked.series.arm).observe(answer.selection_seconds)


def _shared(series: ArmSeries) -> ArmSeries:
    """Under what shares of a variant's history are kept: as of one run of its own."""
    return ArmSeries(series.variant, Arm.STABLE, run=series.variant)
