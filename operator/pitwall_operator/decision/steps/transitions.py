"""The transitions with which a candidate's run begins, changes stage and ends, each with its entry in the history.

Pure: no clock, chance or I/O.
"""

import hashlib

from pitwall_crds.host.printable import printable
from pitwall_crds.names import EventReason, Pool
from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_crds.rollout.status import (
    FastTrack,
    FlaggedOff,
    HistoryEntry,
    Phase,
    RolloutStatus,
    ServedVariant,
    Verdict,
)
from pitwall_operator.decision.weighing.analyze import at_stage_start, fresh_gates
from pitwall_operator.values import timestamps
from pitwall_operator.values.stages import stage_name, stage_phase

HISTORY_LIMIT = 32
FLAGGED_OFF_LIMIT = 16
SERVED_LIMIT = 8
SERVING_POOL = Pool.MAIN
"""The pool of a variant that serves everybody."""


def note(status: RolloutStatus, now: float, reason: EventReason, message: str, *, variant: str = "") -> RolloutStatus:
    """The status with one more entry of history; the oldest goes when there are too many."""
    entry = HistoryEntry(
        time=timestamps.to_text(now), reason=reason, message=printable(message)[:1024], variant=variant
    )
    return status.model_copy(update={"history": (*status.history, entry)[-HISTORY_LIMIT:]})


def _salt(rollout: Rollout, revision: str, nonce: str) -> str:
    """A new order of users for every run, which nobody can compute beforehand. A crash before the status is written
    leaves nothing by it, so another one may be drawn then."""
    status, metadata = rollout.status, rollout.metadata
    wanted = (metadata.uid, rollout.spec.flag, rollout.spec.variant_ref.name, revision, status.run_id, nonce)
    return hashlib.sha256("|".join(wanted).encode()).hexdigest()[:16]


def enter_stage(spec: RolloutSpec, status: RolloutStatus, now: float, index: int, *, why: str) -> RolloutStatus:
    """The status at the start of a stage."""
    entered = status.model_copy(
        update={
            "stage_index": index,
            "phase": stage_phase(spec, index),
            "stage_start_time": timestamps.to_text(now),
            "stage_entered_time": timestamps.to_text(now),
            "unwatched_seconds": 0,
            "waiting_since": "",
            "gates": at_stage_start(status),
        }
    )
    message = f"{status.candidate_variant} enters stage {stage_name(spec, index)}: {why}"
    return note(entered, now, EventReason.STAGE_STARTED, message, variant=status.candidate_variant)


def begin(rollout: Rollout, revision: str, now: float, nonce: str, *, track: FastTrack | None = None) -> RolloutStatus:
    """The status at the start of a candidate's run; all evidence begins anew, and a run under way ends. One on a fast
    track begins where that does."""
    name, status = rollout.spec.variant_ref.name, rollout.status
    if status.candidate_variant:
        status = withdraw(status, now, why=replaced_by(status, name, revision))
    status = status.model_copy(
        update={
            "candidate_variant": name,
            "candidate_revision": revision,
            "run_id": _salt(rollout, revision, nonce),
            "run_start_time": timestamps.to_text(now),
            "last_block_time": "",
            "block_seconds": 0,
            "block_reason": "",
            "plan": (),
            "gates": fresh_gates(rollout.spec),
            "cursor": {},
            "approved_stage": -1,
            "fast_track": track,
            "verdict": Verdict.UNMEASURED,
        }
    )
    if track is not None:
        return enter_stage(rollout.spec, status, now, track.stages[0], why=track.reason)
    return enter_stage(rollout.spec, status, now, 0, why=f"it is to replace {status.stable_variant}")


def _without_candidate(status: RolloutStatus, phase: Phase) -> RolloutStatus:
    return status.model_copy(
        update={
            "candidate_variant": "",
            "candidate_revision": "",
            "phase": phase,
            "stage_index": 0,
            "cursor": {},
            "waiting_since": "",
            "disturbed": "",
            "silent_since": "",
            "fast_track": None,
            "verdict": Verdict.UNMEASURED,
        }
    )


def replaced_by(status: RolloutStatus, variant: str, revision: str) -> str:
    """Why a run ends when the spec asks for another variant or revision than its candidate's."""
    if variant == status.candidate_variant:
        return f"its spec was edited, {revision} follows {status.candidate_revision}"
    return f"the spec asks for {variant} now"


