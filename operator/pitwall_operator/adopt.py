"""Whom the rollout is about: which variant is stable, which is candidate; and a person's requests. Pure."""

from pitwall_crds.names import EventReason
from pitwall_crds.rollout import Rollout, Verb
from pitwall_crds.status import Phase, RolloutStatus
from pitwall_operator import run
from pitwall_operator.observation import Observation, SplitSeen


def adopt(rollout: Rollout, seen: Observation) -> tuple[RolloutStatus, str]:
    """The status with the desired variant as candidate or as stable; and what stands in the way, if anything."""
    status, name = rollout.status, rollout.spec.variant_ref.name
    declared = seen.variants.get(name)
    if declared is None:
        return status, f"SamplerVariant {name!r} does not exist: apply it, or point spec.variantRef at one that does"
    if declared.invalid:
        return status, f"SamplerVariant {name!r} is invalid: {declared.invalid}"
    identity = (name, declared.revision)
    if not status.stable_variant:
        return _first(status, identity, seen.now), ""
    if name == status.stable_variant:
        return _stay(status, identity, seen.now)
    if identity == (status.candidate_variant, status.candidate_revision):
        return status, ""
    if any(identity == (off.variant, off.revision) for off in status.flagged_off):
        return _stay_off(status, seen.now), ""
    return run.begin(rollout, declared.revision, seen.now), ""


def _stay(status: RolloutStatus, identity: tuple[str, str], now: float) -> tuple[RolloutStatus, str]:
    """The stable variant is desired; a run under way ends. An edited one is not rolled out under its old name."""
    settled = run.withdraw(status, now) if status.candidate_variant else status
    if identity[1] == status.stable_revision:
        return settled.model_copy(update={"phase": Phase.STABLE}), ""
    return settled, (
        f"SamplerVariant {identity[0]!r} was edited while it is stable; its pods keep the old revision. "
        "Give the new spec a name of its own and point spec.variantRef at it"
    )


def _stay_off(status: RolloutStatus, now: float) -> RolloutStatus:
    off = run.withdraw(status, now) if status.candidate_variant else status
    phase = off.phase if off.phase in (Phase.FLAGGED_OFF, Phase.ABORTED) else Phase.FLAGGED_OFF
    return off.model_copy(update={"phase": phase})


def _first(status: RolloutStatus, identity: tuple[str, str], now: float) -> RolloutStatus:
    name, revision = identity
    first = status.model_copy(
        update={"stable_variant": name, "stable_revision": revision, "phase": Phase.STABLE}
    )  # fmt: skip
    return run.note(
        first, now, EventReason.PROMOTED, f"{name} serves everybody: it is the first variant of this flag", variant=name
    )


def obey(rollout: Rollout, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status after a person's request, carried out once per id, and after the kill switch."""
    action = rollout.spec.action
    if isinstance(seen.split, SplitSeen) and seen.split.killed and status.candidate_variant:
        return run.abort(status, seen.now, why=f"the flag's kill switch was used: {seen.split.killed}")
    if action is None or action.id == status.last_action_id:
        return status
    status = status.model_copy(update={"last_action_id": action.id})
    actor = action.actor or "somebody"
    match action.verb:
        case Verb.PROMOTE if status.candidate_variant:
            return status.model_copy(update={"approved_stage": status.stage_index})
        case Verb.ABORT if status.candidate_variant:
            return run.abort(status, seen.now, why=f"{actor} asked for it")
        case Verb.RETRY if not status.candidate_variant:
            return _retry(rollout, status, seen)
    return status


def _retry(rollout: Rollout, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    name = rollout.spec.variant_ref.name
    forgiven = tuple(off for off in status.flagged_off if off.variant != name)
    if forgiven == status.flagged_off or name not in seen.variants:
        return status
    again = status.model_copy(update={"flagged_off": forgiven})
    return run.begin(rollout.model_copy(update={"status": again}), seen.variants[name].revision, seen.now)
