"""Says when failures are the infrastructure's fault: an arm without its pods says nothing of a sampler.

A lost node, an eviction or a neighbour that took the memory is no harm; an application that ends by itself is. Until
the platform knows that a node is lost, gateways find its pods silent: such a block waits for the platform's word. Pure:
no clock, chance or I/O.
"""

from collections.abc import Iterator
from typing import Final

from pitwall_crds.names import Arm, Label, Metric, Pool
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import Phase, RolloutStatus
from pitwall_operator.decision.goal.capacity import running
from pitwall_operator.decision.goal.scale import replicas_for, replicas_of
from pitwall_operator.decision.goal.wanted import PoolKey, candidate_pool
from pitwall_operator.gates.counting import counters
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import Observation, Share, Unseen

WORD_SECONDS: Final = 60.0
"""How long the platform may take to say that a node is lost: 50 s with Kubernetes' defaults, and a few to look."""
LASTING_SECONDS: Final = 15.0
"""A silence that was heard so lately lasts: gateways that leave a variant alone for a while try it again."""


def disturbance(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """What befell the pods of an arm that has users or copies, by no fault of their own; empty if nothing did."""
    found = (_of_arm(share, key, seen) for share, key in _arms(spec, status, seen))
    return next(filter(None, found), "")


def remember_disturbance(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> RolloutStatus:
    """The status that knows that its present block was disturbed, at whatever time of it; and since when an arm is
    silent."""
    now = disturbance(spec, status, seen)[:256]
    status = status.model_copy(update={"disturbed": now}) if now else status
    if isinstance(seen.reading, Unseen) or bool(_silent(spec, status, seen)) == bool(status.silent_since):
        return status
    return status.model_copy(update={"silent_since": "" if status.silent_since else timestamps.to_text(seen.now)})


def why_held(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """Why the present block cannot be judged yet: the platform has had no time to say what befell pods that are silent.
    Empty where it has spoken, or has had its time: then what failed is weighed, or not, like everything else."""
    if not status.silent_since or status.disturbed:
        return ""
    if seen.now - timestamps.to_epoch(status.silent_since) >= WORD_SECONDS:
        return ""
    return _silent(spec, status, seen)


def _arms(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> Iterator[tuple[Share, PoolKey]]:
    """Every arm that this run compares, and who answers for it."""
    if not status.candidate_variant or isinstance(seen.split, Unseen) or seen.split.salt != status.run_id:
        return
    for share in seen.split.shares:
        if share.weight:
            yield share, _pool(spec, status, seen, share)
    if status.phase is Phase.SHADOW and not isinstance(seen.shadow, Unseen) and seen.shadow.percent:
        copies = Share(Arm.SHADOW, status.candidate_variant, 0)
        yield copies, (copies.variant, candidate_pool(status))


def _silent(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> str:
    """Which arm's pods were silent in the present block, or lately, and have not themselves to blame; empty if none."""
    assert not isinstance(seen.reading, Unseen)
    begun = timestamps.to_epoch(status.last_block_time or status.run_start_time)
    since = max(seen.reading.time - begun, LASTING_SECONDS if status.silent_since else 0.0)
    for share, key in _arms(spec, status, seen):
        labels: dict[str, str] = {Label.SAMPLER_VARIANT: share.variant, Label.ARM: share.arm}
        heard = (
            seconds
            for source in seen.reading.sources.values()
            for _, seconds in counters.select(source, Metric.EVIDENCE_SILENCE, **labels)
        )
        if min(heard, default=since) < since and not _has_itself_to_blame(key, seen):
            return f"not even a machine answered for {key[0]} ({key[1]}): waiting whether its node is lost"
    return ""


def _pool(spec: RolloutSpec, status: RolloutStatus, seen: Observation, share: Share) -> PoolKey:
    """Who answers for an arm: a control that has no pods of its own is served by the stable ones."""
    if share.arm is Arm.CANDIDATE:
        return share.variant, candidate_pool(status)
    own = (share.variant, Pool.CONTROL)
    return own if share.arm is Arm.CONTROL and spec.control.dedicated and running(seen, own) else (own[0], Pool.MAIN)


def _has_itself_to_blame(key: PoolKey, seen: Observation) -> bool:
    """Whether the platform says so: pods that are not ready, and that nothing befell."""
    pool = running(seen, key)
    return pool is not None and pool.ready < pool.desired and not pool.fault


def _of_arm(share: Share, key: PoolKey, seen: Observation) -> str:
    pool, name = running(seen, key), f"{key[0]} ({key[1]})"
    needed = replicas_for(replicas_of(seen, share.variant), share.weight)
    if pool is not None and (pool.ready >= needed or (pool.desired and not pool.fault)):
        return ""
    if pool is None or not pool.desired:
        return f"{name} has no pods: somebody took them away"
    return f"{name} has {pool.ready} of {needed} replicas ready by no fault of its own: {pool.fault}"
