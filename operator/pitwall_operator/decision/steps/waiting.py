"""Says what a rollout waits for, since when, and when that is too long.

Pods and splits are waited for; evidence and people are not, they have deadlines of their own. Pure: no clock, chance or
I/O.
"""

from typing import Final

from pitwall_crds.names import EventReason, Pool
from pitwall_crds.rollout.rollout import OnDeadline, RolloutSpec
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.goal.capacity import missing_capacity, ready, running
from pitwall_operator.decision.goal.wanted import Wanted, candidate_pool, wanted
from pitwall_operator.decision.steps import transitions
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation, Unseen

FOR_PODS: Final = "waiting for capacity: "


def waits_for(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """What keeps the wanted split and copies from being in force, in words; empty if they are, as far as can be
    seen."""
    if isinstance(seen.split, Unseen) or seen.split.killed:
        return ""
    goal = wanted(spec, status, seen)
    if not goal.shares:
        return ""
    capacity = missing_capacity(status, goal, seen) or _missing_copies(status, goal, seen)
    if capacity:
        return f"{FOR_PODS}{capacity}"
    if seen.split.shares == goal.shares:
        return ""
    first = goal.shares[0]
    return f"waiting for the split to become {first.weight / 100:g}% {first.variant}"


def _missing_copies(status: RolloutStatus, goal: Wanted, seen: Observation) -> str:
    """Why the candidate gets no copies yet, where it shall."""
    if not goal.shadow.variant or isinstance(seen.shadow, Unseen):
        return ""
    if seen.shadow == goal.shadow and seen.shadow.salt == goal.run:
        return ""
    key: tuple[str, Pool] = (goal.shadow.variant, candidate_pool(status))
    if ready(seen, key, goal.pools[key]):
        return ""
    pool = running(seen, key)
    trouble = f": {pool.trouble}" if pool and pool.trouble else ""
    return f"{key[0]} ({key[1]}) has 0 of {goal.pools[key].replicas} replicas ready{trouble}"


def remember_waiting(spec: RolloutSpec, status: RolloutStatus, seen: Observation, waiting: str) -> RolloutStatus:
    """The status that knows since when it waits. When a stage's pods are there its time begins; the deadlines of what
    a person paused, or of what nobody can see, stand still."""
    if spec.paused:
        return status.model_copy(update={"waiting_since": ""})
    if isinstance(seen.split, Unseen) or bool(waiting) == bool(status.waiting_since):
        return status
    now = timestamps.to_text(seen.now)
    if waiting:
        return status.model_copy(update={"waiting_since": now})
    started = {"stage_start_time": now} if status.candidate_variant else {}
    return status.model_copy(update={"waiting_since": "", **started})


def overdue(spec: RolloutSpec, status: RolloutStatus, seen: Observation, waiting: str) -> str:
    """Why waiting has taken too long, in words; empty if it has not."""
    if not waiting or not status.waiting_since:
        return ""
    limit = spec.progress_deadline_seconds
    if limit and seen.now - timestamps.to_epoch(status.waiting_since) >= limit:
        return f"no progress for {limit} s (spec.progressDeadlineSeconds), {waiting}"
    stage = spec.stages[status.stage_index]
    if status.candidate_variant and stage.max_seconds:
        entered = timestamps.to_epoch(status.stage_entered_time or status.stage_start_time)
        if seen.now - entered >= stage.max_seconds:
            return f"deadline of {stage.max_seconds} s passed, {waiting}"
    return ""


def meet_deadline(spec: RolloutSpec, status: RolloutStatus, seen: Observation, late: str) -> RolloutStatus:
    """What a deadline does to what waits for pods: it is told once, and where the spec asks for it the candidate is
    taken off. Could not measure is not harm, so nothing is said of the sampler."""
    if not late:
        return status
    if status.candidate_variant and spec.on_deadline is OnDeadline.FLAG_OFF and FOR_PODS in late:
        return transitions.flag_off(status, seen.now, gate="", why=late)
    known = [one for one in status.conditions if one.type == "Stalled" and one.reason == EventReason.DEADLINE]
    if known:
        return status
    about = status.candidate_variant or spec.variant_ref.name
    return transitions.note(status, seen.now, EventReason.DEADLINE, f"{about}: {late}", variant=about)
