"""The Prometheus recording and alert rules."""

from dataclasses import dataclass
from typing import Any, Final

from pitwall_crds.names import CacheResult, Label, Metric, Outcome
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_dashboards.promql import (
    NAMESPACE,
    SERIES_BY,
    SeriesScope,
    equals,
    gauge,
    matches,
    mean,
    quantile,
    select,
    share,
)

WINDOW: Final = "5m"
VARIANTS: Final = SeriesScope((), WINDOW, (NAMESPACE, *SERIES_BY))
OWNERS: Final = (Label.ROLLOUT_NAMESPACE, Label.ROLLOUT)
"""What tells the Rollouts of a cluster apart."""

RECORDED: Final = {
    f"sampler_variant:{Metric.QUERY_LATENCY}:p50_5m": quantile(VARIANTS, Metric.QUERY_LATENCY, "0.5"),
    f"sampler_variant:{Metric.QUERY_LATENCY}:p99_5m": quantile(VARIANTS, Metric.QUERY_LATENCY, "0.99"),
    f"sampler_variant:{Metric.FRAME_SELECTION}:p50_5m": quantile(VARIANTS, Metric.FRAME_SELECTION, "0.5"),
    f"sampler_variant:{Metric.FRAME_SELECTION}:p99_5m": quantile(VARIANTS, Metric.FRAME_SELECTION, "0.99"),
    f"sampler_variant:{Metric.TOKENS_PER_QUERY}:mean_5m": mean(VARIANTS, Metric.TOKENS_PER_QUERY),
    f"sampler_variant:{Metric.CACHE_LOOKUPS}:hit_share_5m": share(
        VARIANTS, Metric.CACHE_LOOKUPS, equals(Label.RESULT, CacheResult.HIT)
    ),
    f"sampler_variant:{Metric.CACHE_QUERIES}:cold_share_5m": share(
        VARIANTS, Metric.CACHE_QUERIES, equals(Label.RESULT, CacheResult.COLD)
    ),
    f"sampler_variant:{Metric.ENCODER_UTILIZATION}:avg": gauge(VARIANTS, Metric.ENCODER_UTILIZATION, function="avg"),
    f"sampler_variant:{Metric.QUERIES}:error_share_5m": share(
        VARIANTS, Metric.QUERIES, equals(Label.OUTCOME, Outcome.ERROR)
    ),
    f"sampler_variant:{Metric.QUALITY}:bad_share_1h": share(
        VARIANTS.over("1h").keeping(*VARIANTS.by, Label.SIGNAL, Label.UNIT),
        Metric.QUALITY,
        equals(Label.OUTCOME, Outcome.BAD),
    ),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; texts may use Prometheus' templates."""

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    description: str


def _verdict(verdict: Verdict) -> str:
    scope = SeriesScope((), WINDOW, OWNERS)
    return f"{gauge(scope, Metric.ROLLOUT_VERDICT, equals(Label.VERDICT, verdict))} == 1"


def _condition(kind: str, value: int) -> str:
    """A condition of a Rollout that is True (1) or False (0); one that is Unknown has no series."""
    scope = SeriesScope((), WINDOW, OWNERS)
    return f"{gauge(scope, Metric.ROLLOUT_CONDITION, equals(Label.CONDITION, kind))} == {value}"


MOVING: Final = (Phase.SHADOW, Phase.CANARY, Phase.BAKE)


def _so(*phases: Phase) -> str:
    """Only of Rollouts that are in one of these phases: one that is done may keep its last verdict."""
    among = select(Metric.ROLLOUT_PHASE, (matches(Label.PHASE, "|".join(phases)),))
    return f"on ({', '.join(OWNERS)}) {among} == 1"


def _owned(expression: str) -> str:
    """What is told of a namespace's processes, for those who own the Rollouts there."""
    return f'label_replace({expression}, "{Label.ROLLOUT_NAMESPACE}", "$1", "{NAMESPACE}", "(.*)")'


_ROLLOUT: Final = "Rollout {{ $labels.rollout_namespace }}/{{ $labels.rollout }}"

ALERTS: Final = (
    Alert(
        "PitwallTargetDown",
        _owned('up{job=~".*pitwall.*"} == 0'),
        "2m",
        "critical",
        "{{ $labels.job }} {{ $labels.instance }} does not answer",
        "Prometheus cannot scrape this process. If it is a runtime, its variant's users are answered by stable; if it "
        "is the operator, every split stays as it is. See the process's log and its pod's events.",
    ),
    Alert(
        "PitwallFlagsStale",
        _owned(f"{Metric.FLAG_STALE} == 1"),
        "2m",
        "warning",
        "{{ $labels.instance }} serves stale flags",
        "This process cannot reach the flag service and serves the last split that it saw. A flag-off would not reach "
        "it. Check the flag service's /readyz and the network between the two.",
    ),
    Alert(
        "PitwallRolloutUnmeasured",
        f"{_verdict(Verdict.UNMEASURED)} and {_so(*MOVING)}",
        "15m",
        "warning",
        f"{_ROLLOUT} cannot be measured",
        "A gate has had no data for 15 minutes, so the rollout holds. Check that Prometheus scrapes gateway and "
        "runtimes, and that questions arrive.",
    ),
    Alert(
        "PitwallRolloutInconclusive",
        f"{_verdict(Verdict.INCONCLUSIVE)} and {_so(*MOVING)}",
        "6h",
        "info",
        f"{_ROLLOUT} proves nothing",
        "For six hours the evidence has neither proven harm nor non-inferiority. `kubectl pitwall explain` says how "
        "many more trials each gate needs; more traffic, a wider margin or a person's approval ends this.",
    ),
    Alert(
        "PitwallVariantHarmful",
        f"{_verdict(Verdict.HARMFUL)} and {_so(*MOVING, Phase.FLAGGED_OFF)}",
        "0m",
        "warning",
        f"{_ROLLOUT}: its candidate is proven worse",
        "A gate proved harm. Where the gate says FlagOff, users are back on stable already. `kubectl pitwall explain` "
        "shows the evidence; a new spec or `kubectl pitwall retry` starts again, and ends this alert.",
    ),
    Alert(
        "PitwallRolloutStalled",
        f"{_condition('Stalled', 1)} and {_so(Phase.PENDING, *MOVING, Phase.STABLE)}",
        "1m",
        "warning",
        f"{_ROLLOUT} waits for longer than it may",
        "Its pods are not ready, or its split is not in force, for spec.progressDeadlineSeconds. `kubectl pitwall "
        "status` says what is waited for. It goes on by itself when that comes, and so ends this alert; an edit, or "
        "another variant, works at once.",
    ),
    Alert(
        "PitwallRolloutRefused",
        _condition("Applied", 0),
        "2m",
        "warning",
        f"{_ROLLOUT}: what it needs is refused",
        "The API server, a quota or a policy refuses what the operator asks for. The condition Applied has its words; "
        "it is tried again, and at once after an edit.",
    ),
    Alert(
        "PitwallRolloutKilled",
        _condition("Killed", 1),
        "0m",
        "warning",
        f"{_ROLLOUT} is killed",
        "Somebody used the flag's kill switch: everybody has the stable variant and nothing begins. `kubectl pitwall "
        "release` ends this when the cause is known; it exposes nobody to what was killed.",
    ),
    Alert(
        "PitwallVariantFails",
        _owned(share(VARIANTS, Metric.QUERIES, equals(Label.OUTCOME, Outcome.ERROR)) + " > 0.05"),
        "5m",
        "warning",
        "{{ $labels.sampler_variant }} fails {{ $value | humanizePercentage }} of its questions",
        "Stable answers for a failing candidate, and the errors count as evidence against it; a failing stable has "
        "nobody behind it. See the runtime's log.",
    ),
)  # fmt: skip


def rule_file() -> dict[str, Any]:
    """The groups, as `rule_files` and PrometheusRule take them."""
    records = [{"record": name, "expr": _owned(expression)} for name, expression in RECORDED.items()]
    return {
        "groups": [
            {"name": "pitwall-variants", "interval": "30s", "rules": records},
            {"name": "pitwall-alerts", "interval": "30s", "rules": [_alert(alert) for alert in ALERTS]},
        ]
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "description": alert.description},
    }
