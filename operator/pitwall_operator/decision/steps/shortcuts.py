"""Runs that pass stages without proof: back to what served before, at once or over stages, or on by a person's word.

Pure: no clock, chance or I/O.
"""

from pitwall_crds.names import FULL_WEIGHT
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.action import Action
from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_crds.rollout.status import FastTrack, RolloutStatus, ServedVariant
from pitwall_operator.decision.steps import transitions
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation


def at_once(spec: RolloutSpec, reason: str, *, undo: bool = False) -> FastTrack:
    """Straight to everybody, as soon as the pods are ready."""
    return FastTrack(stages=(len(spec.stages) - 1,), reason=reason[:512], undo=undo)


def served_lately(spec: RolloutSpec, status: RolloutStatus, identity: tuple[str, str], now: float) -> FastTrack | None:
    """The way back of a variant that served everybody within spec.rollbackWindowSeconds; None for any other."""
    window = spec.rollback_window_seconds
    for known in reversed(status.served):
        if identity == (known.variant, known.revision) and now - timestamps.to_epoch(known.until) <= window:
            reason = f"it served everybody until {known.until}, within spec.rollbackWindowSeconds {window}"
            return at_once(spec, reason) if window else None
    return None


def following(spec: RolloutSpec, status: RolloutStatus) -> int | None:
    """The index of the next stage; None after the last."""
    track, last = status.fast_track, len(spec.stages) - 1
    ahead = range(len(spec.stages)) if track is None else sorted({*track.stages, last})
    return next((index for index in ahead if status.stage_index < index <= last), None)


def before(status: RolloutStatus, seen: Observation) -> ServedVariant | str:
    """What served before the present stable variant and was not taken off since; or why there is nothing."""
    off = {(entry.variant, entry.revision) for entry in status.flagged_off}
    now = (status.stable_variant, status.stable_revision)
    left = [known for known in status.served if (known.variant, known.revision) not in {*off, now}]
    if not left:
        return f"nothing that is not off served before {status.stable_variant or 'now'}"
    if left[-1].variant not in seen.variants:
        return f"SamplerVariant {left[-1].variant!r}, which served before, does not exist any more: apply it"
    return left[-1]


def undo(
    rollout: Rollout, status: RolloutStatus, action: Action, target: ServedVariant, seen: Observation
) -> RolloutStatus:
    """The stable variant is off, and the one before it serves again: when its pods are ready, or over stages."""
    spec, undone = rollout.spec, (status.stable_variant, status.stable_revision)
    why = f"{action.actor or 'somebody'} undid it" + (f": {action.reason}" if action.reason else "")
    revoked = transitions.revoke(status, seen.now, target.variant, target.revision, why=why)
    stages = _stages(spec, action)
    if not stages:
        return revoked
    undone_serves = revoked.model_copy(update={"stable_variant": undone[0], "stable_revision": undone[1]})
    asked = spec.model_copy(update={"variant_ref": Reference(name=target.variant)})
    track = FastTrack(stages=(*stages, len(spec.stages) - 1), reason=why[:512], undo=True)
    wanted = rollout.model_copy(update={"spec": asked, "status": undone_serves})
    return transitions.begin(wanted, target.revision, seen.now, seen.nonce, track=track)


def _stages(spec: RolloutSpec, action: Action) -> tuple[int, ...]:
    """The stages that are asked for, but for the last."""
    asked = set(action.over_basis_points) - {FULL_WEIGHT}
    return tuple(index for index, stage in enumerate(spec.stages) if stage.weight in asked)
