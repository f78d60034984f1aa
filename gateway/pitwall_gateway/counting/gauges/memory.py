"""Answered questions of stable's variants in, Prometheus gauges of their memory out."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Arm, Metric
from pitwall_gateway.counting.memory import MemoryEstimate, MemoryEstimator
from pitwall_gateway.counting.series import ArmSeries

log = logging.getLogger(__name__)
VARIANTS: Final = 2
"""The stable variant, and the one before it."""
FRESH_SECONDS: Final = 10.0
"""An estimate is repeated at scrapes for so long."""


class MemoryGauges(Collector):
    """An estimator for each variant that answers as stable or control. A variant whose memory is unknown has no
    series."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._estimators: OrderedDict[str, MemoryEstimator] = OrderedDict()
        self._estimates: dict[str, tuple[float, MemoryEstimate | None]] = {}

    def answered(self, series: ArmSeries, url: str, started: float, seconds: float) -> None:
        """A user's question that was asked of the pod at this URL at this time got its answer, or was given up, after
        so many seconds."""
        if series.arm not in (Arm.STABLE, Arm.CONTROL):
            return
        estimator = self._estimators.get(series.variant)
        if estimator is None:
            estimator = self._estimators[series.variant] = MemoryEstimator()
        self._estimators.move_to_end(series.variant)
        if len(self._estimators) > VARIANTS:
            dropped, _ = self._estimators.popitem(last=False)
            self._estimates.pop(dropped, None)
        estimator.answered(url, started, seconds)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The memory of each variant that has enough history."""
        memory, history = self.describe()
        for variant in tuple(self._estimators):
            if found := self._estimate(variant, self._clock()):
                memory.add_metric([variant], found.memory_seconds)
                history.add_metric([variant], found.history_seconds)
        return [memory, history]

    def describe(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        """The gauges without series."""
        return _gauge(Metric.EVIDENCE_MEMORY), _gauge(Metric.EVIDENCE_HISTORY)

    def _estimate(self, variant: str, now: float) -> MemoryEstimate | None:
        made, estimate = self._estimates.get(variant, (float("-inf"), None))
        if now - made >= FRESH_SECONDS:
            estimate = self._estimators[variant].estimate(now)
            self._estimates[variant] = (now, estimate)
            if estimate:
                words = "%s: slowness lasts %d s, by %d s of %d pods"
                log.debug(words, variant, estimate.memory_seconds, estimate.history_seconds, estimate.pods)
        return estimate


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(str(metric), SERIES[metric].about, labels=[str(label) for label in SERIES[metric].labels])
