"""Spec, status and observation in; the next status and the effects out. No clock, no randomness, no I/O."""

from dataclasses import dataclass

from pitwall_crds.names import EventReason
from pitwall_crds.rollout import Rollout, RolloutSpec
from pitwall_crds.status import RolloutStatus
from pitwall_operator import conditions, moments
from pitwall_operator.adopt import adopt, obey
from pitwall_operator.analyze import Judgement, analyze
from pitwall_operator.effects import Announce, Effect
from pitwall_operator.move import MOVING, move
from pitwall_operator.observation import Observation, Unseen
from pitwall_operator.wanted import distance, wanted

WARNINGS = frozenset({EventReason.FLAGGED_OFF, EventReason.ABORTED, EventReason.UNMEASURED, EventReason.INVALID})


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall be, and what is done about it now."""

    status: RolloutStatus
    effects: tuple[Effect, ...]
    judgement: Judgement


def decide(rollout: Rollout, seen: Observation) -> Decision:
    """The next status and the effects; the same inputs give the same decision."""
    spec = rollout.spec
    status, trouble = adopt(rollout, seen)
    status = obey(rollout, status, seen)
    status = grant(spec, status, seen)
    status, judgement = analyze(spec, status, seen)
    status, reason = move(spec, status, seen, judgement)
    reason = trouble or reason
    status = conditions.describe(rollout, status, judgement, reason=reason, now=seen.now)
    announcements = tuple(
        Announce(EventReason(entry.reason), entry.message, warning=entry.reason in WARNINGS)
        for entry in status.history
        if entry not in rollout.status.history
    )
    return Decision(status, (*distance(spec, status, seen, why=reason), *announcements), judgement)


def grant(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status with the weights that are in force; a stage's time begins when its traffic does."""
    if isinstance(seen.split, Unseen):
        return status
    in_force = conditions.weights(seen.split)
    if in_force == status.weights:
        return status
    granted = status.model_copy(update={"weights": in_force})
    if status.phase in MOVING and seen.split.shares == wanted(spec, status, seen).shares:
        return granted.model_copy(update={"stage_start_time": moments.to_text(seen.now)})
    return granted
