"""The gateway's Prometheus metrics."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES
from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Label, Metric, Outcome, Quantity, Signal, TrialKind, opinion_kind
from pitwall_gateway.counting.evidence import EvidenceCounters
from pitwall_gateway.counting.exposition import in_text, written
from pitwall_gateway.counting.gauges.callers import CallersGauge
from pitwall_gateway.counting.gauges.clusters import ClustersGauge, OneUserCounter, ServedGauge
from pitwall_gateway.counting.gauges.memory import MemoryGauges
from pitwall_gateway.counting.gauges.silence import SilenceGauge, SilenceSeconds
from pitwall_gateway.counting.history import History
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End, Waiting
from pitwall_gateway.counting.users import rare_trials
from pitwall_gateway.counting.users.shares import Excess, ShareRule, Shares
from pitwall_gateway.values.answer import VariantAnswer
from pitwall_gateway.values.speaker import NOBODY, Party

log = logging.getLogger(__name__)
VARIANT_ARM = (Label.SAMPLER_VARIANT, Label.ARM)


class GatewayTelemetry:
    """The gateway's metrics in a registry of their own. Children are looked up once per label set.

    `evidence` is what gates weigh, by run, and `history` what their thresholds are frozen from; everything else is for
    people, for as long as the process lives.
    """

    def __init__(self, silence: SilenceSeconds = dict, shares: Shares | None = None) -> None:
        """`silence` tells of each arm how long ago its pods last said nothing, not even no."""
        self._shares = shares or Shares(ShareRule(), lambda _: 1.0)
        self._newcomers = self._shares.of_callers()
        self._told: set[tuple[str, Excess]] = set()
        self._registry = CollectorRegistry()
        self.evidence = EvidenceCounters()
        self.memory = MemoryGauges()
        self.history = History(self._shares, self._registry)
        self._registry.register(self.memory)
        self._registry.register(SilenceGauge(silence))
        for told in (CallersGauge, ClustersGauge, OneUserCounter, ServedGauge):
            self._registry.register(told(self._shares))
        counter, ratio = self._counter, partial(self._histogram, edges=RATIO_EDGES)
        self._latency = self._histogram(Metric.QUERY_LATENCY, "Seconds from question to answer", LATENCY_EDGES)
        self._queries = counter(Metric.QUERIES, "Questions, by whether the assigned variant answered", Label.OUTCOME)
        self._refusals = counter(Metric.REFUSALS, "Questions refused as the caller's fault, by status", Label.REASON)
        self._quality = counter(Metric.QUALITY, "Quality trials", Label.SIGNAL, Label.UNIT, Label.OUTCOME)
        self._fallbacks = counter(Metric.FALLBACKS, SERIES[Metric.FALLBACKS].about, Label.REASON)
        self._substitutes = counter(Metric.SUBSTITUTES, SERIES[Metric.SUBSTITUTES].about, Label.OUTCOME)
        labels = (*VARIANT_ARM, Label.SPLIT)
        self._users = Counter(
            Metric.USERS, "Users at their first question under a split", labels, registry=self._registry
        )
        self._split = ""
        self._latency_ratio = ratio(Metric.SHADOW_LATENCY_RATIO, "Shadow latency / primary latency, same question")
        self._tokens_ratio = ratio(Metric.SHADOW_TOKENS_RATIO, "Shadow tokens / primary tokens, same question")
        self._pairs = counter(Metric.SHADOW_PAIRS, "Shadow copies of answered questions", Label.OUTCOME)
        self._dropped = counter(Metric.SHADOW_DROPPED, "Shadow copies not sent because the queue was full")
        self._capped = counter(Metric.CAPPED_TRIALS, SERIES[Metric.CAPPED_TRIALS].about, Label.REASON)
        about = SERIES[Metric.LABEL_WINDOW]
        self._windows = Gauge(Metric.LABEL_WINDOW, about.about, about.labels, registry=self._registry)

    def label_window(self, unit: str, seconds: float) -> None:
        """Labels of this unit may arrive for so long after an answer."""
        self._windows.labels(unit).set(seconds)

    def met(self, series: ArmSeries, split: str, party: Party = NOBODY) -> bool:
        """A user was assigned for the first time under this split; those of the split before are history. Of a caller
        with a share no more than that counts: who knows arms could name users of one alone. Whether this one did."""
        if self._newcomers.take(series, TrialKind.QUESTION, Party(party.caller)) is not None:
            return False
        if split != self._split:
            self._users.clear()
            self._split = split
        self._users.labels(series.variant, series.arm, split).inc()
        return True

    def weighed(self, series: ArmSeries, kind: str, party: Party) -> ArmSeries:
        """The series of one more trial of this party; without a run, and so nobody's evidence, where the party has its
        share already."""
        excess = self._shares.take(series, kind, party)
        if excess is None:
            if kind == TrialKind.QUESTION:
                self._shares.opened(series, kind, party)
            return series
        self._tell(series, kind, party, excess)
        return replace(series, run="")

    def still_weighed(self, series: ArmSeries, kind: str, party: Party) -> bool:
        """Whether a trial that counted when it came counts yet, after what its party's other ones have shown since."""
        excess = self._shares.since_taken(series, kind, party)
        if excess is not None:
            self._tell(series, kind, party, excess)
        return excess is None

    def _tell(self, series: ArmSeries, kind: str, party: Party, excess: Excess) -> None:
        """Count a trial that does not count, and log whose the first one is."""
        self._capped(series.variant, series.arm, excess).inc()
        if (series.run, excess) not in self._told:
            self._told = {told for told in self._told if told[0] == series.run} | {(series.run, excess)}
            who = party.person if excess is Excess.USER else party.caller
            log.warning(
                "%r has its share of what counts of %s as %s (%s): more of it does not, until others have more",
                who,
                series.variant,
                series.arm,
                kind,
            )

    def closed(
        self, waiting: Waiting, series: ArmSeries, kind: TrialKind, party: Party, end: End, seconds: float
    ) -> None:
        """A question or copy of this party ended, after so many seconds."""
        self.evidence.closed(waiting, end, seconds)
        self._shares.ended(series, kind, party, rare_trials.of_end(end, seconds))

    def measured(self, series: ArmSeries, kind: TrialKind, party: Party, answer: VariantAnswer) -> None:
        """The assigned variant's own answer, and what it tells of itself."""
        self.evidence.measured(series, answer)
        self._shares.showed(series, kind, party, rare_trials.of_answer(answer))

    def answered(self, series: ArmSeries, seconds: float) -> None:
        """The assigned variant answered after this many seconds."""
        self._queries(series.variant, series.arm, Outcome.OK).inc()
        self._latency(series.variant, series.arm).observe(seconds)

    def failed(self, series: ArmSeries) -> None:
        """The assigned variant did not answer."""
        self._queries(series.variant, series.arm, Outcome.ERROR).inc()

    def fell_back(self, series: ArmSeries, reason: str, seconds: float) -> None:
        """Another one answered for the assigned variant: an error, and a latency, of the assigned variant."""
        self.failed(series)
        self._fallbacks(series.variant, series.arm, reason).inc()
        self._latency(series.variant, series.arm).observe(seconds)

    def substituted(self, series: ArmSeries, *, answered: bool) -> None:
        """This variant, a candidate, was to answer a question of this arm that stable's pods could not."""
        self._substitutes(series.variant, series.arm, Outcome.OK if answered else Outcome.ERROR).inc()

    def refused(self, series: ArmSeries | None, status: int) -> None:
        """The question itself was at fault; nobody's error. Without a series it was refused before the assignment."""
        variant, arm = (series.variant, str(series.arm)) if series else ("", "")
        self._refusals(variant, arm, str(status)).inc()

    def quality(self, series: ArmSeries, signal: Signal, unit: str, outcome: Outcome, party: Party = NOBODY) -> None:
        """One quality trial of this party got its label."""
        self._quality(series.variant, series.arm, signal, unit, outcome).inc()
        kind = opinion_kind(signal, unit)
        counted = self.weighed(series, kind, party)
        self._shares.ended(counted, kind, party, {outcome: 1.0})
        self.evidence.quality(counted, signal, unit, outcome)

    def shadow_pair(self, series: ArmSeries, outcome: Outcome) -> None:
        """A copy of an answered question was answered too, or was not."""
        self._pairs(series.variant, series.arm, outcome).inc()
        self.evidence.pair(series, outcome)

    def shadow_latency_ratio(self, series: ArmSeries, ratio: float, party: Party = NOBODY) -> None:
        """Shadow's seconds divided by the primary's, of a copy of this party's question."""
        self._latency_ratio(series.variant, series.arm).observe(ratio)
        self._ratio(series, Quantity.LATENCY, ratio, party)

    def shadow_tokens_ratio(self, series: ArmSeries, ratio: float, party: Party = NOBODY) -> None:
        """Shadow's tokens divided by the primary's, of a copy of this party's question."""
        self._tokens_ratio(series.variant, series.arm).observe(ratio)
        self._ratio(series, Quantity.TOKENS, ratio, party)

    def _ratio(self, series: ArmSeries, quantity: Quantity, ratio: float, party: Party) -> None:
        self.evidence.ratio(series, quantity, ratio)
        self._shares.showed(series, TrialKind.COPY, party, rare_trials.of_pair(quantity, ratio))

    def shadow_dropped(self, series: ArmSeries) -> None:
        """A copy found the queue full."""
        self._dropped(series.variant, series.arm).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format, with what the flags and the process say of themselves."""
        return in_text(self._registry) + written(self.evidence.collect()) + generate_latest(REGISTRY)

    def _counter(self, name: Metric, words: str, *labels: Label) -> Callable[..., Counter]:
        return cache(Counter(name, words, (*VARIANT_ARM, *labels), registry=self._registry).labels)

    def _histogram(self, name: Metric, words: str, edges: Sequence[float]) -> Callable[..., Histogram]:
        return cache(Histogram(name, words, VARIANT_ARM, buckets=edges, registry=self._registry).labels)
