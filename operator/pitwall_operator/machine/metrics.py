"""Exports the metrics of the operator in the embedded mode."""

from prometheus_client import CollectorRegistry, Gauge, make_asgi_app

from pitwall_crds.host.http.server import ThreadServer
from pitwall_crds.host.sockets import listen
from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Label, Metric
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Phase, RolloutStatus, Verdict
from pitwall_operator.values.truths import truths


class EmbeddedMetrics:
    """The gauges of the operator, and the port that shows them."""

    def __init__(self, server: ThreadServer, registry: CollectorRegistry) -> None:
        self._server = server
        whose = (Label.ROLLOUT_NAMESPACE, Label.ROLLOUT)
        labels = (*whose, Label.ARM, Label.SAMPLER_VARIANT)
        self._weight = Gauge(Metric.ROLLOUT_WEIGHT, "Share of the traffic", labels, registry=registry)
        self._verdict = Gauge(
            Metric.ROLLOUT_VERDICT, "1 for the current verdict", (*whose, Label.VERDICT), registry=registry
        )
        self._phase = Gauge(Metric.ROLLOUT_PHASE, "1 for the current phase", (*whose, Label.PHASE), registry=registry)
        self._condition = Gauge(
            Metric.ROLLOUT_CONDITION,
            SERIES[Metric.ROLLOUT_CONDITION].about,
            (*whose, Label.CONDITION),
            registry=registry,
        )
        processes = (*whose, Label.GATE, Label.PROCESS)
        self._evidence = Gauge(Metric.GATE_LOG_E, "Evidence, natural logarithm", processes, registry=registry)
        self._threshold = Gauge(Metric.GATE_THRESHOLD, "From here on it is proof", processes, registry=registry)

    @classmethod
    def listening(cls, port: int) -> "EmbeddedMetrics":
        """The metrics of this process on http://127.0.0.1:port/metrics. Raises OSError if the port is taken."""
        registry = CollectorRegistry()
        return cls(ThreadServer(make_asgi_app(registry), listen("127.0.0.1", port)), registry)

    def show(self, rollout: Rollout, status: RolloutStatus) -> None:
        """Make the gauges say what the status says."""
        namespace, name = whose = rollout.metadata.namespace, rollout.metadata.name
        for gauge in (self._weight, self._condition, self._evidence, self._threshold):
            gauge.remove_by_labels({Label.ROLLOUT_NAMESPACE: namespace, Label.ROLLOUT: name})
        for share in status.weights:
            self._weight.labels(*whose, share.arm, share.variant).set(share.weight_basis_points)
        for verdict in Verdict:
            self._verdict.labels(*whose, verdict).set(verdict is status.verdict)
        for phase in Phase:
            self._phase.labels(*whose, phase).set(phase is status.phase)
        for condition, value in truths(status).items():
            self._condition.labels(*whose, condition).set(value)
        for gate in status.gates:
            for process in gate.evidence:
                self._evidence.labels(*whose, gate.name, process.name).set(float(process.log_e))
                self._threshold.labels(*whose, gate.name, process.name).set(float(process.log_threshold))

    def close(self) -> None:
        """Free the port."""
        self._server.close()
