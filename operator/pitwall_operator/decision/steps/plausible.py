"""Heals a status that cannot be, since somebody or another version wrote it: what cannot be is told, and forgotten.

Pure: no clock, chance or I/O.
"""

import zlib
from typing import Any, Final

from pitwall_crds.names import EventReason
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import GateStatus, Phase, RolloutStatus
from pitwall_operator.decision.steps import transitions
from pitwall_operator.decision.weighing.analyze import fresh_gate
from pitwall_operator.gates import GateEvidence
from pitwall_operator.gates.counting.latency_thresholds import edges_of
from pitwall_operator.values import timestamps
from pitwall_operator.values.stages import stage_phase

MOVING: Final = (Phase.SHADOW, Phase.CANARY, Phase.BAKE)
UNREADABLE: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, zlib.error)
"""What reading a memory can raise that this version did not write."""
TIMES: Final = (
    "run_start_time", "stage_start_time", "stage_entered_time", "waiting_since", "last_block_time", "silent_since",
)  # fmt: skip
TIMES_WITHIN: Final = {"gates": "first_trial_time", "served": "until", "flagged_off": "time", "history": "time"}
"""The time of each entry of a list."""
PLACES: Final = ("phase", "stage_index", "candidate_variant", "candidate_revision", "stable_variant")


def plausible(spec: RolloutSpec, status: RolloutStatus, now: float) -> RolloutStatus:
    """The status, or the nearest one that can be: in a stage that fits its candidate, or in none. The history says
    what could not be."""
    healed = _placed(spec, _timed(status))
    if healed == status:
        return status
    wrong = [f"{name} {getattr(status, name)!s} became {getattr(healed, name)!s}" for name in (*PLACES, *TIMES)
             if getattr(status, name) != getattr(healed, name)]  # fmt: skip
    wrong += [
        f"{name} held a {time} that is none"
        for name, time in TIMES_WITHIN.items()
        if not all(_is_time(getattr(entry, time)) for entry in getattr(status, name))
    ]
    return _told(healed, now, "; ".join(wrong))


def readable(spec: RolloutSpec, status: RolloutStatus, now: float) -> RolloutStatus:
    """The status without memories that cannot be read: such a gate begins anew, and counting goes on from now."""
    gates = tuple(_readable(spec, status, gate) for gate in status.gates)
    known = {gate.name: gate for gate in status.gates}
    wrong = [f"the evidence of gate {gate.name}" for gate in gates if gate != known[gate.name]]
    healed = status.model_copy(update={"gates": gates, "cursor": {}, "users": {}})
    return _told(healed, now, "; ".join(wrong or ["what was counted last"]) + " cannot be read, and begins anew")


def _told(healed: RolloutStatus, now: float, wrong: str) -> RolloutStatus:
    message = f"its status could not be: {wrong}"
    return transitions.note(healed, now, EventReason.BROKEN, message, variant=healed.candidate_variant)


def _timed(status: RolloutStatus) -> RolloutStatus:
    wrong: dict[str, Any] = {name: "" for name in TIMES if not _is_time(getattr(status, name))}
    for name, time in TIMES_WITHIN.items():
        entries = getattr(status, name)
        if not all(_is_time(getattr(entry, time)) for entry in entries):
            wrong[name] = tuple(
                entry if _is_time(getattr(entry, time)) else entry.model_copy(update={time: ""}) for entry in entries
            )
    return status.model_copy(update=wrong) if wrong else status


def _is_time(text: str) -> bool:
    try:
        timestamps.to_epoch(text)
    except (ValueError, OverflowError):
        return False
    return True


def _placed(spec: RolloutSpec, status: RolloutStatus) -> RolloutStatus:
    if not status.stable_variant and (status.candidate_variant or status.phase in MOVING):
        return RolloutStatus(
            flagged_off=status.flagged_off,
            run_id=status.run_id,
            history=status.history,
            last_action_id=status.last_action_id,
            past_action_ids=status.past_action_ids,
        )
    if status.candidate_variant and not (status.run_id and status.candidate_revision):
        status = status.model_copy(update={"candidate_variant": "", "candidate_revision": ""})
    if not status.candidate_variant:
        if status.phase not in MOVING and status.stage_index < len(spec.stages):
            return status
        phase = Phase.STABLE if status.phase in MOVING else status.phase
        return status.model_copy(update={"phase": phase, "stage_index": 0})
    if status.phase in MOVING:
        return status
    index = min(status.stage_index, len(spec.stages) - 1)
    return status.model_copy(update={"stage_index": index, "phase": stage_phase(spec, index)})


def _readable(spec: RolloutSpec, status: RolloutStatus, known: GateStatus) -> GateStatus:
    gate = next((gate for gate in spec.analysis.gates if gate.name == known.name), None)
    if gate is None:
        return known
    try:
        GateEvidence.from_state(gate, spec.analysis, known.state)
        edges_of(known.tail)
    except UNREADABLE:
        return fresh_gate(gate, spec.analysis, status.last_block_time)
    return known
