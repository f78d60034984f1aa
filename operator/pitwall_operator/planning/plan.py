"""Plans a rollout before it starts: how long each stage takes, and how many users a bad candidate would reach.

Pure: no clock, chance or I/O. What it says is about the typical case: half of all candidates take longer.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from pitwall_crds.names import FULL_WEIGHT, Arm
from pitwall_crds.rollout.gate import Gate, OnHarm
from pitwall_crds.rollout.rollout import Approval, RolloutSpec
from pitwall_crds.rollout.status import ArmWeight, Phase, RolloutStatus
from pitwall_operator.decision.goal.wanted import bake_control, split, stage_weight
from pitwall_operator.decision.weighing.analyze import counting, stage_context
from pitwall_operator.decision.weighing.closing import SETTLING_SECONDS, is_comparable
from pitwall_operator.gates import GateEvidence, StageContext, StageKind
from pitwall_operator.gates.counting import blocks, counters
from pitwall_operator.gates.counting.expected import Flow, TrafficNow, imagined, step_seconds
from pitwall_operator.gates.course import Course, CourseEnding, ProofGoal, acting, follow
from pitwall_operator.gates.processes import promote_margin
from pitwall_operator.gates.roles import harm_roles, proof_roles
from pitwall_operator.values.stages import stage_name, stage_phase

FACTORS: Final = (1.5, 2.0)
"""How many times as bad the bad candidates are that are told of."""


@dataclass(frozen=True, slots=True)
class GatePlan:
    """One gate in one stage: seconds and trials of the candidate until a healthy one is proven, or why never."""

    gate: str
    seconds: float | None
    trials: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a healthy candidate.

    Attributes:
        seconds: how long it lasts; None: for ever.
        decided_by: the gate that takes longest, or the field of the spec that says how long at least.
    """

    name: str
    share: float
    seconds: float | None
    decided_by: str
    gates: tuple[GatePlan, ...]
    waits_for_person: bool = False


