"""Computes a SamplerVariant's status: its pods, arm and metrics, and why it is off if it is.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping, Sequence

from pitwall_crds.names import Arm, Pool
from pitwall_crds.reading.load import revision_of
from pitwall_crds.resource import Condition, ConditionStatus
from pitwall_crds.rollout import Rollout
from pitwall_crds.status import Phase
from pitwall_crds.variant import FiveMetrics, SamplerVariant, SamplerVariantStatus
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import PoolSeen
from pitwall_operator.values.reason import StatusReason


def describe_variant(
    variant: SamplerVariant,
    pools: Mapping[Pool, PoolSeen],
    rollouts: Sequence[Rollout],
    metrics: FiveMetrics | None,
    *,
    now: float,
    endpoint: str = "",
) -> SamplerVariantStatus:
    """The status; `metrics` None keeps the last observed ones. Ready: every pod that should answer does."""
    ready = sum(pool.ready for pool in pools.values())
    desired = sum(pool.desired for pool in pools.values())
    off = _flagged_off(variant, rollouts)
    return SamplerVariantStatus(
        observed_generation=variant.metadata.generation,
        ready_replicas=ready,
        desired_replicas=desired,
        ready=f"{ready}/{desired}",
        endpoint=endpoint,
        arm=_arm(variant.metadata.name, rollouts),
        flagged_off=off,
        metrics=metrics or variant.status.metrics,
        conditions=(_condition(variant, _why(pools, ready, desired, off), ready >= desired > 0, now),),
    )


def _why(pools: Mapping[Pool, PoolSeen], ready: int, desired: int, off: str) -> StatusReason:
    trouble = next((pool.trouble for pool in pools.values() if pool.trouble), "")
    if ready < desired:
        return StatusReason(
            "PodsNotReady", f"{ready} of {desired} replicas are ready" + (f": {trouble}" if trouble else "")
        )
    if desired:
        return StatusReason("PodsReady", f"{ready} of {desired} replicas are ready")
    return StatusReason("FlaggedOff", off) if off else StatusReason("NotUsed", "no Rollout needs its pods now")


def _condition(variant: SamplerVariant, why: StatusReason, ready: bool, now: float) -> Condition:
    status = ConditionStatus.TRUE if ready else ConditionStatus.FALSE
    known = next((c for c in variant.status.conditions if c.type == "Ready" and c.status == status), None)
    return Condition(
        type="Ready",
        status=status,
        observed_generation=variant.metadata.generation,
        last_transition_time=known.last_transition_time if known else timestamps.to_text(now),
        reason=why.word,
        message=why.message[:2048],
    )


def _arm(name: str, rollouts: Sequence[Rollout]) -> str:
    for rollout in rollouts:
        if name == rollout.status.stable_variant:
            return Arm.STABLE
        if name == rollout.status.candidate_variant:
            return Arm.SHADOW if rollout.status.phase is Phase.SHADOW else Arm.CANDIDATE
        if name in rollout.status.experiments:
            return Arm.SHADOW
    return ""


def _flagged_off(variant: SamplerVariant, rollouts: Sequence[Rollout]) -> str:
    revision = revision_of(variant)
    for rollout in rollouts:
        for off in rollout.status.flagged_off:
            if (off.variant, off.revision) == (variant.metadata.name, revision):
                return off.message
    return ""