def serve_first(status: RolloutStatus, now: float, variant: str, revision: str) -> RolloutStatus:
    """The first variant of a flag is ready and serves everybody."""
    first = status.model_copy(
        update={"stable_variant": variant, "stable_revision": revision, "phase": Phase.STABLE, "waiting_since": ""}
    )
    message = f"{variant} serves everybody: it is the first variant of this flag"
    return note(first, now, EventReason.PROMOTED, message, variant=variant)


def adopt(status: RolloutStatus, now: float, variant: str, revision: str, run: str, *, words: str) -> RolloutStatus:
    """A Rollout that was made anew finds what serves; the words say by what."""
    adopted = status.model_copy(
        update={
            "stable_variant": variant,
            "stable_revision": revision,
            "run_id": status.run_id or run,
            "phase": Phase.STABLE,
        }
    )
    message = f"{variant} serves already, {words}, at revision {revision}; this Rollout was made anew"
    return note(adopted, now, EventReason.ADOPTED, message, variant=variant)


def promote(status: RolloutStatus, now: float, *, why: str) -> RolloutStatus:
    """The candidate becomes the stable variant."""
    proven = status.verdict if status.verdict is Verdict.NON_INFERIOR else Verdict.UNMEASURED
    winner = {
        "stable_variant": status.candidate_variant,
        "stable_revision": status.candidate_revision,
        "verdict": proven,
        "served": _served(status, now),
    }
    promoted = _without_candidate(status, Phase.STABLE).model_copy(update=winner)
    return note(
        promoted,
        now,
        EventReason.PROMOTED,
        f"{status.candidate_variant} serves everybody: {why}",
        variant=status.candidate_variant,
    )


def _served(status: RolloutStatus, now: float) -> tuple[ServedVariant, ...]:
    """What served before, with what serves until now as the last; each once."""
    known = (status.stable_variant, status.stable_revision)
    others = (one for one in status.served if (one.variant, one.revision) != known)
    last = ServedVariant(variant=known[0], revision=known[1], until=timestamps.to_text(now))
    return (*others, last)[-SERVED_LIMIT:]


def flag_off(status: RolloutStatus, now: float, *, gate: str, why: str) -> RolloutStatus:
    """The candidate is off until its spec changes or a retry is asked; its evidence stays for the record."""
    entry = FlaggedOff(
        variant=status.candidate_variant,
        revision=status.candidate_revision,
        gate=gate,
        message=why[:1024],
        time=timestamps.to_text(now),
    )
    verdict = Verdict.HARMFUL if gate else Verdict.UNMEASURED  # a deadline says nothing of the sampler
    off = _without_candidate(status, Phase.FLAGGED_OFF).model_copy(
        update={"flagged_off": (*status.flagged_off, entry)[-FLAGGED_OFF_LIMIT:], "verdict": verdict}
    )
    return note(
        off,
        now,
        EventReason.FLAGGED_OFF,
        f"{status.candidate_variant} is flagged off: {why}",
        variant=status.candidate_variant,
    )


def abort(status: RolloutStatus, now: float, *, why: str) -> RolloutStatus:
    """A person (or the kill switch) took the candidate off; it stays off like a harmful one, with another reason."""
    return take_off(status, now, status.candidate_variant, status.candidate_revision, why=why)


def revoke(status: RolloutStatus, now: float, stable: str, revision: str, *, why: str) -> RolloutStatus:
    """What was promoted a moment ago is off, and the variant before it is stable again."""
    before = {"stable_variant": stable, "stable_revision": revision}
    return take_off(status, now, status.stable_variant, status.stable_revision, why=why).model_copy(update=before)


def take_off(status: RolloutStatus, now: float, variant: str, revision: str, *, why: str) -> RolloutStatus:
    """A variant is off without evidence, whether it is on its way or not."""
    entry = FlaggedOff(
        variant=variant,
        revision=revision,
        gate="",
        message=why[:1024],
        time=timestamps.to_text(now),
        aborted=True,
    )
    aborted = _without_candidate(status, Phase.ABORTED).model_copy(
        update={"flagged_off": (*status.flagged_off, entry)[-FLAGGED_OFF_LIMIT:]}
    )
    return note(aborted, now, EventReason.ABORTED, f"{variant} was aborted: {why}", variant=variant)


def withdraw(status: RolloutStatus, now: float, *, why: str) -> RolloutStatus:
    """The candidate's run ends without a verdict, because the spec asks for something else."""
    message = f"{status.candidate_variant} was withdrawn: {why}"
    return note(
        _without_candidate(status, Phase.STABLE), now, EventReason.WITHDRAWN, message, variant=status.candidate_variant
    )
