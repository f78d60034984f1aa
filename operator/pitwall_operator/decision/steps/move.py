"""Moves a rollout to its next stage, holds it, or rolls it back; and says why.

Pure: no clock, chance or I/O.
"""

from typing import Final

from pitwall_crds.rollout.gate import OnHarm
from pitwall_crds.rollout.rollout import Approval, OnInconclusive, RolloutSpec
from pitwall_crds.rollout.status import Phase, RolloutStatus, Verdict
from pitwall_operator.decision.steps import transitions
from pitwall_operator.decision.steps.choose_candidate import closed, entry_of
from pitwall_operator.decision.steps.shortcuts import following
from pitwall_operator.decision.steps.waiting import waits_for
from pitwall_operator.decision.weighing.analyze import Judgement
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation, Unseen

MOVING = (Phase.SHADOW, Phase.CANARY, Phase.BAKE)
LEAST_BAKED: Final = 30
"""Questions that a bake must have counted: of a candidate that fails each of them fewer are proof."""


def move(
    spec: RolloutSpec, status: RolloutStatus, seen: Observation, judgement: Judgement
) -> tuple[RolloutStatus, str]:
    """The status after this judgement, and why it is so."""
    if status.phase not in MOVING:
        return status, _resting(spec, status, seen)
    status, harm = heed_harm(spec, status, judgement, seen.now)
    if harm:
        return status, harm
    held = _held(spec, status, seen, judgement)
    if held:
        return _at_deadline(spec, status, seen, judgement, held)
    return _advance(spec, status, seen, judgement)


def heed_harm(
    spec: RolloutSpec, status: RolloutStatus, judgement: Judgement, now: float
) -> tuple[RolloutStatus, str]:  # fmt: skip
    """The status of a moving rollout with its verdict; off where a gate that flags off says harm, and then why."""
    status = status.model_copy(update={"verdict": judgement.verdict})
    harmful = judgement.having(Verdict.HARMFUL)
    undoes = status.fast_track is not None and status.fast_track.undo
    for gate in spec.analysis.gates:
        if gate.name in harmful and gate.on_harm is OnHarm.FLAG_OFF and not undoes:
            why = f"{gate.name} harmful: {judgement.assessments[gate.name].message}"
            return transitions.flag_off(status, now, gate=gate.name, why=why), why
    return status, ""


