"""The transitions with which a candidate's run begins, changes stage and ends, each with its entry in the history.

Pure: no clock, chance or I/O.
"""

import hashlib

from pitwall_crds.names import EventReason
from pitwall_crds.rollout import Rollout, RolloutSpec
from pitwall_crds.status import FlaggedOff, HistoryEntry, Phase, RolloutStatus, Verdict
from pitwall_operator.decision.analyze import at_stage_start, fresh_gates
from pitwall_operator.values import timestamps
from pitwall_operator.values.stages import stage_name, stage_phase

HISTORY_LIMIT = 32
FLAGGED_OFF_LIMIT = 16


def note(status: RolloutStatus, now: float, reason: EventReason, message: str, *, variant: str = "") -> RolloutStatus:
    """The status with one more entry of history; the oldest goes when there are too many."""
    entry = HistoryEntry(time=timestamps.to_text(now), reason=reason, message=message[:1024], variant=variant)
    return status.model_copy(update={"history": (*status.history, entry)[-HISTORY_LIMIT:]})


def _salt(rollout: Rollout, revision: str) -> str:
    """A new order of users for every run; the same when a crash made its begin be decided again."""
    wanted = (rollout.spec.flag, rollout.spec.variant_ref.name, revision, rollout.status.run_id)
    return hashlib.sha256("|".join(wanted).encode()).hexdigest()[:12]


def enter_stage(spec: RolloutSpec, status: RolloutStatus, now: float, index: int, *, why: str) -> RolloutStatus:
    """The status at the start of a stage."""
    entered = status.model_copy(
        update={
            "stage_index": index,
            "phase": stage_phase(spec, index),
            "stage_start_time": timestamps.to_text(now),
            "gates": at_stage_start(status),
        }
    )
    message = f"{status.candidate_variant} enters stage {stage_name(spec, index)}: {why}"
    return note(entered, now, EventReason.STAGE_STARTED, message, variant=status.candidate_variant)


def begin(rollout: Rollout, revision: str, now: float) -> RolloutStatus:
    """The status at the start of a candidate's run; all evidence begins anew."""
    status = rollout.status.model_copy(
        update={
            "candidate_variant": rollout.spec.variant_ref.name,
            "candidate_revision": revision,
            "run_id": _salt(rollout, revision),
            "run_start_time": timestamps.to_text(now),
            "last_block_time": "",
            "block_seconds": 0,
            "block_reason": "",
            "plan": (),
            "gates": fresh_gates(rollout.spec),
            "cursor": {},
            "approved_stage": -1,
            "verdict": Verdict.UNMEASURED,
        }
    )
    return enter_stage(rollout.spec, status, now, 0, why=f"it is to replace {status.stable_variant}")


def _without_candidate(status: RolloutStatus, phase: Phase) -> RolloutStatus:
    return status.model_copy(
        update={"candidate_variant": "", "candidate_revision": "", "phase": phase, "stage_index": 0, "cursor": {}}
    )


def promote(status: RolloutStatus, now: float, *, why: str) -> RolloutStatus:
    """The candidate becomes the stable variant."""
    winner = {"stable_variant": status.candidate_variant, "stable_revision": status.candidate_revision}
    promoted = _without_candidate(status, Phase.STABLE).model_copy(update=winner)
    return note(
        promoted,
        now,
        EventReason.PROMOTED,
        f"{status.candidate_variant} serves everybody: {why}",
        variant=status.candidate_variant,
    )


def flag_off(status: RolloutStatus, now: float, *, gate: str, why: str) -> RolloutStatus:
    """The candidate is off until its spec changes or a retry is asked; its evidence stays for the record."""
    entry = FlaggedOff(
        variant=status.candidate_variant,
        revision=status.candidate_revision,
        gate=gate,
        message=why[:1024],
        time=timestamps.to_text(now),
    )
    off = _without_candidate(status, Phase.FLAGGED_OFF).model_copy(
        update={"flagged_off": (*status.flagged_off, entry)[-FLAGGED_OFF_LIMIT:], "verdict": Verdict.HARMFUL}
    )
    return note(
        off,
        now,
        EventReason.FLAGGED_OFF,
        f"{status.candidate_variant} is flagged off: {why}",
        variant=status.candidate_variant,
    )


def abort(status: RolloutStatus, now: float, *, why: str, revision: str = "") -> RolloutStatus:
    """A person (or the kill switch) took the candidate off; it stays off like a harmful one, with another reason."""
    entry = FlaggedOff(
        variant=status.candidate_variant,
        revision=revision or status.candidate_revision,
        gate="",
        message=why[:1024],
        time=timestamps.to_text(now),
    )
    aborted = _without_candidate(status, Phase.ABORTED).model_copy(
        update={"flagged_off": (*status.flagged_off, entry)[-FLAGGED_OFF_LIMIT:]}
    )
    return note(
        aborted,
        now,
        EventReason.ABORTED,
        f"{status.candidate_variant} was aborted: {why}",
        variant=status.candidate_variant,
    )


def withdraw(status: RolloutStatus, now: float, *, why: str = "") -> RolloutStatus:
    """The candidate's run ends without a verdict, by default because the spec asks for the stable variant again."""
    why = why or f"the spec asks for {status.stable_variant} again"
    message = f"{status.candidate_variant} was withdrawn: {why}"
    return note(
        _without_candidate(status, Phase.STABLE), now, EventReason.ABORTED, message, variant=status.candidate_variant
    )