@dataclass(frozen=True, slots=True)
class BadPlan:
    """What becomes of a candidate that is `factor` times as bad at one gate and as good as the stable at all others.

    `questions` are those that it answers until it is found; None where it never is, and `reason` says why. Where it is
    found and not taken off, `reason` says what happens instead.
    """

    gate: str
    factor: float
    questions: float | None
    seconds: float | None = None
    stage: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All stages, and all bad candidates."""

    stages: tuple[StagePlan, ...]
    bad: tuple[BadPlan, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """One stage as gates know it: its context, the traffic in it, and which gates count and are compared."""

    index: int
    context: StageContext
    flow: Flow
    deciding: frozenset[str]
    compared: frozenset[str]


def legs(spec: RolloutSpec, traffic: TrafficNow, full_replicas: int) -> tuple[Leg, ...]:
    """All stages at this traffic."""
    return tuple(_leg(spec, traffic, index, full_replicas) for index in range(len(spec.stages)))


def _leg(spec: RolloutSpec, traffic: TrafficNow, index: int, full_replicas: int) -> Leg:
    status = RolloutStatus(
        phase=stage_phase(spec, index), stage_index=index, stable_variant="stable", candidate_variant="candidate"
    )
    shares = split(status, stage_weight(spec, status) - bake_control(spec, status))
    weights = tuple(
        ArmWeight(arm=share.arm, variant=share.variant, weight_basis_points=share.weight) for share in shares
    )
    status = status.model_copy(update={"weights": weights})
    rates = {share.arm: traffic.questions_per_second * share.weight / FULL_WEIGHT for share in shares}
    shadow, total = spec.stages[index].shadow, traffic.questions_per_second
    flow = Flow(
        candidate=rates.get(Arm.CANDIDATE, 0.0),
        control=rates.get(Arm.CONTROL, 0.0),
        stable=rates.get(Arm.STABLE, 0.0),
        copies=total * shadow.percent / 100 if shadow else 0.0,
    )
    compared = (gate for gate in spec.analysis.gates if is_comparable(spec, status, gate, full_replicas))
    in_shadow = status.phase is Phase.SHADOW
    return Leg(
        index,
        stage_context(spec, status),
        flow,
        frozenset(gate.name for gate in counting(spec, status, full_replicas)),
        frozenset(gate.name for gate in compared if not in_shadow or counters.measurable_in_shadow(gate)),
    )


@dataclass(frozen=True, slots=True)
class PlannedCandidate:
    """What a gate has seen of a candidate that is so many times as bad as the stable variant."""

    factor: float
    evidence: GateEvidence


def plan(spec: RolloutSpec, traffic: TrafficNow, *, full_replicas: int = 1) -> Plan:
    """The plan of a rollout at this traffic."""
    way = legs(spec, traffic, full_replicas)
    stages = tuple(stage_plan(spec, traffic, leg) for leg in way)
    bad = tuple(
        bad_plan(spec, traffic, gate, way, stages, factor) for gate in spec.analysis.gates for factor in FACTORS
    )
    return Plan(stages, bad)


def stage_plan(spec: RolloutSpec, traffic: TrafficNow, leg: Leg) -> StagePlan:
    """How long a healthy candidate stays in a stage."""
    stage = spec.stages[leg.index]
    is_bake = leg.context.kind is StageKind.BAKE
    gates = () if is_bake else tuple(gate_plan(spec, traffic, gate, leg) for gate in _of(spec, leg.deciding))
    baked = is_bake and stage.bake_seconds > stage.min_seconds
    least = float(stage.bake_seconds if baked else stage.min_seconds)
    seconds, decided_by = least, "bakeSeconds" if baked else "minSeconds"
    if not gates and not is_bake:
        seconds, decided_by = inf, "no gate can be measured here"
    for gate in gates:
        lasts = inf if gate.seconds is None else gate.seconds
        if lasts > seconds:
            seconds, decided_by = lasts, gate.gate
    return StagePlan(
        stage_name(spec, leg.index),
        (FULL_WEIGHT if is_bake else stage.weight) / FULL_WEIGHT,
        None if seconds == inf else seconds,
        decided_by,
        gates,
        stage.approval is Approval.MANUAL,
    )


def _of(spec: RolloutSpec, names: frozenset[str]) -> Iterator[Gate]:
    return (gate for gate in spec.analysis.gates if gate.name in names)


def gate_plan(spec: RolloutSpec, traffic: TrafficNow, gate: Gate, leg: Leg) -> GatePlan:
    """How long one gate's proof takes in a stage."""
    if reason := _trialless(traffic, gate):
        return GatePlan(gate.name, None, reason=reason)
    proofs = proof_roles(gate, spec.analysis, leg.context)
    evidence = acting(gate, spec.analysis, [leg.context], harm=False)
    course, step = _run(spec, traffic, gate, leg, ProofGoal(proofs), PlannedCandidate(1.0, evidence))
    if course.ending is not CourseEnding.PASSED:
        return GatePlan(gate.name, None, reason=_unproven(traffic, gate, leg))
    per_second = traffic.of(gate).trials_per_question * leg.flow.candidate or leg.flow.copies
    seconds = course.blocks * step
    return GatePlan(gate.name, _left_out(spec, traffic, gate, leg) + seconds, seconds * per_second)


def _run(
    spec: RolloutSpec, traffic: TrafficNow, gate: Gate, leg: Leg, goal: ProofGoal, candidate: PlannedCandidate
) -> tuple[Course, float]:
    """One gate through one stage, and how long its blocks are; the goal's least time is in seconds here."""
    now, flow = traffic.of(gate), _shared(spec, gate, leg.flow)
    step = step_seconds(now, flow, block_seconds(spec, traffic))
    counted = imagined(gate, now, flow, candidate.factor, step)
    due = ProofGoal(goal.proofs, goal.harms, goal.least_blocks / step)
    return follow(candidate.evidence, due, counted, leg.context.kind), step


def _shared(spec: RolloutSpec, gate: Gate, flow: Flow) -> Flow:
    alike = gate.is_about_answers or not spec.control.dedicated
    return Flow(flow.candidate, flow.control, flow.stable, flow.copies, shared=alike)


def block_seconds(spec: RolloutSpec, traffic: TrafficNow) -> float:
    """How long blocks are: as the spec says, or as gateways measure."""
    return float(spec.analysis.block_seconds or traffic.block_seconds or blocks.UNKNOWN_SECONDS)


