"""What the processes register is what the shared table promises to dashboards and rules."""

from collections.abc import Iterable

import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import pitwall_flags.provider.telemetry  # noqa: F401 – registers the flags' metrics
import pitwall_gateway.counting.telemetry
import pitwall_runtime.pipeline.telemetry
from pitwall_crds.metrics import SERIES, MetricType
from pitwall_crds.names import Metric
from pitwall_gateway.counting.evidence import EvidenceCounters
from pitwall_gateway.counting.gauges.callers import CallersGauge
from pitwall_gateway.counting.gauges.clusters import ClustersGauge, OneUserCounter, ServedGauge
from pitwall_gateway.counting.gauges.memory import MemoryGauges
from pitwall_gateway.counting.gauges.silence import SilenceGauge
from pitwall_gateway.counting.recent import RecentHistogram
from pitwall_operator.machine.metrics import EmbeddedMetrics
from pitwall_runtime.ingest.queue.port import QueueDepth
from pitwall_runtime.ingest.telemetry import IngestTelemetry

OPTIONAL = {Metric.ROLLOUT_PHASE}
"""Shown and alerted on where it is exported, done without where it is not."""

OWN_COLLECTORS = (
    CallersGauge, ClustersGauge, EvidenceCounters, IngestTelemetry, MemoryGauges, OneUserCounter,
    RecentHistogram, ServedGauge, SilenceGauge,
)  # fmt: skip
"""Those that make their series when they are scraped."""

Registered = dict[str, tuple[str, tuple[str, ...]]]


def of_registry(registry: CollectorRegistry) -> Registered:
    """Name, type and labels of ours. prometheus-client shows label names of metrics without samples nowhere else."""
    return described(registry._collector_to_names)


def described(collectors: Iterable[object]) -> Registered:
    collectors = tuple(collectors)
    metrics = [(each._name, each._type, each._labelnames) for each in collectors if isinstance(each, MetricWrapperBase)]
    families = [family for each in collectors if isinstance(each, OWN_COLLECTORS) for family in each.describe()]
    metrics += [(family.name, family.type, family._labelnames) for family in families]
    return {name: (kind, tuple(map(str, labels))) for name, kind, labels in metrics if name.startswith("pitwall_")}


def gateway() -> Registered:
    telemetry = pitwall_gateway.counting.telemetry.GatewayTelemetry()
    return described([*telemetry._registry._collector_to_names, telemetry.evidence])


def runtime() -> Registered:
    return of_registry(pitwall_runtime.pipeline.telemetry.RuntimeTelemetry("aks", "candidate").registry)


def ingest() -> Registered:
    return of_registry(IngestTelemetry(lambda: QueueDepth(0, 0, 0)).registry)


def operator() -> Registered:
    exported = EmbeddedMetrics.listening(0)
    exported.close()
    return described(vars(exported).values())


def flags() -> Registered:
    return of_registry(REGISTRY)


@pytest.mark.parametrize("registered", [gateway, runtime, ingest, operator, flags])
def test_a_process_registers_what_is_promised(registered):
    found = registered()

    assert found
    for name, (kind, labels) in found.items():
        series = SERIES[Metric(f"{name}_total" if kind == MetricType.COUNTER else name)]
        assert (kind, set(labels)) == (series.type, set(series.labels)), name


def test_every_promised_metric_is_registered_by_some_process():
    found = {name for registered in (gateway, runtime, ingest, operator, flags) for name in registered()}

    missing = {metric for metric in SERIES if metric.removesuffix("_total") not in found}
    assert missing <= OPTIONAL
