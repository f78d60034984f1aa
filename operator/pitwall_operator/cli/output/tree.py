"""Prints a Rollout as a tree: its stage, traffic, pods, gates and conditions."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text
from rich.tree import Tree

from pitwall_crds.resource import ConditionStatus
from pitwall_crds.rollout.rollout import Approval, Rollout
from pitwall_crds.rollout.status import GateStatus, ProcessStatus
from pitwall_operator.cli.output.tables import COLORS, percent, since, stage_words
from pitwall_operator.cli.sources.port import PoolView
from pitwall_operator.record import explain as story

GOOD_WHEN_FALSE = frozenset({"Degraded", "Progressing"})
PODS_SHOWN = 8


def tree(rollout: Rollout, pools: Sequence[PoolView], *, unseen: str = "") -> Tree:
    """One Rollout. `unseen` says why its pods are not known, if they are not."""
    made = Tree(_title(rollout), guide_style="dim")
    _grow(made, "stage", _stage(rollout))
    _grow(made, "traffic", _traffic(rollout))
    _pods(made.add("pods"), rollout, pools, unseen)
    if rollout.status.gates:
        gates = made.add(_join("gates  ", Text(rollout.status.verdict, COLORS[rollout.status.verdict])))
        for gate in rollout.status.gates:
            _grow_gate(gates, gate)
    _grow(made, "off", _off(rollout))
    _conditions(made.add("conditions"), rollout)
    return made


def _join(*parts: str | Text | tuple[str, str]) -> Text:
    return Text.assemble(*parts)


def _grow(parent: Tree, title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if len(found) == 1:
        parent.add(_join(f"{title}  ", found[0]))
    elif found:
        branch = parent.add(title)
        for line in found:
            branch.add(_join(line))


def _title(rollout: Rollout) -> Text:
    status = rollout.status
    way = f"{status.stable_variant} serves everybody" if status.stable_variant else "nothing serves yet"
    if status.candidate_variant:
        way = f"{status.candidate_variant} is to replace {status.stable_variant}"
    paused = "  (paused)" if rollout.spec.paused else ""
    name = f"{rollout.metadata.namespace}/{rollout.metadata.name}"
    return _join((name, "bold"), f"  {status.phase}{paused}  {way}, by flag {rollout.spec.flag}")


def _stage(rollout: Rollout) -> Iterator[str]:
    spec, status = rollout.spec, rollout.status
    if not status.candidate_variant:
        yield f"{stage_words(rollout)}  {status.reason}".rstrip()
        return
    last = len(spec.stages)
    number = min(status.stage_index, last - 1)  # the spec may have fewer since the operator looked
    stage = spec.stages[number]
    limits = [f"at least {stage.min_seconds} s"]
    limits += [f"at most {stage.max_seconds} s, then {spec.on_inconclusive}"] if stage.max_seconds else []
    limits += [f"bakes {stage.bake_seconds} s"] if stage.bake_seconds else []
    if stage.approval is Approval.MANUAL:
        approved = status.approved_stage >= status.stage_index
        limits += ["approved by a person" if approved else "needs a person's `promote`"]
    begun = f"since {since(status.stage_start_time)}" if status.stage_start_time else "not begun"
    yield f"{number + 1} of {last}: {stage_words(rollout)}, {begun}; {'; '.join(limits)}"
    if status.reason:
        yield status.reason


def _traffic(rollout: Rollout) -> Iterator[str]:
    status = rollout.status
    for share in status.weights:
        yield f"{share.arm:<10} {percent(share.weight_basis_points):>6}  {share.variant}"
    stage = rollout.spec.stages[min(status.stage_index, len(rollout.spec.stages) - 1)]
    if status.candidate_variant and stage.shadow:
        yield f"{'shadow':<10} {stage.shadow.percent:>5}%  {status.candidate_variant}, answers discarded"
    for experiment in rollout.spec.experiments:
        yield f"{'experiment':<10} {experiment.shadow.percent:>5}%  {experiment.variant_ref.name}, answers discarded"


def _pods(branch: Tree, rollout: Rollout, pools: Sequence[PoolView], unseen: str) -> None:
    status, spec = rollout.status, rollout.spec
    names = {status.stable_variant, status.candidate_variant, spec.variant_ref.name}
    names |= {experiment.variant_ref.name for experiment in spec.experiments}
    mine = [pool for pool in pools if pool.variant in names and pool.namespace == rollout.metadata.namespace]
    if unseen or not mine:
        branch.add(Text(unseen or "none", style="dim"))
    for pool in sorted(mine, key=lambda pool: (pool.variant, pool.pool)):
        color = "green" if pool.ready >= pool.desired else "yellow"
        count = (f"{pool.ready}/{pool.desired} ready", color)
        child = branch.add(
            _join(f"{pool.variant}  {pool.pool}  ", count, (f"  revision {pool.revision or '?'}", "dim"))
        )
        waiting = [pod for pod in pool.pods if not pod.ready]
        for pod in waiting[:PODS_SHOWN]:
            child.add(_join(f"{pod.name}  ", (pod.reason, "yellow")))
        if len(waiting) > PODS_SHOWN:
            child.add(f"and {len(waiting) - PODS_SHOWN} more")


def _grow_gate(parent: Tree, gate: GateStatus) -> None:
    branch = parent.add(_join((f"{gate.name}  ", "bold"), Text(gate.verdict, COLORS[gate.verdict])))
    acting = [process for process in gate.evidence if process.acting]
    if acting:
        branch.add(", ".join(_progress(process) for process in acting))
    missing = f"; about {gate.missing_trials} more trials are missing" if gate.missing_trials > 0 else ""
    said = gate.message or "nothing seen yet"
    branch.add(_join(said + (missing if " more " not in said else "")))


def _progress(process: ProcessStatus) -> str:
    threshold = story.odds(float(process.log_threshold)).removeprefix("e=")
    return f"{process.name} {story.odds(float(process.log_e))} of {threshold}"


def _off(rollout: Rollout) -> Iterator[str]:
    for off in rollout.status.flagged_off:
        which = f"revision {off.revision}" if off.revision else "not declared yet"
        yield f"{off.variant} ({which}) by {off.gate}, {since(off.time)} ago: {off.message}"


def _conditions(branch: Tree, rollout: Rollout) -> None:
    status = rollout.status
    if not status.conditions:
        branch.add(Text("none yet: no operator has looked at this Rollout", style="yellow"))
    elif status.observed_generation < rollout.metadata.generation:
        branch.add(Text("stale: the operator has not yet seen the newest spec", style="yellow"))
    for condition in status.conditions:
        good = (condition.status is ConditionStatus.FALSE) == (condition.type in GOOD_WHEN_FALSE)
        color = "dim" if condition.status is ConditionStatus.UNKNOWN else "green" if good else "yellow"
        why = f"  {condition.reason}" + (f": {condition.message}" if condition.message else "")
        branch.add(_join(f"{condition.type}  ", (condition.status.value, color), why))
