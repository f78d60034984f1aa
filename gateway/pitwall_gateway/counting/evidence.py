"""What gates weigh, counted by run: questions, answers and labels in, Prometheus series out."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from prometheus_client.registry import Collector

from pitwall_crds.names import Outcome, Quantity, Signal
from pitwall_gateway.counting.exposition import Families, counter_families, expose
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End, RunTally, Waiting
from pitwall_gateway.values.answer import VariantAnswer

RUNS: Final = 2
"""The present run, and the last one for labels that come late."""
SERIES_PER_RUN: Final = 32
"""More than a split can name; whoever rewrites one split's variants for ever is no longer counted."""


class EvidenceCounters(Collector):
    """The series of the present run and the last. Questions without a run are nobody's evidence.

    A question of a third run drops the oldest run; what comes for a dropped run is ignored. One thread counts; another
    may scrape.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._runs: OrderedDict[str, dict[ArmSeries, RunTally]] = OrderedDict()

    def opened(self, series: ArmSeries, started: float | None = None) -> Waiting:
        """A user's question was assigned; its split is the present one."""
        return self._waiting(self._begun(series, present=True), started)

    def copied(self, series: ArmSeries) -> Waiting:
        """A copy goes to a shadow. Copies come late, so they never push the present run out."""
        return self._waiting(self._begun(series, present=False), None)

    def closed(self, waiting: Waiting, end: End, seconds: float) -> None:
        """The question ended, after so many seconds."""
        if waiting.tally is not None:
            waiting.tally.close(waiting, end, seconds)

    def measured(self, series: ArmSeries, answer: VariantAnswer) -> None:
        """The assigned variant's own answer, and what it tells of itself."""
        if tally := self._known(series):
            tally.measure(answer)

    def quality(self, series: ArmSeries, signal: Signal, unit: str, outcome: Outcome) -> None:
        """One quality trial got its label."""
        if tally := self._known(series):
            key = (signal, unit, outcome)
            tally.quality[key] = tally.quality.get(key, 0) + 1

    def pair(self, series: ArmSeries, outcome: Outcome) -> None:
        """A copy of an answered question was answered too, or was not."""
        if tally := self._known(series):
            tally.pairs[outcome] = tally.pairs.get(outcome, 0) + 1

    def ratio(self, series: ArmSeries, quantity: Quantity, ratio: float) -> None:
        """Both values of a pair are known."""
        if tally := self._known(series):
            tally.ratio(quantity, ratio)

    def collect(self) -> Families:
        """Every series, with the open questions' ages at this moment."""
        now = self._clock()
        series = [item for tallies in tuple(self._runs.values()) for item in tuple(tallies.items())]
        return expose(series, now)

    def describe(self) -> Families:
        """The metrics' names, without series."""
        return list(counter_families().values())

    def _waiting(self, tally: RunTally | None, started: float | None) -> Waiting:
        waiting = Waiting(tally, self._clock() if started is None else started)
        if tally is not None:
            tally.waiting.add(waiting)
        return waiting

    def _known(self, series: ArmSeries) -> RunTally | None:
        """The series' counts, if its run is still kept."""
        tallies = self._runs.get(series.run)
        return None if tallies is None else self._tally(tallies, series)

    def _begun(self, series: ArmSeries, *, present: bool) -> RunTally | None:
        """The series' counts; an unknown run begins at zero."""
        if not series.run:
            return None
        tallies = self._runs.get(series.run)
        if tallies is None:
            tallies = self._runs[series.run] = {}
            if len(self._runs) > RUNS:
                del self._runs[next(iter(self._runs))]
            if not present:
                self._runs.move_to_end(series.run, last=False)
        elif present:
            self._runs.move_to_end(series.run)
        return self._tally(tallies, series)

    @staticmethod
    def _tally(tallies: dict[ArmSeries, RunTally], series: ArmSeries) -> RunTally | None:
        tally = tallies.get(series)
        if tally is None and len(tallies) < SERIES_PER_RUN:
            tally = tallies[series] = RunTally()
        return tally
