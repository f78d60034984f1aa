"""Moves a rollout to its next stage, holds it, or rolls it back; and says why.

Pure: no clock, chance or I/O.
"""

from pitwall_crds.gate import OnHarm
from pitwall_crds.rollout import Approval, OnInconclusive, RolloutSpec
from pitwall_crds.status import Phase, RolloutStatus, Verdict
from pitwall_operator.decision import transitions
from pitwall_operator.decision.analyze import Judgement
from pitwall_operator.decision.choose_candidate import closed
from pitwall_operator.decision.wanted import missing_capacity, stage_weight, wanted
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation, Unseen

MOVING = (Phase.SHADOW, Phase.CANARY, Phase.BAKE)


def move(
    spec: RolloutSpec, status: RolloutStatus, seen: Observation, judgement: Judgement
) -> tuple[RolloutStatus, str]:
    """The status after this judgement, and why it is so."""
    if status.phase not in MOVING:
        return status, _resting(status)
    harmful = judgement.having(Verdict.HARMFUL)
    for gate in spec.analysis.gates:
        if gate.name in harmful and gate.on_harm is OnHarm.FLAG_OFF:
            why = f"{gate.name} harmful: {judgement.assessments[gate.name].message}"
            return transitions.flag_off(status, seen.now, gate=gate.name, why=why), why
    held = _held(spec, status, seen, judgement)
    if held:
        return _at_deadline(spec, status, seen, judgement, held)
    return _advance(spec, status, seen, judgement)


def _resting(status: RolloutStatus) -> str:
    match status.phase:
        case Phase.FLAGGED_OFF | Phase.ABORTED if status.flagged_off:
            return status.flagged_off[-1].message
        case Phase.STABLE:
            return f"{status.stable_variant} serves everybody"
        case _:
            return ""


def _elapsed(status: RolloutStatus, seen: Observation) -> float:
    return seen.now - timestamps.to_epoch(status.stage_start_time)


def _blocked(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """What keeps the stage from having begun at all; empty if its traffic flows."""
    if spec.paused:
        return "paused"
    goal = wanted(spec, status, seen)
    capacity = missing_capacity(goal, seen)
    if capacity:
        return f"waiting for capacity: {capacity}"
    if isinstance(seen.split, Unseen):
        return f"the split cannot be seen: {seen.split.reason}"
    if seen.split.shares != goal.shares:
        return f"waiting for the split to become {stage_weight(spec, status) / 100:g}%"
    return ""


def unsettled(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """Why a stable variant does not serve everybody yet; empty if it does, as far as can be seen."""
    if status.phase is not Phase.STABLE or isinstance(seen.split, Unseen) or seen.split.killed:
        return ""
    goal = wanted(spec, status, seen)
    if seen.split.shares == goal.shares:
        return ""
    capacity = missing_capacity(goal, seen)
    return f"waiting for capacity: {capacity}" if capacity else "waiting for the split to become stable only"


def _held(spec: RolloutSpec, status: RolloutStatus, seen: Observation, judgement: Judgement) -> str:
    """Why the rollout stays in its stage; empty if it may go on."""
    stage = spec.stages[status.stage_index]
    approved = status.approved_stage == status.stage_index
    blocked = _blocked(spec, status, seen)
    if blocked or (approved and stage.approval is Approval.AUTOMATIC):
        return blocked
    unproven = _unproven(status, judgement)
    if unproven:
        return unproven
    least = max(stage.min_seconds, stage.bake_seconds if status.phase is Phase.BAKE else 0)
    if _elapsed(status, seen) < least:
        # A time rather than a countdown: a status that says the same is not written again.
        end = timestamps.to_text(timestamps.to_epoch(status.stage_start_time) + least)
        return f"nothing speaks against it; this stage lasts {least} s, until {end[11:19]} UTC"
    if stage.approval is Approval.MANUAL and not approved:
        return "waiting for a person to approve: pitwall promote"
    if not spec.schedule.is_open(seen.now):
        return f"proven, but {closed(spec, seen.now)}"
    return ""


def _unproven(status: RolloutStatus, judgement: Judgement) -> str:
    """What is not proven yet, in the words of the first gate that lacks proof; a bake needs no proof but no harm."""
    if judgement.unmeasured:
        return f"not measured: {judgement.unmeasured}"
    harmful = judgement.having(Verdict.HARMFUL)
    if harmful:
        return f"{harmful[0]} harmful: {judgement.assessments[harmful[0]].message}"
    if status.phase is Phase.BAKE:
        return ""
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
    if not stage.max_seconds or _elapsed(status, seen) < stage.max_seconds or spec.paused:
        return status, held
    overdue = f"deadline of {stage.max_seconds} s passed without proof ({held})"
    verdict = Verdict.UNMEASURED if _blocked(spec, status, seen) else judgement.verdict
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
    if status.approved_stage == status.stage_index and judgement.verdict is not Verdict.NON_INFERIOR:
        return _next(spec, status, seen, why="a person promoted it")
    return _next(spec, status, seen, why=_proof(judgement))


def _next(spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, why: str) -> tuple[RolloutStatus, str]:
    if status.stage_index + 1 < len(spec.stages):
        return transitions.enter_stage(spec, status, seen.now, status.stage_index + 1, why=why), why
    return transitions.promote(status, seen.now, why=why), why
