"""Whose trials gates weigh, out as a Prometheus gauge: what tells a caller that picks arms from all others."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Metric
from pitwall_gateway.counting.users.shares import Shares

MOST: Final = 8
"""Callers that are told of each arm, however many there are."""
NAME_CHARACTERS: Final = 64


class CallersGauge(Collector):
    """Asked at each scrape."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The callers with most of each arm, run and kind."""
        (family,) = self.describe()
        for series, kind, callers in self._shares.callers(MOST):
            told = Counter[str]()
            for caller, trials in callers.items():
                told[caller[:NAME_CHARACTERS]] += trials
            for name, trials in told.items():
                family.add_metric([series.variant, series.arm, series.run, kind, name], trials)
        return [family]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The gauge without series."""
        about = SERIES[Metric.EVIDENCE_CALLERS]
        return [GaugeMetricFamily(Metric.EVIDENCE_CALLERS, about.about, labels=about.labels)]
