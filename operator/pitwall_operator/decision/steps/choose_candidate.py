"""Chooses which variant is stable and which is the candidate.

Pure: no clock, chance or I/O.
"""

from pitwall_crds.names import Arm, EventReason
from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_crds.rollout.status import REMEMBERED_ACTIONS, FlaggedOff, Phase, RolloutStatus, Verdict
from pitwall_operator.decision.goal.capacity import arms_to_fill, kept_from, missing_capacity
from pitwall_operator.decision.goal.wanted import wanted
from pitwall_operator.decision.steps import transitions
from pitwall_operator.decision.steps.shortcuts import served_lately
from pitwall_operator.decision.steps.transitions import SERVING_POOL
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation, Past, SplitSeen, Unseen
from pitwall_operator.values.reason import WAITING, StatusReason

Choice = tuple[RolloutStatus, StatusReason | None]
"""The status, and what stands in the way, if anything."""


def choose_candidate(rollout: Rollout, seen: Observation) -> Choice:
    """The status with the desired variant as candidate or as stable; and what stands in the way, if anything."""
    status, name = rollout.status, rollout.spec.variant_ref.name
    if not status.stable_variant:
        status, trouble = _known_to_serve(status, seen, name)
        if trouble:
            return status, trouble
    declared = seen.variants.get(name)
    if declared is None or not declared.revision:
        return _missing(status, name, seen.now)
    if declared.invalid:
        return status, StatusReason(EventReason.INVALID, f"SamplerVariant {name!r} is invalid: {declared.invalid}")
    identity = (name, declared.revision)
    status = _declared_now(status, identity, seen.now)
    off = entry_of(status, identity)
    if off is not None:
        return _stay_off(status, off, seen.now)
    if not status.stable_variant:
        return _first(rollout.spec, status, identity, seen)
    return _desired(rollout.model_copy(update={"status": status}), identity, seen)


def _desired(rollout: Rollout, identity: tuple[str, str], seen: Observation) -> Choice:
    """A variant that may serve is stable already, or the candidate already, or its run begins as soon as it may."""
    status = rollout.status
    if identity == (status.stable_variant, status.stable_revision):
        return _stay(status, seen.now), None
    if identity == (status.candidate_variant, status.candidate_revision):
        return status, None
    track = served_lately(rollout.spec, status, identity, seen.now)
    obstacle = _obstacle(rollout.spec, status, seen, is_return=track is not None)
    if identity[0] != status.stable_variant and (lent := kept_from(seen, (identity[0], SERVING_POOL), identity[1])):
        obstacle = obstacle or StatusReason(WAITING, lent)
    if obstacle is None:
        return transitions.begin(rollout, identity[1], seen.now, seen.nonce, track=track), None
    if status.candidate_variant:
        status = transitions.withdraw(status, seen.now, why=transitions.replaced_by(status, *identity))
    return status, StatusReason(obstacle.word, f"{identity[0]} waits: {obstacle.message}")


def entry_of(status: RolloutStatus, identity: tuple[str, str]) -> FlaggedOff | None:
    """The last entry that keeps this variant and revision off, if any does."""
    return next((off for off in reversed(status.flagged_off) if identity == (off.variant, off.revision)), None)


def _declared_now(status: RolloutStatus, identity: tuple[str, str], now: float) -> RolloutStatus:
    """The status in which what was off before it was declared is so at the revision that is declared now."""
    name, revision = identity
    early = entry_of(status, (name, ""))
    if early is None:
        return status
    others = tuple(off for off in status.flagged_off if (off.variant, off.revision) not in ((name, ""), identity))
    if identity == (status.stable_variant, status.stable_revision):
        status = status.model_copy(update={"flagged_off": others})
        message = f"{early.message}, which changes nothing: it is declared as it serves everybody"
        return transitions.note(status, now, EventReason.IGNORED, message, variant=name)
    return status.model_copy(update={"flagged_off": (*others, early.model_copy(update={"revision": revision}))})


def closed(spec: RolloutSpec, now: float) -> str:
    """Why nothing may begin now, in words."""
    opening = spec.schedule.next_opening(now)
    when = f"the next window opens {opening:%A %H:%M %Z}" if opening else "no window ever opens"
    return f"outside of spec.schedule, {when}"


def _obstacle(
    spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, is_return: bool
) -> StatusReason | None:  # fmt: skip
    """Why no run may begin now. A way back waits for no window."""
    if isinstance(seen.split, SplitSeen) and seen.split.killed:
        return StatusReason("Killed", f"the flag's kill switch is on ({seen.split.killed}); pitwall release ends it")
    goal = wanted(spec, status, seen)
    if not status.candidate_variant and Arm.STABLE in arms_to_fill(status, goal, seen):
        why = missing_capacity(status, goal, seen)
        words = f"{status.stable_variant} does not serve everybody yet"
        return StatusReason(WAITING, f"{words}: {why}" if why else words)
    if not is_return and not spec.schedule.is_open(seen.now):
        return StatusReason("OutsideSchedule", closed(spec, seen.now))
    return None


