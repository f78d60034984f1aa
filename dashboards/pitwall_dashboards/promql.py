"""Builds PromQL expressions, the same for the dashboard and for the rules."""

from dataclasses import dataclass
from typing import Final

from pitwall_crds.names import Label, Metric

NAMESPACE: Final = "namespace"
"""The label that Prometheus gives to every target on Kubernetes; absent, and so empty, elsewhere."""


@dataclass(frozen=True, slots=True)
class SeriesScope:
    """Which series an expression reads, over which window, and what it keeps apart."""

    matchers: tuple[str, ...]
    window: str
    by: tuple[str, ...]

    def keeping(self, *labels: str) -> "SeriesScope":
        """The same series, kept apart by these labels instead."""
        return SeriesScope(self.matchers, self.window, labels)

    def over(self, window: str) -> "SeriesScope":
        """The same series over another window."""
        return SeriesScope(self.matchers, window, self.by)


def equals(label: str, value: str) -> str:
    """A matcher."""
    return f'{label}="{value}"'


def matches(label: str, pattern: str) -> str:
    """A matcher by regular expression."""
    return f'{label}=~"{pattern}"'


def select(name: str, matchers: tuple[str, ...]) -> str:
    """The series of a name that match."""
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def aggregated(function: str, expression: str, by: tuple[str, ...]) -> str:
    """`function by (…) (expression)`."""
    return f"{function} by ({', '.join(by)}) ({expression})"


def per_second(scope: SeriesScope, name: str, *matchers: str) -> str:
    """Increase per second of a counter, summed."""
    return aggregated("sum", f"rate({select(name, (*scope.matchers, *matchers))}[{scope.window}])", scope.by)


def per_minute(scope: SeriesScope, name: str, *matchers: str) -> str:
    """Increase per minute of a counter, summed."""
    return f"60 * {per_second(scope, name, *matchers)}"


def quantile(scope: SeriesScope, metric: Metric, share: str) -> str:
    """A quantile of a histogram; `share` as a decimal such as 0.99. NaN where nothing was observed."""
    buckets = per_second(scope.keeping(*scope.by, "le"), f"{metric}_bucket")
    return f"histogram_quantile({share}, {buckets})"


def mean(scope: SeriesScope, metric: Metric) -> str:
    """The mean of a histogram's observations; absent where nothing was observed."""
    return f"{per_second(scope, f'{metric}_sum')} / ({per_second(scope, f'{metric}_count')} > 0)"


def share(scope: SeriesScope, metric: Metric, matcher: str, *, among: tuple[str, ...] = ()) -> str:
    """The part of a counter's increase that matches, 0 where none does; absent where nothing happened."""
    part, whole = per_second(scope, metric, *among, matcher), per_second(scope, metric, *among)
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def gauge(scope: SeriesScope, metric: Metric, *matchers: str, function: str = "max") -> str:
    """A gauge, over all processes that export it."""
    return aggregated(function, select(metric, (*scope.matchers, *matchers)), scope.by)


def proof(scope: SeriesScope, *matchers: str) -> str:
    """A gate's evidence as a part of what proves it: 0 is none, 1 is proof."""
    evidence = gauge(scope, Metric.GATE_LOG_E, *matchers)
    threshold = gauge(scope, Metric.GATE_THRESHOLD, *matchers)
    return f"clamp_min({evidence} / {threshold}, 0)"


SERIES_BY: Final = (Label.SAMPLER_VARIANT, Label.ARM)
"""What tells the chassis' series apart: the same variant may serve as control and as stable."""
