"""Evaluations, changes and their lag come in, Prometheus metrics and OpenTelemetry attributes go out."""

from functools import lru_cache
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

from pitwall_crds.names import Label, Metric
from pitwall_flags.evaluate import Fault, Resolution

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


def count(key: str, resolution: Resolution) -> None:
    """Count one evaluation. A key that is no flag is not a label: callers could make up any number of them."""
    flag = "" if resolution.fault is Fault.FLAG_NOT_FOUND else key
    _counted(flag, resolution.variant, resolution.reason).inc()


def attributes(key: str, targeting_key: str, resolution: Resolution) -> dict[str, str]:
    """The attributes of OpenTelemetry's `feature_flag.evaluation` event (semantic conventions, current names)."""
    named = {
        "feature_flag.key": key,
        "feature_flag.provider.name": PROVIDER_NAME,
        "feature_flag.result.reason": resolution.reason.lower(),
        "feature_flag.result.variant": resolution.variant,
        "feature_flag.context.id": targeting_key,
        "feature_flag.set.id": str(resolution.metadata.get("flagSetId", "")),
        "feature_flag.version": str(resolution.metadata.get("version", "")),
        "error.type": resolution.fault.lower() if resolution.fault else "",
        "feature_flag.error.message": resolution.message if resolution.fault else "",
    }
    return {name: value for name, value in named.items() if value}