def _known_to_serve(status: RolloutStatus, seen: Observation, asked: str) -> Choice:
    """What the flags and the record know of a rollout whose status knows nothing: it may have been made anew, and what
    serves already is stable, whatever is asked for first: the revision that its pods run, not the one that is declared
    by now. Where its own flag names nobody, what is asked for may serve another flag's users."""
    if isinstance(seen.split, Unseen):
        return status, StatusReason(WAITING, f"nobody knows yet what serves: {seen.split.reason}")
    if isinstance(seen.past, Unseen):
        return status, StatusReason(WAITING, f"nobody knows yet what was decided before: {seen.past.reason}")
    if isinstance(seen.elsewhere, Unseen):
        return status, StatusReason(WAITING, f"nobody knows yet what other flags serve: {seen.elsewhere.reason}")
    ids = tuple(dict.fromkeys((*seen.past.action_ids, *status.past_action_ids)))[-REMEMBERED_ACTIONS:]
    update = {
        "flagged_off": status.flagged_off or _off_before(seen, seen.split, seen.past),
        "run_id": status.run_id or seen.past.last_run,
    }
    status = status.model_copy(update={**update, "past_action_ids": ids})
    name, flag = seen.split.default, ""
    if not name and (flag := seen.elsewhere.get(asked, "")):
        name = asked
    serving = seen.variants.get(name)
    if serving is None or (flag and SERVING_POOL not in serving.pools):
        return status, None
    runs = SERVING_POOL in serving.pools
    identity = (name, serving.serving_revision)
    if runs and not identity[1]:
        words = f"nobody knows which revision the pods of {name} run, which serve everybody"
        return status, StatusReason(WAITING, f"{words}: delete their Deployment to have them made anew")
    if not identity[1] or ((flag or not runs) and entry_of(status, identity)):
        return status, None  # what is off, and serves nobody of this flag, shall not
    words = f"as flag {flag} says" if flag else "as the flag says"
    return transitions.adopt(status, seen.now, *identity, seen.split.salt, words=words), None


def _off_before(seen: Observation, split: SplitSeen, past: Past) -> tuple[FlaggedOff, ...]:
    """What the record says is off, and what was on its way when the flag was killed: nobody was there to record that,
    where the operator was away until the Rollout had been made anew."""
    run, serving = past.under_way, seen.variants.get(split.default)
    if run is None or not (split.killed or split.killed_run == past.last_run):
        return past.flagged_off
    if serving is not None and (run.variant, run.revision) == (split.default, serving.serving_revision):
        return past.flagged_off  # it was promoted
    told = {"message": f"the flag's kill switch was used: {split.killed or 'released since'}"}
    killed = run.model_copy(update={**told, "time": timestamps.to_text(seen.now)})
    return (*past.flagged_off, killed)[-transitions.FLAGGED_OFF_LIMIT :]


def _missing(status: RolloutStatus, name: str, now: float) -> Choice:
    """A candidate whose resource is gone ends its run; a stable one goes on serving."""
    off = entry_of(status, (name, ""))
    if off is not None and status.stable_variant:
        return _stay_off(status, off, now)
    if status.fast_track is not None and status.fast_track.undo and status.candidate_variant != name:
        return status, None  # what is asked for is being undone
    message = f"SamplerVariant {name!r} does not exist: apply it, or point spec.variantRef at one that does"
    if status.candidate_variant:
        why = "its SamplerVariant was deleted" if status.candidate_variant == name else f"the spec asks for {name} now"
        status = transitions.withdraw(status, now, why=why)
    return status, StatusReason("VariantMissing", message)


def _stay(status: RolloutStatus, now: float) -> RolloutStatus:
    """The stable variant is desired; a run under way ends. What was proven of another variant is not said of this."""
    if status.candidate_variant:
        return transitions.withdraw(status, now, why=f"the spec asks for {status.stable_variant} again")
    if status.phase is Phase.STABLE:
        return status
    return status.model_copy(update={"phase": Phase.STABLE, "verdict": Verdict.UNMEASURED})


def _stay_off(status: RolloutStatus, off: FlaggedOff, now: float) -> Choice:
    if status.fast_track is not None and status.fast_track.undo:
        return status, None  # what is asked for is being undone
    if status.candidate_variant:
        status = transitions.withdraw(status, now, why=f"the spec asks for {off.variant} now, which is off")
    verdict = Verdict.HARMFUL if off.gate else Verdict.UNMEASURED
    phase = Phase.ABORTED if off.aborted else Phase.FLAGGED_OFF
    status = status.model_copy(update={"phase": phase, "verdict": verdict})
    if status.stable_variant:
        return status, None
    words = f"{off.variant} was taken off ({off.message}) and nothing else is known to serve"
    return status, StatusReason(phase, f"{words}: point spec.variantRef at another variant, or pitwall retry")


def _first(spec: RolloutSpec, status: RolloutStatus, identity: tuple[str, str], seen: Observation) -> Choice:
    """Nothing ever served: the variant is stable as soon as its pods are ready, and may be corrected until then."""
    waiting = missing_capacity(status, wanted(spec, status, seen), seen)
    if waiting:
        return status.model_copy(update={"phase": Phase.PENDING}), StatusReason(
            WAITING, f"waiting for capacity: {waiting}"
        )
    return transitions.serve_first(status, seen.now, *identity), None
