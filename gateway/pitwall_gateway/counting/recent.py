"""A histogram of what was observed lately: of the last day at least, or of as many observations as thresholds need."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Metric

DAY_SECONDS: Final = 86_400.0
"""A whole course of day and night."""
ENOUGH: Final = 10_000
"""Observations for a threshold at any quantile: ten beyond the highest one, 999 in a thousand."""

Buckets = list[float]
"""How many observations were within each edge and not the one before, last those beyond all; and behind them their
sum."""


@dataclass(slots=True)
class Generation:
    """What one variant showed since `began`, by arm."""

    began: float
    number: int = 0
    arms: dict[str, Buckets] = field(default_factory=dict)
    observations: int = 0


class RecentHistogram(Collector):
    """By variant two generations: the present one, and the one before it. What is older is forgotten."""

    def __init__(self, metric: Metric, edges: Sequence[float], clock: Callable[[], float]) -> None:
        self._metric, self._edges, self._clock = metric, tuple(edges), clock
        self._generations: dict[str, tuple[Generation, Generation]] = {}

    def generation(self, variant: str) -> int:
        """The number of the present generation; another one begins with the first observation after a day, once this
        one is enough."""
        return self._present(variant).number

    def observe(self, variant: str, arm: str, value: float) -> None:
        """One more."""
        present = self._present(variant)
        buckets = present.arms.setdefault(arm, [0.0] * (len(self._edges) + 2))
        buckets[bisect_left(self._edges, value)] += 1
        buckets[-1] += value
        present.observations += 1

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Both generations together."""
        (family,) = self.describe()
        for variant, generations in self._generations.items():
            for arm in dict.fromkeys(arm for generation in generations for arm in generation.arms):
                shown = [generation.arms[arm] for generation in generations if arm in generation.arms]
                *counts, total = (sum(column) for column in zip(*shown, strict=True))
                within = zip((*map(floatToGoString, self._edges), "+Inf"), accumulate(counts), strict=True)
                family.add_metric([variant, arm], list(within), total)
        return [family]

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The histogram without series."""
        about = SERIES[self._metric]
        return [HistogramMetricFamily(self._metric, about.about, labels=about.labels)]

    def _present(self, variant: str) -> Generation:
        now = self._clock()
        if variant not in self._generations:
            self._generations[variant] = (Generation(now), Generation(now))
        _, present = self._generations[variant]
        if present.observations >= ENOUGH and now - present.began >= DAY_SECONDS:
            self._generations[variant] = (present, Generation(now, present.number + 1))
        return self._generations[variant][1]
