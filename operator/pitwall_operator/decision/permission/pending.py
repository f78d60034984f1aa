"""Says what waits to be carried out, so that no request takes the place of an abort that was written before it.

A Rollout holds one request at a time. Pure: no clock, chance or I/O.
"""

from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Rollout


def pending_abort(rollout: Rollout) -> Action | None:
    """The abort that was asked for and is not carried out yet."""
    asked = rollout.spec.action
    if asked is None or asked.verb is not Verb.ABORT or rollout.status.has_dealt_with(asked.id):
        return None
    return asked


def overtaking(rollout: Rollout, verb: Verb | None, action_id: str = "") -> str:
    """Why a request (or the removal of the present one) must not take its place, and what to do; empty if it may. An
    abort that was dealt with before changes nothing, so that it would lose the one that waits."""
    abort, is_old = pending_abort(rollout), rollout.status.has_dealt_with(action_id)
    if abort is None or (verb is Verb.ABORT and not is_old):
        return ""
    old = f" (the request {action_id} was dealt with before and changes nothing)" if is_old and action_id else ""
    return (
        f"{_waits(rollout, abort)}, which goes first{old}: ask again once status.lastActionId is {abort.id}, within "
        "seconds where the operator runs; `pitwall kill` needs no operator"
    )


def lost_with(rollout: Rollout) -> str:
    """What is lost where a Rollout is deleted now, and what to do; empty if nothing is."""
    abort, candidate = pending_abort(rollout), rollout.status.candidate_variant
    if abort is None or not candidate:
        return ""
    return (
        f"{_waits(rollout, abort)}, and is lost with it: applied anew, {candidate} begins again. "
        "Apply it with the same spec.action, or use `pitwall kill`, which needs no operator"
    )


def _waits(rollout: Rollout, abort: Action) -> str:
    who = f" by {abort.actor}" if abort.actor else ""
    return f"Rollout {rollout.metadata.name!r} waits for its abort{who} (id {abort.id}) to be carried out"
