"""The provider's Prometheus metrics: evaluations, losses of the flag service, and the lag of changes."""

from functools import lru_cache
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

from pitwall_crds.names import Label, Metric
from pitwall_flags.flag.evaluate import EvaluationFault, FlagResolution

PROVIDER_NAME: Final = "pitwall"

LAG_EDGES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

EVALUATIONS: Final = Counter(
    Metric.FLAG_EVALUATIONS.removesuffix("_total"),
    "Flag evaluations of this process",
    [Label.FLAG, Label.VARIANT, Label.REASON],
)
STALE: Final = Gauge(Metric.FLAG_STALE, "1 while the flag service is out of reach and the last known flags are served")
PROPAGATION: Final = Histogram(
    Metric.FLAG_PROPAGATION, "Seconds from a write to its being visible in this process", buckets=LAG_EDGES
)


@lru_cache(maxsize=4096)
def _counted(flag: str, variant: str, reason: str) -> Any:
    return EVALUATIONS.labels(flag, variant, reason)


def count(key: str, resolution: FlagResolution) -> None:
    """Count one evaluation. A key that is no flag is not a label: callers could make up any number of them."""
    flag = "" if resolution.fault is EvaluationFault.FLAG_NOT_FOUND else key
    _counted(flag, resolution.variant, resolution.reason).inc()
