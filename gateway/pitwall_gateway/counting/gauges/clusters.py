"""What users differ by, out as Prometheus gauges: to the operator few users who ask much are a reason to wait."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pitwall_crds.metrics import SERIES
from pitwall_crds.names import MEAN, ErrorUnit, Metric, Outcome
from pitwall_gateway.counting.exposition import edge_names
from pitwall_gateway.counting.users.shares import Shares

METRICS: Final = (Metric.EVIDENCE_ERROR, Metric.EVIDENCE_USERS, Metric.EVIDENCE_SHIFT)


class ClustersGauge(Collector):
    """Asked at each scrape."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The standard errors of each arm and run, and its effective users."""
        errors, users, shifts = self.describe()
        for series, clusters in self._shares.clusters():
            who = [series.variant, series.arm, series.run]
            for quantity, number in clusters.users():
                users.add_metric([*who, quantity], number)
            for quantity, error in clusters.errors():
                edge = MEAN if error.edge is None else edge_names((error.edge,))[0]
                errors.add_metric([*who, quantity, edge, ErrorUnit.QUERY], error.of_trials)
                errors.add_metric([*who, quantity, edge, ErrorUnit.USER], error.of_users)
                if error.most:
                    errors.add_metric([*who, quantity, edge, ErrorUnit.MOST_USERS], error.most.of_users)
                    errors.add_metric([*who, quantity, edge, ErrorUnit.QUERY_OF_MOST], error.most.of_trials)
                    shifts.add_metric([*who, quantity, edge], error.most.shift)
        return [errors, users, shifts]

    def describe(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        """The gauges without series."""
        errors, users, shifts = (
            GaugeMetricFamily(each, SERIES[each].about, labels=SERIES[each].labels) for each in METRICS
        )
        return errors, users, shifts


class OneUserCounter(Collector):
    """Of an arm's bad trials those of the one user who has most: without these, one alone must not be harm."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Of each arm and run, at each edge."""
        (family,) = self.describe()
        for series, clusters in self._shares.clusters():
            for quantity, edge, trials in clusters.of_one():
                at = MEAN if edge is None else edge_names((edge,))[0]
                family.add_metric([series.variant, series.arm, series.run, quantity, at], trials)
        return [family]

    def describe(self) -> Iterable[CounterMetricFamily]:
        """The counter without series."""
        about = SERIES[Metric.EVIDENCE_ONE_USER]
        return [CounterMetricFamily(Metric.EVIDENCE_ONE_USER, about.about, labels=about.labels)]


class ServedGauge(Collector):
    """Users of each arm and run, by whether their questions mostly fail."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Of each arm whose users are known."""
        (family,) = self.describe()
        for series, clusters in self._shares.clusters():
            for outcome, users in zip((Outcome.ERROR, Outcome.OK), clusters.served(), strict=True):
                family.add_metric([series.variant, series.arm, series.run, outcome], users)
        return [family]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The gauge without series."""
        about = SERIES[Metric.EVIDENCE_SERVED]
        return [GaugeMetricFamily(Metric.EVIDENCE_SERVED, about.about, labels=about.labels)]
