"""Which series the dashboard's queries read: everything that its variables select."""

from typing import Final

from pitwall_crds.names import Label
from pitwall_dashboards.promql import NAMESPACE, SERIES_BY, SeriesScope, matches

QUALITY_WINDOW: Final = "10m"
"""Thumbs and follow-ups are rare beside queries; a shorter window would mostly show nothing."""

FAILURE_WINDOW: Final = "5m"
"""Failures are rare too; a rate over seconds shows spikes and no level."""

CHASSIS: Final = SeriesScope(
    (matches(NAMESPACE, "$namespace"), matches(Label.SAMPLER_VARIANT, "$sampler_variant")),
    "$__rate_interval",
    SERIES_BY,
)
"""Gateway and runtime, kept apart by variant and arm."""

BY_VARIANT: Final = CHASSIS.keeping(Label.SAMPLER_VARIANT)
ROLLOUTS: Final = SeriesScope(
    (matches(Label.ROLLOUT_NAMESPACE, "$namespace"), matches(Label.ROLLOUT, "$rollout")),
    "$__rate_interval",
    (Label.ROLLOUT,),
)
"""The operator. Its targets stand in its own namespace; the Rollout's is a label of its own."""

PROCESSES: Final = ROLLOUTS.keeping(Label.ROLLOUT, Label.GATE, Label.PROCESS)


def legend(*labels: Label) -> str:
    """How a series is called: its labels' values side by side."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)