def _left_out(spec: RolloutSpec, traffic: TrafficNow, gate: Gate, leg: Leg) -> float:
    """Seconds at a stage's beginning of which nothing is weighed: labels on their way, and warming up once, in whole
    blocks."""
    first = not leg.index or (
        leg.index == 1 and bool(spec.stages[0].shadow) and not counters.measurable_in_shadow(gate)
    )
    warmup = gate.warmup(dedicated_control=spec.control.dedicated) if first else 0
    labels = traffic.of(gate).label_delay if leg.context.kind is not StageKind.SHADOW else 0.0
    left_out = max(warmup, labels + SETTLING_SECONDS if labels else 0.0)
    block = block_seconds(spec, traffic)
    return math.ceil(left_out / block) * block


def _trialless(traffic: TrafficNow, gate: Gate) -> str:
    if not traffic.questions_per_second:
        return "no questions come"
    return "" if traffic.of(gate).trials_per_question else "no question becomes a trial of this gate"


def _unproven(traffic: TrafficNow, gate: Gate, leg: Leg) -> str:
    """Why a healthy candidate is never proven to be one."""
    rate = traffic.of(gate).bad_rate
    if gate.rate is None or leg.context.kind is StageKind.SHADOW:
        return "evidence does not grow at these rates"
    if gate.absolute_margin_basis_points:
        return f"absoluteMarginBasisPoints {gate.absolute_margin_basis_points} is too little for this traffic"
    margin = promote_margin(gate, leg.context.canary_index)
    if not rate:
        return "bad trials never happen, and a ratio of what never happens cannot be proven"
    if (1 + margin / 100) * rate >= 1:
        return f"promoteMarginPercent {margin} of {100 * rate:g} % bad ones would be more than all"
    return f"promoteMarginPercent {margin} of {100 * rate:g} % is too little for this traffic"


def bad_plan(
    spec: RolloutSpec, traffic: TrafficNow, gate: Gate, way: Sequence[Leg], stages: Sequence[StagePlan], factor: float
) -> BadPlan:
    """How far a candidate comes that is so many times as bad at one gate, and nowhere else."""
    if reason := _trialless(traffic, gate) or _harmless(traffic, gate, factor):
        return BadPlan(gate.name, factor, None, reason=reason)
    evidence = acting(gate, spec.analysis, [leg.context for leg in way], harm=True)
    seconds = questions = 0.0
    for leg, stage in zip(way, stages, strict=True):
        lasts = inf if stage.seconds is None else stage.seconds
        if gate.name in leg.compared:
            left_out = _left_out(spec, traffic, gate, leg)
            decides = gate.name in leg.deciding and leg.context.kind is not StageKind.BAKE
            proofs = proof_roles(gate, spec.analysis, leg.context) if decides else ()
            goal = ProofGoal(proofs, harm_roles(gate, spec.analysis), max(lasts - left_out, 0.0))
            course, step = _run(spec, traffic, gate, leg, goal, PlannedCandidate(factor, evidence.renewed()))
            evidence, lasts = course.evidence, left_out + course.blocks * step
            if course.ending is CourseEnding.HELD:
                return BadPlan(gate.name, factor, None, stage=stage.name, reason=f"held at {stage.name}, never proven")
            if course.ending is CourseEnding.FOUND:
                reached = questions + leg.flow.candidate * lasts
                held = "then held until a person acts" if gate.on_harm is OnHarm.HOLD else ""
                return BadPlan(gate.name, factor, reached, seconds + lasts, stage.name, held)
        if lasts == inf:
            return BadPlan(gate.name, factor, None, stage=stage.name, reason=f"held at {stage.name} by other gates")
        seconds, questions = seconds + lasts, questions + leg.flow.candidate * lasts
    return BadPlan(gate.name, factor, None, seconds, reason="not found: it passes every stage before")


def _harmless(traffic: TrafficNow, gate: Gate, factor: float) -> str:
    if gate.on_harm is OnHarm.OBSERVE:
        return "onHarm Observe: never off"
    if gate.rate is not None and not traffic.of(gate).bad_rate:
        return "bad trials never happen now, and so many times nothing is nothing"
    if factor <= 1 + gate.margin_percent / 100 and not gate.objective:
        return f"within marginPercent {gate.margin_percent}: no harm"
    return ""
