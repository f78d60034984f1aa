"""Decides one reconciliation: the next status of a Rollout, and the effects that bring it about.

Pure: no clock, chance or I/O.
"""

from dataclasses import dataclass

from pitwall_crds.names import EventReason
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_crds.rollout.status import Phase, RolloutStatus
from pitwall_operator.decision.goal.distance import distance, way_back
from pitwall_operator.decision.goal.scale import remember_full
from pitwall_operator.decision.goal.wanted import wanted
from pitwall_operator.decision.steps.choose_candidate import choose_candidate
from pitwall_operator.decision.steps.edits import fitted
from pitwall_operator.decision.steps.move import MOVING, heed_harm, move
from pitwall_operator.decision.steps.plausible import UNREADABLE, plausible, readable
from pitwall_operator.decision.steps.requests import carry_out, forgive, heed_kill
from pitwall_operator.decision.steps.waiting import meet_deadline, overdue, remember_waiting, waits_for
from pitwall_operator.decision.telling import conditions
from pitwall_operator.decision.telling.troubles import refusals, tell_refusals
from pitwall_operator.decision.weighing.analyze import Judgement, analyze
from pitwall_operator.decision.weighing.disturbance import remember_disturbance
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import Announce, Effect
from pitwall_operator.values.observation import Observation, SplitSeen, Unseen
from pitwall_operator.values.reason import WAITING, StatusReason

