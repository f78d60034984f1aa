"""Carries out what a person asked for: promote, abort, retry, and the kill switch."""

from pitwall_crds.names import EventReason
from pitwall_crds.rollout import Rollout, Verb
from pitwall_crds.status import RolloutStatus
from pitwall_operator.decision import transitions
from pitwall_operator.values.observation import Observation, SplitSeen
from pitwall_operator.values.stages import stage_name


def obey(rollout: Rollout, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status after a person's request, carried out once per id, and after the kill switch."""
    action = rollout.spec.action
    if isinstance(seen.split, SplitSeen) and seen.split.killed and status.candidate_variant:
        return transitions.abort(status, seen.now, why=f"the flag's kill switch was used: {seen.split.killed}")
    if action is None or action.id == status.last_action_id:
        return status
    status = status.model_copy(update={"last_action_id": action.id})
    actor = action.actor or "somebody"
    match action.verb:
        case Verb.PROMOTE if status.candidate_variant:
            approved = status.model_copy(update={"approved_stage": status.stage_index})
            stage = stage_name(rollout.spec, status.stage_index)
            message = f"{actor} approved going on after stage {stage}"
            return transitions.note(approved, seen.now, EventReason.APPROVED, message, variant=status.candidate_variant)
        case Verb.ABORT if status.candidate_variant:
            return transitions.abort(status, seen.now, why=f"{actor} asked for it")
        case Verb.RETRY if not status.candidate_variant:
            return _retry(rollout, status, seen, actor)
    return status


def _retry(rollout: Rollout, status: RolloutStatus, seen: Observation, actor: str) -> RolloutStatus:
    name = rollout.spec.variant_ref.name
    forgiven = tuple(off for off in status.flagged_off if off.variant != name)
    if forgiven == status.flagged_off or name not in seen.variants:
        return status
    again = transitions.note(
        status.model_copy(update={"flagged_off": forgiven}),
        seen.now,
        EventReason.APPROVED,
        f"{actor} asked for another try of {name}",
        variant=name,
    )
    return transitions.begin(rollout.model_copy(update={"status": again}), seen.variants[name].revision, seen.now)