def _resting(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    match status.phase:
        case Phase.FLAGGED_OFF | Phase.ABORTED if status.flagged_off:
            name = spec.variant_ref.name
            revision = seen.variants[name].revision if name in seen.variants else ""
            return (entry_of(status, (name, revision)) or status.flagged_off[-1]).message
        case Phase.STABLE:
            return f"{status.stable_variant} serves everybody"
        case _:
            return ""


def _elapsed(status: RolloutStatus, seen: Observation) -> float:
    """Seconds since the stage's traffic began."""
    return seen.now - timestamps.to_epoch(status.stage_start_time)


def _is_overdue(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> bool:
    """Whether the stage's deadline passed; what was waited for capacity counts, and when nobody could look does not."""
    limit, entered = spec.stages[status.stage_index].max_seconds, status.stage_entered_time or status.stage_start_time
    return bool(limit) and seen.now - timestamps.to_epoch(entered) - status.unwatched_seconds >= limit


def _blocked(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """What keeps the stage from having begun at all; empty if its traffic flows."""
    if spec.paused:
        return "paused"
    if isinstance(seen.split, Unseen):
        return f"the split cannot be seen: {seen.split.reason}"
    return waits_for(spec, status, seen)


def _held(spec: RolloutSpec, status: RolloutStatus, seen: Observation, judgement: Judgement) -> str:
    """Why the rollout stays in its stage; empty if it may go on."""
    stage = spec.stages[status.stage_index]
    approved = status.approved_stage == status.stage_index
    blocked = _blocked(spec, status, seen)
    if status.fast_track is not None:
        return blocked or _before_the_next(spec, status, seen)
    if blocked or (approved and stage.approval is Approval.AUTOMATIC):
        return blocked
    unproven = _unproven(status, judgement) or _unbaked(spec, status, judgement)
    if unproven:
        return unproven
    least = _least_seconds(spec, status)
    unwatched = status.unwatched_seconds if status.phase is Phase.BAKE else 0
    if _elapsed(status, seen) < least + unwatched:
        # A time rather than a countdown: a status that says the same is not written again.
        end = timestamps.to_text(timestamps.to_epoch(status.stage_start_time) + least + unwatched)
        silent = _silent(spec, status, judgement)
        blind = f" and {unwatched} s in which nothing was measured" if unwatched else ""
        return f"nothing speaks against it{silent}; this stage lasts {least} s{blind}, until {end[11:19]} UTC"
    if stage.approval is Approval.MANUAL and not approved:
        return "waiting for a person to approve: pitwall promote"
    if not spec.schedule.is_open(seen.now):
        return f"proven, but {closed(spec, seen.now)}"
    return ""


def _silent(spec: RolloutSpec, status: RolloutStatus, judgement: Judgement) -> str:
    """Which gates say nothing here, since the arms' pods are loaded unlike each other, and have no objective either."""
    if status.phase is Phase.SHADOW:
        return ""
    gates = [gate for gate in spec.analysis.gates if gate.is_about_pods and gate.on_harm is not OnHarm.OBSERVE]
    names = [gate.name for gate in gates if gate.name not in judgement.assessments and not gate.objective]
    if not names:
        return ""
    held = {gate.name for gate in status.gates if "gross" in gate.state.get("totals", {})}
    but = "an objective acts" if held.isdisjoint(names) else "if grossly slow by stable's record, it is off"
    return f" ({', '.join(names)} not compared: the arms' pods are loaded unlike; {but})"


def _least_seconds(spec: RolloutSpec, status: RolloutStatus) -> int:
    stage = spec.stages[status.stage_index]
    return max(stage.min_seconds, stage.bake_seconds if status.phase is Phase.BAKE else 0)


def _unbaked(spec: RolloutSpec, status: RolloutStatus, judgement: Judgement) -> str:
    """What a bake lacks to say anything: it asks for no proof, but that nothing speaks against a candidate that nobody
    asked means nothing."""
    counted = judgement.stage_trials
    if status.phase is not Phase.BAKE or not _least_seconds(spec, status) or counted >= LEAST_BAKED:
        return ""
    return f"the bake has counted {counted} of the {LEAST_BAKED} trials that it needs at least"


def _before_the_next(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """How long a run on a fast track stays in a stage; it bakes nowhere."""
    least = 0 if status.phase is Phase.BAKE else spec.stages[status.stage_index].min_seconds
    if status.stage_index not in (status.fast_track.stages if status.fast_track else ()):
        return ""
    return f"this stage lasts {least} s" if _elapsed(status, seen) < least else ""


def _unproven(status: RolloutStatus, judgement: Judgement) -> str:
    """What is not proven yet, in the words of the first gate that lacks proof. A bake needs no proof but no harm, and
    answers: of what a candidate blames videos' servers for no gate finds any."""
    if judgement.unmeasured:
        return f"not measured: {judgement.unmeasured}"
    harmful = judgement.having(Verdict.HARMFUL)
    if harmful:
        return f"{harmful[0]} harmful: {judgement.assessments[harmful[0]].message}"
    if status.phase is Phase.BAKE:
        blaming = (f"{name}: {one.message}" for name, one in judgement.assessments.items() if one.blames)
        return next(blaming, "")
    for name in (*judgement.having(Verdict.UNMEASURED), *judgement.having(Verdict.INCONCLUSIVE)):
        assessment = judgement.assessments[name]
        if assessment.missing_trials:
            return f"{name} needs ~{assessment.missing_trials} more"
        return f"{name}: {assessment.message}"
    return "" if judgement.assessments else "no gate can be measured in this stage"


def _proof(judgement: Judgement) -> str:
    proven = judgement.having(Verdict.NON_INFERIOR)
    return "; ".join(f"{name}: {judgement.assessments[name].message}" for name in proven) or "no harm was seen"


def _at_deadline(
    spec: RolloutSpec, status: RolloutStatus, seen: Observation, judgement: Judgement, held: str
) -> tuple[RolloutStatus, str]:  # fmt: skip
    """What the deadline does to a stage that is held: only measured evidence is judged, so what could not be measured,
    waits for capacity or waits for a person is held on; and what a gate holds for harm is never promoted."""
    stage = spec.stages[status.stage_index]
    if not _is_overdue(spec, status, seen) or spec.paused:
        return status, held
    overdue = f"deadline of {stage.max_seconds} s passed without proof ({held})"
    unmeasured = _blocked(spec, status, seen) or _unbaked(spec, status, judgement)
    verdict = Verdict.UNMEASURED if unmeasured else judgement.verdict_at_deadline
    match spec.on_inconclusive:
        case OnInconclusive.FLAG_OFF if verdict in (Verdict.INCONCLUSIVE, Verdict.HARMFUL):
            return transitions.flag_off(status, seen.now, gate="", why=overdue), overdue
        case OnInconclusive.PROMOTE if verdict is Verdict.INCONCLUSIVE:
            return _next(spec, status, seen, why=f"{overdue}; spec.onInconclusive is Promote")
        case _:
            return status, overdue


def _advance(
    spec: RolloutSpec, status: RolloutStatus, seen: Observation, judgement: Judgement
) -> tuple[RolloutStatus, str]:  # fmt: skip
    if status.fast_track is not None:
        return _next(spec, status, seen, why=status.fast_track.reason)
    if status.approved_stage == status.stage_index and judgement.verdict is not Verdict.NON_INFERIOR:
        return _next(spec, status, seen, why="a person promoted it")
    return _next(spec, status, seen, why=_proof(judgement))


def _next(spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, why: str) -> tuple[RolloutStatus, str]:
    index = following(spec, status)
    if index is not None:
        return transitions.enter_stage(spec, status, seen.now, index, why=why), why
    return transitions.promote(status, seen.now, why=why), why
