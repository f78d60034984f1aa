"""How many pods an arm has: what its share of the traffic needs, and what an autoscaler asks for beyond that.

An autoscaler sets pods for the traffic of the moment, so of a variant with a tenth of the users it knows a tenth. What
the next weight needs, and what the way back needs, is known from the pods that served everybody when the run began.
Pure: no clock, chance or I/O.
"""

import math
from typing import Final

from pitwall_crds.names import FULL_WEIGHT
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation

SETTLING_SECONDS: Final = 600.0
"""How long after a run an autoscaler may take to know the traffic of what serves now."""


def replicas_for(full_replicas: int, weight: int) -> int:
    """Replicas that carry this weight; at least one."""
    return max(1, math.ceil(full_replicas * weight / FULL_WEIGHT))


def replicas_of(seen: Observation, variant: str) -> int:
    """Replicas of a variant that serves everybody, or that an autoscaler asks for."""
    known = seen.variants.get(variant)
    if known is None:
        return 1
    return known.scaling.held(known.full_replicas) if known.scaling else known.full_replicas


def remember_full(status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status that knows how many pods served everybody when its run began, until autoscalers know the result."""
    known, now = status.full_replicas, replicas_of(seen, status.stable_variant)
    if not status.candidate_variant:
        ended = timestamps.to_epoch(status.history[-1].time) if status.history else 0.0
        kept = known if seen.now - ended < SETTLING_SECONDS else 0
    elif status.run_start_time == timestamps.to_text(seen.now):
        kept = max(known, now)
    else:
        kept = known or now
    return status if kept == known else status.model_copy(update={"full_replicas": kept})


def stable_replicas(status: RolloutStatus, seen: Observation) -> int:
    """Pods of the stable variant: no fewer than it began with while everybody may come back, or just has."""
    return max(replicas_of(seen, status.stable_variant), _floor(status, seen, status.stable_variant))


def candidate_replicas(status: RolloutStatus, seen: Observation, weight: int) -> int:
    """Pods of the candidate at this weight. One that edits the stable variant has that one's autoscaler, which knows
    nothing of it."""
    name = status.candidate_variant
    floor = _floor(status, seen, name)
    if not floor:
        return replicas_for(replicas_of(seen, name), weight)
    asked = 1 if name == status.stable_variant else replicas_of(seen, name)
    return _held(seen, name, max(asked, replicas_for(floor, weight)))


def control_replicas(status: RolloutStatus, seen: Observation, weight: int, control: int) -> int:
    """Pods of a dedicated control arm: loaded as the candidate's are."""
    if not _floor(status, seen, status.candidate_variant) or not weight:
        return replicas_for(replicas_of(seen, status.candidate_variant), control)
    return max(1, math.ceil(candidate_replicas(status, seen, weight) * control / weight))


def _floor(status: RolloutStatus, seen: Observation, variant: str) -> int:
    """Pods at full weight that an autoscaler may not go below now; 0 where none is, or nothing moved lately."""
    known = seen.variants.get(variant)
    return status.full_replicas if known is not None and known.scaling is not None else 0


def _held(seen: Observation, variant: str, replicas: int) -> int:
    scaling = seen.variants[variant].scaling
    return scaling.held(replicas) if scaling else replicas
