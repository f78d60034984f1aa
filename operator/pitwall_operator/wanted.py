"""What a status means for the world, and the effects that close the distance to what is seen. Pure."""

import math
from dataclasses import dataclass

from pitwall_crds.names import FULL_WEIGHT, Arm
from pitwall_crds.rollout import RolloutSpec
from pitwall_crds.status import Phase, RolloutStatus
from pitwall_operator.effects import DrainVariant, Effect, RunVariant, SetShadow, SetSplit
from pitwall_operator.observation import Observation, Pool, ShadowSeen, Share, SplitSeen, Unseen, VariantSeen

PoolKey = tuple[str, Pool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The world that a status means.

    Attributes:
        shares: the split, candidate first, summing to 10000.
        shadow: who gets copies.
        pools: replicas by variant and pool.
        revisions: which revision each variant's pools run.
    """

    shares: tuple[Share, ...]
    shadow: ShadowSeen
    pools: dict[PoolKey, int]
    revisions: dict[str, str]


def stage_weight(spec: RolloutSpec, status: RolloutStatus) -> int:
    """The candidate's weight in the current stage, in basis points."""
    if status.phase not in (Phase.CANARY, Phase.BAKE):
        return 0
    return spec.stages[status.stage_index].weight


def split(status: RolloutStatus, weight: int) -> tuple[Share, ...]:
    """Candidate, a control of the same size while there is room, and stable for the rest."""
    control = min(weight, FULL_WEIGHT - weight)
    shares = (
        Share(Arm.CANDIDATE, status.candidate_variant, weight),
        Share(Arm.CONTROL, status.stable_variant, control),
        Share(Arm.STABLE, status.stable_variant, FULL_WEIGHT - weight - control),
    )
    return tuple(share for share in shares if share.weight or share.arm is Arm.STABLE)


def replicas_for(full_replicas: int, weight: int) -> int:
    """Replicas that carry this weight; at least one."""
    return max(1, math.ceil(full_replicas * weight / FULL_WEIGHT))


def _pools(spec: RolloutSpec, status: RolloutStatus, seen: Observation, weight: int) -> dict[PoolKey, int]:
    def full(variant: str) -> int:
        return seen.variants[variant].full_replicas if variant in seen.variants else 1

    pools: dict[PoolKey, int] = {}
    if status.stable_variant:
        pools[(status.stable_variant, Pool.MAIN)] = full(status.stable_variant)
    if status.candidate_variant:
        replicas = replicas_for(full(status.candidate_variant), weight)
        pools[(status.candidate_variant, Pool.MAIN)] = replicas
        if spec.control.dedicated and status.phase in (Phase.SHADOW, Phase.CANARY):
            pools[(status.stable_variant, Pool.CONTROL)] = replicas
    return pools


def wanted(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> Wanted:
    """What the status means."""
    weight = stage_weight(spec, status)
    shadow = ShadowSeen()
    stage = spec.stages[status.stage_index]
    if status.phase is Phase.SHADOW and stage.shadow and status.candidate_variant:
        shadow = ShadowSeen(status.candidate_variant, stage.shadow.percent)
    return Wanted(
        shares=split(status, weight),
        shadow=shadow,
        pools=_pools(spec, status, seen, weight),
        revisions={
            status.stable_variant: status.stable_revision,
            status.candidate_variant: status.candidate_revision,
        },
    )


def _grows(goal: Wanted, seen: SplitSeen, arm: Arm) -> bool:
    def weight(shares: tuple[Share, ...]) -> int:
        return sum(share.weight for share in shares if share.arm is arm)

    return weight(goal.shares) > weight(seen.shares)


def missing_capacity(goal: Wanted, seen: Observation) -> str:
    """Why the split must not move yet: candidate or control would grow and its pool is not ready; empty if nothing
    is missing. The way back to the stable variant is never blocked."""
    if isinstance(seen.split, Unseen):
        return ""
    growing = {arm for arm in (Arm.CANDIDATE, Arm.CONTROL) if _grows(goal, seen.split, arm)}
    for (variant, pool), replicas in goal.pools.items():
        arm = Arm.CONTROL if pool is Pool.CONTROL else next((s.arm for s in goal.shares if s.variant == variant), None)
        running = seen.variants[variant].pools.get(pool) if variant in seen.variants else None
        ready = running.ready if running else 0
        if ready < replicas and (arm in growing or not seen.split.shares):
            trouble = f": {running.trouble}" if running and running.trouble else ""
            return f"{variant} ({pool}) has {ready} of {replicas} replicas ready{trouble}"
    return ""


def _split_effects(spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation, why: str) -> list[Effect]:
    if isinstance(seen.split, Unseen) or not status.stable_variant or seen.split.killed:
        return []
    salt = status.run_id if status.candidate_variant else (seen.split.salt or status.run_id or spec.flag)
    if (seen.split.shares, seen.split.salt) == (goal.shares, salt) or missing_capacity(goal, seen):
        return []
    return [SetSplit(spec.flag, goal.shares, salt, why)]


def _shadow_effects(
    spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation, why: str
) -> list[Effect]:
    if isinstance(seen.shadow, Unseen) or seen.shadow == goal.shadow:
        return []
    if goal.shadow.variant and seen.variants[goal.shadow.variant].ready(Pool.MAIN) == 0:
        return []
    return [SetShadow(spec.flag, goal.shadow.variant, goal.shadow.percent, status.run_id or spec.flag, why)]


def _run_effects(goal: Wanted, seen: Observation) -> list[Effect]:
    effects: list[Effect] = []
    for (variant, pool), replicas in goal.pools.items():
        declared = seen.variants.get(variant)
        if declared is None or not goal.revisions[variant]:
            continue
        running = declared.pools.get(pool)
        revision = goal.revisions[variant]
        if running is None or (running.desired, running.revision) != (replicas, revision):
            effects.append(RunVariant(variant, revision, pool, replicas))
    return effects


def _in_use(seen: Observation, variant: str, pool: Pool) -> bool:
    """Whether users may still be sent to this pool; if the flag cannot be seen, they may."""
    if isinstance(seen.split, Unseen) or isinstance(seen.shadow, Unseen):
        return True
    if pool is Pool.CONTROL:
        return any(
            share.arm is Arm.CONTROL and share.weight and share.variant == variant for share in seen.split.shares
        )
    return seen.shadow.variant == variant or any(
        share.weight and share.variant == variant for share in seen.split.shares
    )


def _stands_in(goal: Wanted, declared: VariantSeen, variant: str, pool: Pool) -> bool:
    """Whether this pool answers for another one of the same variant that is wanted and not ready just now."""
    others = [other for name, other in goal.pools if name == variant and other is not pool]
    return declared.ready(pool) > 0 and bool(others) and all(declared.ready(other) == 0 for other in others)


def _drain_effects(goal: Wanted, seen: Observation) -> list[Effect]:
    return [
        DrainVariant(variant, pool)
        for variant, declared in seen.variants.items()
        for pool in declared.pools
        if (variant, pool) not in goal.pools
        and not _in_use(seen, variant, pool)
        and not _stands_in(goal, declared, variant, pool)
    ]


def distance(spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, why: str) -> tuple[Effect, ...]:
    """Effects from what is seen to what the status means: capacity first, then traffic, then draining."""
    goal = wanted(spec, status, seen)
    return (
        *_run_effects(goal, seen),
        *_split_effects(spec, status, goal, seen, why),
        *_shadow_effects(spec, status, goal, seen, why),
        *_drain_effects(goal, seen),
    )
