"""Says what would make a slow stage faster, and by how much: wider margins, more traffic, or labels that come at all.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_operator.gates.counting.expected import TrafficNow, step_seconds
from pitwall_operator.gates.processes import promote_margin
from pitwall_operator.planning.plan import GatePlan, Leg, Plan, StagePlan, block_seconds, gate_plan, legs
from pitwall_operator.values.about import DAY, duration
from pitwall_operator.values.stages import stage_name

PATIENCE: Final = 7 * DAY
"""A stage that takes longer is told of."""
WIDEST_PERCENT: Final = 1000
WIDEST_POINTS: Final = 5000
WORTH: Final = 0.8
"""A change is told of if a stage takes at most this part of its time with it."""


def what_would_help(
    spec: RolloutSpec, traffic: TrafficNow, planned: Plan, *, full_replicas: int = 1
) -> tuple[str, ...]:
    """Sentences, stage by stage; none where everything takes days at most."""
    way = legs(spec, traffic, full_replicas)
    return tuple(
        sentence
        for leg, stage in zip(way, planned.stages, strict=True)
        for sentence in _of_stage(spec, traffic, way, leg, stage)
    )


def _of_stage(
    spec: RolloutSpec, traffic: TrafficNow, way: tuple[Leg, ...], leg: Leg, stage: StagePlan
) -> Iterator[str]:
    deadline = spec.stages[leg.index].max_seconds
    if deadline and (stage.seconds is None or stage.seconds > deadline):
        yield (
            f"{stage.name}: its deadline comes after {duration(deadline)}, before the proof; then onInconclusive "
            f"{spec.on_inconclusive} applies"
        )
    if stage.seconds is None and not stage.gates:
        yield f"{stage.name}: no gate of this rollout can be measured here; leave the stage out, or add a gate"
    gates = {gate.name: gate for gate in spec.analysis.gates}
    for slow in stage.gates:
        if slow.seconds is None or slow.seconds > PATIENCE:
            yield _of_gate(spec, traffic, way, leg, gates[slow.gate], slow)


def _of_gate(spec: RolloutSpec, traffic: TrafficNow, way: tuple[Leg, ...], leg: Leg, gate: Gate, slow: GatePlan) -> str:
    """One gate in one stage: how long, why, and what would change that."""
    said = f"never: {slow.reason}" if slow.seconds is None else duration(slow.seconds)
    told = f"{gate.name} at {stage_name(spec, leg.index)} takes {said}"
    if not traffic.questions_per_second or not traffic.of(gate).trials_per_question:
        return told
    told += _rarely(spec, traffic, gate, leg)
    helps = [*_margins(spec, traffic, gate, leg, slow), *_weights(spec, traffic, gate, way, leg, slow)]
    return f"{told}. {'; '.join(helps)}" if helps else f"{told}. Only more traffic would help"


def _rarely(spec: RolloutSpec, traffic: TrafficNow, gate: Gate, leg: Leg) -> str:
    length = block_seconds(spec, traffic)
    if step_seconds(traffic.of(gate), leg.flow, length) <= length:
        return ""
    return f"; the arms rarely meet within {length:g} s at {traffic.questions_per_second:.2g} questions a second"


def _is_worth_it(slow: GatePlan, seconds: float | None) -> bool:
    return seconds is not None and (slow.seconds is None or seconds <= WORTH * slow.seconds)


def _margins(spec: RolloutSpec, traffic: TrafficNow, gate: Gate, leg: Leg, slow: GatePlan) -> Iterator[str]:
    """The next doubled margin with which the stage takes days, or else the widest."""
    absolute = gate.absolute_margin_basis_points
    margin = absolute or promote_margin(gate, leg.context.canary_index)
    widest, field = (
        (WIDEST_POINTS, "absoluteMarginBasisPoints") if absolute else (WIDEST_PERCENT, "promoteMarginPercent")
    )
    best: tuple[int, float] | None = None
    wider = margin
    while wider * 2 <= widest and (best is None or best[1] > PATIENCE):
        wider *= 2
        changed = {"absolute_margin_basis_points": wider} if absolute else {"promote_margin_percent": (wider,)}
        seconds = gate_plan(spec, traffic, gate.model_copy(update=changed), leg).seconds
        if seconds is not None and _is_worth_it(slow, seconds):
            best = (wider, seconds)
    if best and leg.flow.candidate:
        yield f"{field} {best[0]} (it is {margin}) takes {duration(best[1])}"


def _weights(
    spec: RolloutSpec, traffic: TrafficNow, gate: Gate, way: tuple[Leg, ...], leg: Leg, slow: GatePlan
) -> Iterator[str]:
    """The next stage's share, or half of the traffic where that is still too little."""
    now = leg.flow.candidate
    half = traffic.questions_per_second / 2
    shares = [other.flow.candidate for other in way if now < other.flow.candidate <= half] if now else []
    for share in shares:
        flow = replace(leg.flow, candidate=share, control=share, stable=max(2 * half - 2 * share, 0.0))
        seconds = gate_plan(spec, traffic, gate, replace(leg, flow=flow)).seconds
        if seconds is not None and _is_worth_it(slow, seconds) and (seconds <= PATIENCE or share == shares[-1]):
            yield f"{100 * share / (2 * half):.3g}% of the traffic takes {duration(seconds)}: begin there"
            return
    shadow = spec.stages[leg.index].shadow
    if shadow and shadow.percent < 100:
        flow = replace(leg.flow, copies=traffic.questions_per_second)
        seconds = gate_plan(spec, traffic, gate, replace(leg, flow=flow)).seconds
        if _is_worth_it(slow, seconds) and seconds is not None:
            yield f"shadow.percent 100 takes {duration(seconds)}"
