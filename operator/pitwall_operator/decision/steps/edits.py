"""Adapts the status of a running rollout to a spec that was edited meanwhile.

Evidence stays as long as it is about the same question. A gate that counts something else begins anew. A candidate
whose stage is gone goes back to one that gives it no more traffic than it has. Pure: no clock, chance or I/O.
"""

from pitwall_crds.names import Arm
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import GateStatus, Phase, RolloutStatus
from pitwall_operator.decision.steps import transitions
from pitwall_operator.decision.weighing.analyze import fresh_gate
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.gates.rule import rule_of
from pitwall_operator.values.stages import stage_name, stage_phase


def fitted(spec: RolloutSpec, status: RolloutStatus, now: float) -> RolloutStatus:
    """The status with exactly the gates of the spec, and in one of its stages; the same while nothing was edited."""
    return _placed(spec, _asked(spec, status), now) if status.candidate_variant else status


def _asked(spec: RolloutSpec, status: RolloutStatus) -> RolloutStatus:
    """The gates that the spec has now; cursors remember those only that count what they counted."""
    known = {gate.name: gate for gate in status.gates}
    gates = tuple(_kept(spec, gate, known.get(gate.name), status.last_block_time) for gate in spec.analysis.gates)
    if gates == status.gates:
        return status
    same = {gate.name for gate in gates if gate.name in known and known[gate.name].begun_after == gate.begun_after}
    cursor = Cursor.from_state(status.cursor).without(frozenset(same)).to_state()
    return status.model_copy(update={"gates": gates, "cursor": cursor})


def _kept(spec: RolloutSpec, gate: Gate, known: GateStatus | None, last_block_time: str) -> GateStatus:
    """The gate's evidence, or none if it counts something else now; the candidate is as warm as it was."""
    rule = rule_of(gate)
    if known is not None and (known.rule == rule or not (known.rule or known.state)):
        return known.model_copy(update={"rule": rule})
    since = known.first_trial_time if known else ""
    return fresh_gate(gate, spec.analysis, last_block_time).model_copy(update={"first_trial_time": since})


def _placed(spec: RolloutSpec, status: RolloutStatus, now: float) -> RolloutStatus:
    index = _index(spec, status)
    is_same = (index, stage_phase(spec, index)) == (status.stage_index, status.phase)
    if is_same and status.stage in ("", _word(spec, index)):
        return status
    why = f"stage {status.stage} is no longer in spec.stages as it was"
    if status.stage == _word(spec, index):
        moved = status.model_copy(update={"stage_index": index, "phase": stage_phase(spec, index)})
    else:
        moved = transitions.enter_stage(spec, status, now, index, why=why)
    approved = index if status.approved_stage == status.stage_index else -1
    return moved.model_copy(update={"approved_stage": approved})


def _index(spec: RolloutSpec, status: RolloutStatus) -> int:
    """Where the candidate is: in the stage of the same name, else in the last that gives it no more than it has."""
    words = [_word(spec, index) for index in range(len(spec.stages))]
    if status.stage_index < len(words) and words[status.stage_index] == status.stage:
        return status.stage_index
    if status.stage in words:
        return words.index(status.stage)
    has = sum(share.weight_basis_points for share in status.weights if share.arm is Arm.CANDIDATE)
    return max((index for index, stage in enumerate(spec.stages) if stage.weight <= has), default=0)


def _word(spec: RolloutSpec, index: int) -> str:
    """The stage as the status names it."""
    return Phase.BAKE.lower() if stage_phase(spec, index) is Phase.BAKE else stage_name(spec, index)
