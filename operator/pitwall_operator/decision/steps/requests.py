"""Carries out what a person asked for: promote, abort, retry, and the kill switch; and says what changes nothing.

Pure: no clock, chance or I/O.
"""

from pitwall_crds.names import EventReason
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import REMEMBERED_ACTIONS, RolloutStatus
from pitwall_operator.decision.steps import shortcuts, transitions
from pitwall_operator.decision.steps.choose_candidate import entry_of
from pitwall_operator.values.observation import Observation, SplitSeen, Unseen
from pitwall_operator.values.stages import stage_name


def heed_kill(status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status after the flag's kill switch: what is on its way is off, also where the kill was released before it
    was seen; and so is a variant that was promoted a moment ago, while the flag still names the one before it."""
    if isinstance(seen.split, Unseen):
        return status
    killed, split = seen.split.killed, seen.split
    if status.candidate_variant and (killed or split.killed_run == status.run_id):
        return transitions.abort(status, seen.now, why=f"the flag's kill switch was used: {killed or 'released since'}")
    before = seen.variants.get(split.default)
    if not killed or before is None or split.default == status.stable_variant or not status.stable_variant:
        return status
    serves = split.default, before.serving_revision or before.revision
    if entry_of(status, serves) is not None:
        return status  # it was undone, and what is stable is the way back from it
    why = f"the flag's kill switch was used before it served everybody: {killed}"
    return transitions.revoke(status, seen.now, *serves, why=why)


def knows_nothing(status: RolloutStatus) -> bool:
    """Whether this is the status of a Rollout that was made a moment ago, anew or for the first time."""
    return not (status.stable_variant or status.run_id or status.flagged_off)


def _taken(status: RolloutStatus, action: Action) -> RolloutStatus:
    """The status that remembers the request; one of an older version knows the last id alone."""
    known = dict.fromkeys((*status.past_action_ids, *filter(None, (status.last_action_id,))))
    known.pop(action.id, None)
    past = (*known, action.id)[-REMEMBERED_ACTIONS:]
    return status.model_copy(update={"last_action_id": action.id, "past_action_ids": past})


def forgive(rollout: Rollout, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status after a person asked for another try of what is off: it may begin again as soon as anything may."""
    action, name = rollout.spec.action, rollout.spec.variant_ref.name
    if action is None or action.verb is not Verb.RETRY:
        return status
    if status.has_dealt_with(action.id) or knows_nothing(rollout.status):
        return status
    status = _taken(status, action)
    forgiven = tuple(off for off in status.flagged_off if off.variant != name)
    if forgiven == status.flagged_off:
        return _ignore(status, action, seen.now, f"{name} is not off")
    if status.candidate_variant:
        return _ignore(status, action, seen.now, f"{status.candidate_variant} is on its way")
    again = status.model_copy(update={"flagged_off": forgiven})
    message = f"{_actor(action)} asked for another try of {name}"
    return transitions.note(again, seen.now, EventReason.APPROVED, message, variant=name)


def carry_out(rollout: Rollout, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status after a person's request, carried out once per id. What lies in a Rollout that was made anew was asked
    of another, so that only an abort counts."""
    action = rollout.spec.action
    if action is None or action.id == status.last_action_id or _must_wait(rollout, status, seen):
        return status
    before, status = status, _taken(status, action)
    if before.has_dealt_with(action.id):
        return _ignore(status, action, seen.now, f"the request {action.id} was dealt with before; ask by a new id")
    if action.verb is Verb.ABORT:
        return _abort(rollout, status, action, seen)
    if knows_nothing(rollout.status) and not knows_nothing(status):
        return _ignore(status, action, seen.now, "it was there when this Rollout was made; ask anew, by a new id")
    if action.verb is Verb.UNDO:
        return _undo(rollout, status, action, seen)
    return _promote(rollout, status, action, seen)


def _promote(rollout: Rollout, status: RolloutStatus, action: Action, seen: Observation) -> RolloutStatus:
    if not status.candidate_variant:
        return _ignore(status, action, seen.now, _at_rest(rollout, status))
    if action.full:
        return _promote_in_full(rollout, status, action, seen)
    stage = stage_name(rollout.spec, status.stage_index)
    if status.approved_stage == status.stage_index:
        return _ignore(status, action, seen.now, f"going on after stage {stage} is approved already")
    approved = status.model_copy(update={"approved_stage": status.stage_index})
    message = f"{_actor(action)} approved going on after stage {stage}"
    return transitions.note(approved, seen.now, EventReason.APPROVED, message, variant=status.candidate_variant)


def _must_wait(rollout: Rollout, status: RolloutStatus, seen: Observation) -> bool:
    """Whether nobody can say yet what a request is about; an abort also waits until it is known what serves, and an
    undo over stages for the release of a killed flag, until which nothing begins."""
    is_blind = any(isinstance(one, Unseen) for one in (seen.split, seen.past, seen.elsewhere))
    if is_blind and knows_nothing(rollout.status):
        return True
    action, is_off = rollout.spec.action, entry_of(status, _desired(rollout, seen)) is not None
    if action is not None and action.verb is Verb.UNDO and action.over_basis_points:
        return isinstance(seen.split, SplitSeen) and bool(seen.split.killed)
    if action is None or action.verb is not Verb.ABORT or status.stable_variant or is_off:
        return False
    serves = isinstance(seen.split, SplitSeen) and bool(seen.split.default)
    return is_blind or serves


def _abort(rollout: Rollout, status: RolloutStatus, action: Action, seen: Observation) -> RolloutStatus:
    """The candidate is off. So is what would be one as soon as it is declared, whichever revision that is; and, in a
    Rollout that was made anew, what may not begin yet."""
    why, desired = f"{_actor(action)} asked for it", _desired(rollout, seen)
    if status.candidate_variant:
        return transitions.abort(status, seen.now, why=why)
    serves = (status.stable_variant, status.stable_revision)
    if not status.stable_variant or desired == serves or entry_of(status, desired) is not None:
        return _ignore(status, action, seen.now, _at_rest(rollout, status))
    if not desired[1]:
        return transitions.take_off(status, seen.now, *desired, why=f"{why} before it was declared")
    if not rollout.status.stable_variant:
        return transitions.take_off(status, seen.now, *desired, why=why)
    return _ignore(status, action, seen.now, _at_rest(rollout, status))


def _desired(rollout: Rollout, seen: Observation) -> tuple[str, str]:
    """What the spec names, and its revision; that is empty where it is not declared."""
    name = rollout.spec.variant_ref.name
    return name, seen.variants[name].revision if name in seen.variants else ""


def _undo(rollout: Rollout, status: RolloutStatus, action: Action, seen: Observation) -> RolloutStatus:
    if status.candidate_variant:
        why = f"{status.candidate_variant} is on its way and not promoted; pitwall abort takes it off"
        return _ignore(status, action, seen.now, why)
    target = shortcuts.before(status, seen)
    if isinstance(target, str):
        return _ignore(status, action, seen.now, target)
    return shortcuts.undo(rollout, status, action, target, seen)


def _promote_in_full(rollout: Rollout, status: RolloutStatus, action: Action, seen: Observation) -> RolloutStatus:
    why = f"{_actor(action)} promoted it in full, past all stages" + (f": {action.reason}" if action.reason else "")
    track = shortcuts.at_once(rollout.spec, why)
    if status.fast_track is not None and status.fast_track.undo:
        return _ignore(status, action, seen.now, "it is on its way back already")
    message = f"{why}; until then {status.verdict}" + ("; it waits while it is paused" if rollout.spec.paused else "")
    hurried = status.model_copy(update={"fast_track": track})
    hurried = transitions.note(hurried, seen.now, EventReason.APPROVED, message, variant=status.candidate_variant)
    if rollout.spec.paused or status.stage_index == track.stages[0]:
        return hurried
    return transitions.enter_stage(rollout.spec, hurried, seen.now, track.stages[0], why=why)


def _at_rest(rollout: Rollout, status: RolloutStatus) -> str:
    """Why there is nothing to promote or abort."""
    name = rollout.spec.variant_ref.name
    if not status.stable_variant:
        return f"nothing serves yet, and {name} will once its pods are ready"
    if status.stable_variant == name:
        return f"nothing is on its way, {name} serves everybody"
    return f"nothing is on its way; {name} is not, {status.stable_variant} serves everybody"


def _ignore(status: RolloutStatus, action: Action, now: float, why: str) -> RolloutStatus:
    message = f"{_actor(action)} asked to {action.verb.lower()}, which changes nothing: {why}"
    return transitions.note(status, now, EventReason.IGNORED, message)


def _actor(action: Action) -> str:
    return action.actor or "somebody"
