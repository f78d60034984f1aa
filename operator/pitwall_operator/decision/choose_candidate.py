"""Chooses which variant is stable and which is the candidate."""

from pitwall_crds.names import EventReason
from pitwall_crds.rollout import Rollout, RolloutSpec
from pitwall_crds.status import Phase, RolloutStatus
from pitwall_operator.decision import transitions
from pitwall_operator.values.observation import Observation
from pitwall_operator.values.reason import StatusReason


def choose_candidate(rollout: Rollout, seen: Observation) -> tuple[RolloutStatus, StatusReason | None]:
    """The status with the desired variant as candidate or as stable; and what stands in the way, if anything."""
    status, name = rollout.status, rollout.spec.variant_ref.name
    declared = seen.variants.get(name)
    if declared is None or not declared.revision:
        return _missing(status, name, seen.now)
    if declared.invalid:
        return status, StatusReason(EventReason.INVALID, f"SamplerVariant {name!r} is invalid: {declared.invalid}")
    identity = (name, declared.revision)
    if not status.stable_variant:
        return _first(status, identity, seen.now), None
    if identity == (status.stable_variant, status.stable_revision):
        return _stay(status, seen.now), None
    if identity == (status.candidate_variant, status.candidate_revision):
        return status, None
    if any(identity == (off.variant, off.revision) for off in status.flagged_off):
        return _stay_off(status, seen.now), None
    if not rollout.spec.schedule.is_open(seen.now):
        return status, StatusReason("OutsideSchedule", f"{name} waits: {closed(rollout.spec, seen.now)}")
    return transitions.begin(rollout, declared.revision, seen.now), None


def _missing(status: RolloutStatus, name: str, now: float) -> tuple[RolloutStatus, StatusReason]:
    """A candidate whose resource is gone ends its run; a stable one goes on serving."""
    message = f"SamplerVariant {name!r} does not exist: apply it, or point spec.variantRef at one that does"
    if status.candidate_variant == name:
        status = transitions.withdraw(status, now, why="its SamplerVariant was deleted")
    return status, StatusReason("VariantMissing", message)


def closed(spec: RolloutSpec, now: float) -> str:
    """Why nothing may begin now, in words."""
    opening = spec.schedule.next_opening(now)
    when = f"the next window opens {opening:%A %H:%M %Z}" if opening else "no window ever opens"
    return f"outside of spec.schedule, {when}"


def _stay(status: RolloutStatus, now: float) -> RolloutStatus:
    """The stable variant is desired; a run under way ends."""
    settled = transitions.withdraw(status, now) if status.candidate_variant else status
    return settled.model_copy(update={"phase": Phase.STABLE})


def _stay_off(status: RolloutStatus, now: float) -> RolloutStatus:
    off = transitions.withdraw(status, now) if status.candidate_variant else status
    phase = off.phase if off.phase in (Phase.FLAGGED_OFF, Phase.ABORTED) else Phase.FLAGGED_OFF
    return off.model_copy(update={"phase": phase})


def _first(status: RolloutStatus, identity: tuple[str, str], now: float) -> RolloutStatus:
    name, revision = identity
    first = status.model_copy(
        update={"stable_variant": name, "stable_revision": revision, "phase": Phase.STABLE}
    )  # fmt: skip
    return transitions.note(
        first, now, EventReason.PROMOTED, f"{name} serves everybody: it is the first variant of this flag", variant=name
    )
