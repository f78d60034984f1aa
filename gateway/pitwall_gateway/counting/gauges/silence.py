"""How long ago the pods of an arm last said nothing, out as a Prometheus gauge."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Metric
from pitwall_gateway.counting.series import ArmSeries

SilenceSeconds = Callable[[], Mapping[ArmSeries, float]]
"""Seconds since the last silence, of each arm that had one lately."""


class SilenceGauge(Collector):
    """Asked at each scrape; an arm whose pods answer has no series."""

    def __init__(self, silence: SilenceSeconds) -> None:
        self._silence = silence

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The arms that had a silence lately."""
        (family,) = self.describe()
        for series, seconds in self._silence().items():
            family.add_metric([series.variant, series.arm], seconds)
        return [family]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The gauge without series."""
        about = SERIES[Metric.EVIDENCE_SILENCE]
        return [GaugeMetricFamily(Metric.EVIDENCE_SILENCE, about.about, labels=about.labels)]
