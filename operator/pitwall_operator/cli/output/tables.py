"""Prints statuses as tables, the way kubectl does."""

import time
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Verdict
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.record import explain as story

COLORS = {
    Verdict.HARMFUL: "bold red",
    Verdict.NON_INFERIOR: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNMEASURED: "dim",
}


def stage_words(rollout: Rollout) -> str:
    """The STAGE column."""
    return rollout.status.stage or rollout.status.phase.lower()


def percent(basis_points: int) -> str:
    """A share as people write it: 12.5%."""
    return f"{basis_points / 100:g}%"


def candidate_weight(rollout: Rollout) -> str:
    """The WEIGHT column: the candidate's share that is in force."""
    return percent(sum(w.weight_basis_points for w in rollout.status.weights if w.arm == "candidate"))


def table(*columns: str) -> Table:
    """An empty table without lines."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def rollout_table(rollouts: Sequence[Rollout], *, everywhere: bool = False) -> Table:
    """As `kubectl get rollouts` prints it."""
    made = table(*_namespace(everywhere), "NAME", "VARIANT", "STABLE", "STAGE", "WEIGHT", "VERDICT", "REASON", "AGE")
    for rollout in rollouts:
        status = rollout.status
        made.add_row(
            *([rollout.metadata.namespace] if everywhere else []),
            rollout.metadata.name,
            rollout.spec.variant_ref.name,
            status.stable_variant or "–",
            stage_words(rollout),
            candidate_weight(rollout),
            Text(status.verdict, style=COLORS[status.verdict]),
            story.column_reason(rollout),
            since(rollout.metadata.creation_timestamp),
        )
    return made


def variant_table(variants: Sequence[SamplerVariant], *, everywhere: bool = False) -> Table:
    """As `kubectl get samplervariants` prints it: the five metrics of every variant."""
    made = table(
        *_namespace(everywhere),
        "NAME",
        "SAMPLER",
        "READY",
        "ARM",
        "P50",
        "P99",
        "SELECT",
        "TOKENS",
        "HIT",
        "ENCODER",
        "AGE",
    )
    for variant in variants:
        status, metrics = variant.status, variant.status.metrics
        made.add_row(
            *([variant.metadata.namespace] if everywhere else []),
            variant.metadata.name,
            _sampler(variant),
            f"{status.ready_replicas}/{status.desired_replicas}",
            Text("flagged off", style="red") if status.flagged_off else status.arm or "–",
            metrics.latency_p50 or "–",
            metrics.latency_p99 or "–",
            metrics.frame_selection or "–",
            metrics.tokens_per_query or "–",
            metrics.cache_hit_rate or "–",
            metrics.encoder_utilization or "–",
            since(variant.metadata.creation_timestamp),
        )
    return made


def _sampler(variant: SamplerVariant) -> str:
    """Its name; how far it may be trusted where that is not far."""
    stability = variant.status.stability
    return f"{variant.spec.sampler.name} ({stability})" if stability in {"alpha", "beta"} else variant.spec.sampler.name


def _namespace(everywhere: bool) -> list[str]:
    return ["NAMESPACE"] if everywhere else []


def since(moment: str) -> str:
    """An age as kubectl writes it."""
    return story.age(moment, time.time()) if moment else "–"