WARNINGS = frozenset(
    {
        EventReason.FLAGGED_OFF,
        EventReason.ABORTED,
        EventReason.DEADLINE,
        EventReason.IGNORED,
        EventReason.BROKEN,
        EventReason.INVALID,
    }
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall be, and what is done about it now."""

    status: RolloutStatus
    effects: tuple[Effect, ...]
    judgement: Judgement


def decide(rollout: Rollout, seen: Observation) -> Decision:
    """The next status and the effects; the same inputs give the same decision."""
    spec = rollout.spec
    before = rollout.status
    rollout = rollout.model_copy(update={"status": fitting(rollout, seen.now)})
    if seen.refused:
        return _refused(rollout, seen, before)
    status, trouble = _chosen(rollout, seen)
    status = remember_full(status, seen)
    status = planned(grant(spec, status, seen), seen)
    status, late = _on_time(spec, status, seen)
    status = remember_disturbance(spec, status, seen)
    status, judgement = _analyzed(spec, status, seen)
    status, reason = move(spec, status, seen, judgement)
    unserved = waits_for(spec, status, seen) if status.phase is Phase.STABLE else ""
    why = trouble or (StatusReason(WAITING, unserved) if unserved else StatusReason(status.phase.value, reason))
    refused = refusals(spec, status, seen)
    around = conditions.Circumstances(_killed(seen), refused, late)
    status = conditions.describe(rollout, status, judgement, why, now=seen.now, circumstances=around)
    told = (*_announcements(before, status), *tell_refusals(before, refused))
    return Decision(status, (*distance(spec, status, seen, why=reason or why.message), *told), judgement)


def _refused(rollout: Rollout, seen: Observation, before: RolloutStatus) -> Decision:
    """One that may move nothing: nothing begins and nobody new meets a candidate, and whoever does is taken off it as
    ever, by harm, a person or the kill switch."""
    spec, status = rollout.spec, rollout.status
    judgement, killed = Judgement(unmeasured=seen.refused), None
    if is_own := _has_flag(rollout, seen):
        status, killed = heed_kill(status, seen), _killed(seen)
    if spec.action is not None and spec.action.verb is Verb.ABORT:
        status = carry_out(rollout, status, seen)
    if is_own and status.candidate_variant:
        status = remember_disturbance(spec, status, seen)
        status, judgement = _analyzed(spec, status, seen)
        status, _ = heed_harm(spec, status, judgement, seen.now) if status.phase in MOVING else (status, "")
    if is_own and isinstance(seen.split, SplitSeen):
        status = status.model_copy(update={"weights": conditions.weights(seen.split)})
    around, why = conditions.Circumstances(killed), StatusReason(EventReason.INVALID, seen.refused)
    status = conditions.describe(rollout, status, judgement, why, now=seen.now, circumstances=around)
    effects = way_back(spec, status, seen, why=f"nothing is on its way, and {seen.refused}") if is_own else ()
    return Decision(status, (*effects, *_announcements(before, status)), judgement)


def _has_flag(rollout: Rollout, seen: Observation) -> bool:
    """Whether the split in force is this rollout's: it wrote the flag, or had it before somebody took its mark away."""
    if isinstance(seen.split, Unseen):
        return False
    own = f"{rollout.metadata.namespace}/{rollout.metadata.name}"
    return seen.split.owner == own or (not seen.split.owner and bool(rollout.status.weights))


def _chosen(rollout: Rollout, seen: Observation) -> tuple[RolloutStatus, StatusReason | None]:
    """Who is stable and who the candidate after the kill switch, what the spec names, and a person's request."""
    status = forgive(rollout, heed_kill(rollout.status, seen), seen)
    status, trouble = choose_candidate(rollout.model_copy(update={"status": status}), seen)
    return carry_out(rollout, status, seen), trouble


def _on_time(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> tuple[RolloutStatus, str]:
    """The status after the deadline of what waits for pods, and why that has taken too long, if it has."""
    waiting = waits_for(spec, status, seen)
    status = remember_waiting(spec, status, seen, waiting)
    late = overdue(spec, status, seen, waiting)
    return meet_deadline(spec, status, seen, late), late


def _analyzed(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> tuple[RolloutStatus, Judgement]:
    """The judgement; a memory that cannot be read is forgotten first."""
    try:
        return analyze(spec, status, seen)
    except UNREADABLE:
        return analyze(spec, readable(spec, status, seen.now), seen)


def _killed(seen: Observation) -> str | None:
    return None if isinstance(seen.split, Unseen) else seen.split.killed


def _announcements(before: RolloutStatus, status: RolloutStatus) -> tuple[Announce, ...]:
    return tuple(
        Announce(EventReason(entry.reason), entry.message, warning=entry.reason in WARNINGS)
        for entry in status.history
        if entry not in before.history
    )


def planned(status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status with the plan of its run, once there is one; a plan of a former run is not shown."""
    if seen.plan is None or seen.plan.run != status.run_id:
        return status
    return status.model_copy(update={"plan": seen.plan.sentences})


def fitting(rollout: Rollout, now: float) -> RolloutStatus:
    """The status with which this reconciliation begins: healed of what cannot be, of a clock that was set back and of
    edits."""
    status = plausible(rollout.spec, rollout.status, now)
    return fitted(rollout.spec, not_in_the_future(status, now), now)


def not_in_the_future(status: RolloutStatus, now: float) -> RolloutStatus:
    """The status after the clock was set back: what began later than now began now, so that nothing waits for it."""

    def heal(text: str) -> str:
        return timestamps.to_text(now) if timestamps.to_epoch(text) > now else text

    if not any(timestamps.to_epoch(text) > now for text in (status.run_start_time, status.stage_start_time)):
        return status
    gates = tuple(gate.model_copy(update={"first_trial_time": heal(gate.first_trial_time)}) for gate in status.gates)
    times = {name: heal(getattr(status, name)) for name in ("run_start_time", "stage_start_time")}
    return status.model_copy(update={**times, "gates": gates})


def grant(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status with the weights and copies that are in force; a stage's time begins when its traffic does."""
    if not isinstance(seen.experiments, Unseen):
        asked = {experiment.variant_ref.name for experiment in spec.experiments}
        copied = {variant for variant, copies in seen.experiments.items() if copies.percent}
        status = status.model_copy(update={"experiments": tuple(sorted(asked | copied))})
    if isinstance(seen.split, Unseen):
        return status
    in_force = conditions.weights(seen.split)
    if in_force == status.weights:
        return status
    granted = status.model_copy(update={"weights": in_force})
    if status.phase in MOVING and seen.split.shares == wanted(spec, status, seen).shares:
        return granted.model_copy(update={"stage_start_time": timestamps.to_text(seen.now)})
    return granted
