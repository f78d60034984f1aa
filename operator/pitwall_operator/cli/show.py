"""`pitwall get`, `status`, `watch`, `explain`, `history`: statuses in; tables, trees and sentences out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pitwall_crds.rollout import Rollout
from pitwall_crds.status import GateStatus, Phase, ProcessStatus, Verdict
from pitwall_crds.variant import SamplerVariant
from pitwall_operator import explain as story
from pitwall_operator.cli.context import (
    DEFAULT_STATE,
    Exit,
    Output,
    OutputOption,
    StateOption,
    console,
    fail,
    print_json,
    print_lines,
    resources,
    the_rollout,
)
from pitwall_operator.place import Place
from pitwall_operator.record import Record
from pitwall_operator.run import stage_name

NameArgument = Annotated[str | None, typer.Argument(help="Rollout; may be left out where there is only one.")]

COLORS = {
    Verdict.HARMFUL: "bold red",
    Verdict.NON_INFERIOR: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNMEASURED: "dim",
}


def stage_words(rollout: Rollout) -> str:
    """The STAGE column."""
    if rollout.status.phase in (Phase.SHADOW, Phase.CANARY, Phase.BAKE):
        return stage_name(rollout.spec, rollout.status.stage_index)
    return rollout.status.phase.lower()


def candidate_weight(rollout: Rollout) -> str:
    """The WEIGHT column: the candidate's share that is in force."""
    weight = sum(w.weight_basis_points for w in rollout.status.weights if w.arm == "candidate")
    return f"{weight / 100:g}%"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def rollout_table(rollouts: Sequence[Rollout]) -> Table:
    """As `kubectl get rollouts` prints it."""
    table = _table("NAME", "VARIANT", "STABLE", "STAGE", "WEIGHT", "VERDICT", "REASON")
    for rollout in rollouts:
        status = rollout.status
        table.add_row(
            rollout.metadata.name,
            rollout.spec.variant_ref.name,
            status.stable_variant or "–",
            stage_words(rollout),
            candidate_weight(rollout),
            Text(status.verdict, style=COLORS[status.verdict]),
            story.column_reason(rollout),
        )
    return table


def variant_table(variants: Sequence[SamplerVariant]) -> Table:
    """As `kubectl get samplervariants` prints it: the five metrics of every variant."""
    table = _table("NAME", "SAMPLER", "READY", "ARM", "P50", "P99", "SELECT", "TOKENS", "HIT", "ENCODER")
    for variant in variants:
        status, metrics = variant.status, variant.status.metrics
        table.add_row(
            variant.metadata.name,
            variant.spec.sampler.name,
            f"{status.ready_replicas}/{status.desired_replicas}",
            Text("flagged off", style="red") if status.flagged_off else status.arm or "–",
            metrics.latency_p50 or "–",
            metrics.latency_p99 or "–",
            metrics.frame_selection or "–",
            metrics.tokens_per_query or "–",
            metrics.cache_hit_rate or "–",
            metrics.encoder_utilization or "–",
        )
    return table


def _progress(process: ProcessStatus) -> str:
    return f"{story.odds(float(process.log_e))} of {story.odds(float(process.log_threshold)).removeprefix('e=')}"


def gate_table(gates: Sequence[GateStatus]) -> Table:
    """Per gate: verdict, and each acting process's evidence beside what would be proof."""
    table = _table("GATE", "VERDICT", "EVIDENCE OF HARM", "PROOF OF NON-INFERIORITY", "SEEN")
    for gate in gates:
        acting = [process for process in gate.evidence if process.acting]
        harm = [_progress(process) for process in acting if "harm" in process.name]
        proof = [_progress(process) for process in acting if "harm" not in process.name]
        table.add_row(
            gate.name,
            Text(gate.verdict, style=COLORS[gate.verdict]),
            " | ".join(harm) or "–",
            " | ".join(proof) or "–",
            gate.message or "–",
        )
    return table


def screen(rollouts: Sequence[Rollout], variants: Sequence[SamplerVariant]) -> RenderableType:
    """Everything on one screen."""
    parts: list[RenderableType] = [rollout_table(rollouts), Text(""), variant_table(variants)]
    for rollout in rollouts:
        if rollout.status.candidate_variant:
            parts += [Text(""), gate_table(rollout.status.gates)]
    return Group(*parts)


def get(
    kind: Annotated[str, typer.Argument(help="rollouts, samplervariants, or all.")] = "all",
    name: Annotated[str | None, typer.Argument(help="One resource by name.")] = None,
    state: StateOption = Path(DEFAULT_STATE),
    output: OutputOption = Output.TEXT,
) -> None:
    """List resources with their status."""
    found = resources(state)
    kinds = {"rollouts": ["Rollout"], "rollout": ["Rollout"], "samplervariants": ["SamplerVariant"],
             "samplervariant": ["SamplerVariant"], "all": ["Rollout", "SamplerVariant"]}  # fmt: skip
    if kind.lower() not in kinds:
        fail(f"unknown kind {kind!r}; use rollouts, samplervariants or all", Exit.BAD_INPUT)
    wanted = kinds[kind.lower()]
    rollouts = [r for r in found.rollouts() if "Rollout" in wanted and name in (None, r.metadata.name)]
    variants = [v for v in found.variants() if "SamplerVariant" in wanted and name in (None, v.metadata.name)]
    if name and not rollouts and not variants:
        fail(f"{kind} {name!r} does not exist", Exit.BAD_INPUT)
    if output is Output.JSON:
        print_json([r.model_dump(mode="json", by_alias=True) for r in (*rollouts, *variants)])
        return
    tables = [rollout_table(rollouts)] if rollouts else []
    tables += [variant_table(variants)] if variants else []
    console.print(Group(*(part for table in tables for part in (table, Text("")))))


def status(
    rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE), output: OutputOption = Output.TEXT
) -> None:
    """Show one rollout: stage, weights, evidence per gate, and the variants' five metrics."""
    found = resources(state)
    chosen = the_rollout(found, rollout)
    if output is Output.JSON:
        print_json(chosen.status.model_dump(mode="json", by_alias=True))
        return
    console.print(screen([chosen], found.variants()))


def watch(
    state: StateOption = Path(DEFAULT_STATE),
    seconds: Annotated[float, typer.Option(min=0.1, help="Pause between refreshes.")] = 1.0,
) -> None:
    """Show everything, live, until Ctrl-C."""
    found = resources(state)
    with Live(screen(found.rollouts(), found.variants()), console=console, screen=console.is_terminal) as live:
        try:
            while True:
                time.sleep(seconds)
                live.update(screen(found.rollouts(), found.variants()))
        except KeyboardInterrupt:
            return


def explain(rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE)) -> None:
    """Tell in sentences what was decided, when, and on what evidence."""
    chosen = the_rollout(resources(state), rollout)
    lines = Record(Place(state).record(chosen.metadata.name)).read()
    print_lines(story.story(chosen, lines))


def history(
    rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE), output: OutputOption = Output.TEXT
) -> None:
    """List every decision that changed something."""
    chosen = the_rollout(resources(state), rollout)
    if output is Output.JSON:
        print_json([entry.model_dump(mode="json", by_alias=True) for entry in chosen.status.history])
        return
    print_lines(story.timeline(chosen))
