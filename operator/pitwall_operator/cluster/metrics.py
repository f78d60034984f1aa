"""Exports the metrics of the operator in a cluster, computed when they are scraped."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Label, Metric
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.kube.namespace_claims import CLUSTER, EVERYWHERE, NAMESPACE
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.truths import truths

TURN_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True, eq=False)
class StatusGauges(Collector):
    """The newest status of every rollout that this replica decided on. Only what is true is shown."""

    known: dict[Key, RolloutStatus] = field(default_factory=dict)

    def show(self, rollout: Rollout, status: RolloutStatus) -> None:
        """Keep a status."""
        self.known[(rollout.metadata.namespace, rollout.metadata.name)] = status

    def forget(self, key: Key) -> None:
        """The rollout is gone."""
        self.known.pop(key, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of all rollouts."""
        whose = (Label.ROLLOUT_NAMESPACE, Label.ROLLOUT)
        weight = GaugeMetricFamily(
            Metric.ROLLOUT_WEIGHT, "Share of the traffic", labels=(*whose, Label.ARM, Label.SAMPLER_VARIANT)
        )
        verdict = GaugeMetricFamily(Metric.ROLLOUT_VERDICT, "1 for the current verdict", labels=(*whose, Label.VERDICT))
        phase = GaugeMetricFamily(Metric.ROLLOUT_PHASE, "1 for the current phase", labels=(*whose, Label.PHASE))
        condition = GaugeMetricFamily(
            Metric.ROLLOUT_CONDITION, SERIES[Metric.ROLLOUT_CONDITION].about, labels=(*whose, Label.CONDITION)
        )
        processes = (*whose, Label.GATE, Label.PROCESS)
        evidence = GaugeMetricFamily(Metric.GATE_LOG_E, "Evidence, natural logarithm", labels=processes)
        threshold = GaugeMetricFamily(Metric.GATE_THRESHOLD, "From here on it is proof", labels=processes)
        for key, status in list(self.known.items()):
            verdict.add_metric((*key, status.verdict), 1)
            phase.add_metric((*key, status.phase), 1)
            for name, value in truths(status).items():
                condition.add_metric((*key, name), value)
            for share in status.weights:
                weight.add_metric((*key, share.arm, share.variant), share.weight_basis_points)
            for gate in status.gates if status.candidate_variant else ():
                for process in gate.evidence:
                    evidence.add_metric((*key, gate.name, process.name), float(process.log_e))
                    threshold.add_metric((*key, gate.name, process.name), float(process.log_threshold))
        yield from (weight, verdict, phase, condition, evidence, threshold)


class OperatorMetrics:
    """What the operator tells of itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.statuses = StatusGauges()
        self.registry.register(self.statuses)
        ProcessCollector(registry=self.registry)
        self._calls = Counter(
            "pitwall_operator_api_calls", "Calls to the API server and the flag service", ("verb", "resource"),
            registry=self.registry,
        )  # fmt: skip
        self._turns = Histogram(
            "pitwall_operator_turn_seconds", "One rollout's turn", ("outcome",), buckets=TURN_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._queue = Gauge("pitwall_operator_queue_length", "Rollouts known to the queue", registry=self.registry)
        self._held_back = Gauge(
            "pitwall_operator_held_back", "Namespaces that other operators have; 1 for the whole cluster", ("scope",),
            registry=self.registry,
        )  # fmt: skip
        self._leader = Gauge("pitwall_operator_leader", "1 while this replica takes turns", registry=self.registry)

    def count(self, verb: str, resource: str) -> None:
        """One more call."""
        self._calls.labels(verb, resource).inc()

    def turn(self, seconds: float, outcome: str) -> None:
        """One turn was taken."""
        self._turns.labels(outcome).observe(seconds)

    def waiting(self, count: int) -> None:
        """So many rollouts are known to the queue."""
        self._queue.set(count)

    def held_back(self, places: Collection[str]) -> None:
        """What this operator keeps out of, since others have it; the whole cluster is EVERYWHERE."""
        self._held_back.labels(CLUSTER).set(EVERYWHERE in places)
        self._held_back.labels(NAMESPACE).set(len(set(places) - {EVERYWHERE}))

    def leads(self, leading: bool) -> None:
        """Whether this replica takes turns; one that does not knows nothing new of any rollout, and says nothing."""
        if not leading:
            self.statuses.known.clear()
        self._leader.set(leading)
