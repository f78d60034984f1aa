"""Says when failures are the infrastructure's fault: an arm without its pods says nothing of a sampler.

A lost node, an eviction or a neighbour that took the memory is no harm; an application that ends by itself is. Pure: no
clock, chance or I/O.
"""

from pitwall_crds.names import Arm, Pool
from pitwall_crds.rollout import RolloutSpec
from pitwall_crds.status import RolloutStatus
from pitwall_operator.decision.goal.capacity import running
from pitwall_operator.decision.goal.scale import replicas_for, replicas_of
from pitwall_operator.decision.goal.wanted import PoolKey, candidate_pool
from pitwall_operator.values.observation import Observation, Share, Unseen


def disturbance(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """What befell the pods of an arm that has users, by no fault of their own; empty if nothing did."""
    if not status.candidate_variant or isinstance(seen.split, Unseen) or seen.split.salt != status.run_id:
        return ""
    found = (_of_arm(share, _pool(spec, status, seen, share), seen) for share in seen.split.shares if share.weight)
    return next(filter(None, found), "")


def remember_disturbance(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status that knows that its present block was disturbed, at whatever time of it."""
    now = disturbance(spec, status, seen)[:256]
    return status.model_copy(update={"disturbed": now}) if now else status


def _pool(spec: RolloutSpec, status: RolloutStatus, seen: Observation, share: Share) -> PoolKey:
    """Who answers for an arm: a control that has no pods of its own is served by the stable ones."""
    if share.arm is Arm.CANDIDATE:
        return share.variant, candidate_pool(status)
    own = (share.variant, Pool.CONTROL)
    return own if share.arm is Arm.CONTROL and spec.control.dedicated and running(seen, own) else (own[0], Pool.MAIN)


def _of_arm(share: Share, key: PoolKey, seen: Observation) -> str:
    pool, name = running(seen, key), f"{key[0]} ({key[1]})"
    needed = replicas_for(replicas_of(seen, share.variant), share.weight)
    if pool is not None and (pool.ready >= needed or (pool.desired and not pool.fault)):
        return ""
    if pool is None or not pool.desired:
        return f"{name} has no pods: somebody took them away"
    return f"{name} has {pool.ready} of {needed} replicas ready by no fault of its own: {pool.fault}"
