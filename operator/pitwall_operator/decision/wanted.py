"""Derives the desired state (split, copies, pools) from a status, and the effects that are still missing for it.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool, experiment_flag, shadow_flag
from pitwall_crds.rollout import RolloutSpec
from pitwall_crds.status import Phase, RolloutStatus
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import DrainVariant, Effect, RunVariant, SetShadow, SetSplit
from pitwall_operator.values.observation import Observation, PoolSeen, ShadowSeen, Share, SplitSeen, Unseen, VariantSeen

PoolKey = tuple[str, Pool]


@dataclass(frozen=True, slots=True)
class PoolGoal:
    """What a pool shall run, and for which arm; an empty revision: whatever it runs now."""

    revision: str
    replicas: int
    arm: Arm


@dataclass(frozen=True, slots=True)
class Wanted:
    """The desired state that a status means.

    Attributes:
        shares: the split, candidate first, summing to 10000.
        shadow: who gets copies.
        experiments: who else does, and how many percent, by variant.
        pools: by variant and pool.
        guarded: arms that must not grow before their pools are ready.
    """

    shares: tuple[Share, ...]
    shadow: ShadowSeen
    pools: dict[PoolKey, PoolGoal]
    guarded: frozenset[Arm]
    experiments: Mapping[str, int] = field(default_factory=dict)


def stage_weight(spec: RolloutSpec, status: RolloutStatus) -> int:
    """The candidate's weight in the current stage, in basis points."""
    if status.phase not in (Phase.CANARY, Phase.BAKE):
        return 0
    return spec.stages[status.stage_index].weight


def bake_control(spec: RolloutSpec, status: RolloutStatus) -> int:
    """The share that stays on the old sampler while the last stage bakes, for something to compare with."""
    stage = spec.stages[status.stage_index]
    return stage.bake_control_basis_points if status.phase is Phase.BAKE and stage.bake_seconds else 0


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


def candidate_pool(status: RolloutStatus) -> Pool:
    """Where the candidate runs: beside the main pool while that is the stable one of the same name."""
    return Pool.CANDIDATE if status.candidate_variant == status.stable_variant else Pool.MAIN


def replicas_of(seen: Observation, variant: str) -> int:
    """Replicas of a variant that serves everybody."""
    return seen.variants[variant].full_replicas if variant in seen.variants else 1


def _pools(spec: RolloutSpec, status: RolloutStatus, seen: Observation, weight: int) -> dict[PoolKey, PoolGoal]:
    pools: dict[PoolKey, PoolGoal] = {}
    for experiment in spec.experiments:
        name = experiment.variant_ref.name
        if name in seen.variants and not seen.variants[name].invalid:
            pools[(name, Pool.MAIN)] = PoolGoal(seen.variants[name].revision, 1, Arm.SHADOW)
    if status.stable_variant:
        stable = PoolGoal(status.stable_revision, replicas_of(seen, status.stable_variant), Arm.STABLE)
        pools[(status.stable_variant, Pool.MAIN)] = stable
    if status.candidate_variant:
        replicas = replicas_for(replicas_of(seen, status.candidate_variant), weight)
        candidate = PoolGoal(status.candidate_revision, replicas, Arm.CANDIDATE)
        pools[(status.candidate_variant, candidate_pool(status))] = candidate
        control = min(weight, FULL_WEIGHT - weight)
        if spec.control.dedicated and (control or status.phase is Phase.SHADOW):
            count = replicas_for(replicas_of(seen, status.candidate_variant), control)
            pools[(status.stable_variant, Pool.CONTROL)] = PoolGoal(status.stable_revision, count, Arm.CONTROL)
    return pools


def _guarded(status: RolloutStatus, seen: Observation) -> frozenset[Arm]:
    """Candidate and control wait for capacity; the way back to the stable variant is never blocked. A promoted edit of
    the stable variant is served by its candidate pool until the main pool runs it too."""
    stable = seen.variants.get(status.stable_variant)
    may_wait = status.phase is Phase.STABLE and stable is not None and stable.ready(Pool.CANDIDATE) > 0
    return frozenset({Arm.CANDIDATE, Arm.CONTROL} | ({Arm.STABLE} if may_wait else set()))


def wanted(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> Wanted:
    """What the status means."""
    weight = stage_weight(spec, status) - bake_control(spec, status)
    shadow = ShadowSeen()
    stage = spec.stages[status.stage_index]
    if status.phase is Phase.SHADOW and stage.shadow and status.candidate_variant:
        shadow = ShadowSeen(status.candidate_variant, stage.shadow.percent)
    return Wanted(
        shares=split(status, weight),
        shadow=shadow,
        pools=_pools(spec, status, seen, weight),
        guarded=_guarded(status, seen),
        experiments={experiment.variant_ref.name: experiment.shadow.percent for experiment in spec.experiments},
    )


def _grows(goal: Wanted, seen: SplitSeen, arm: Arm) -> bool:
    def weight(shares: tuple[Share, ...]) -> int:
        return sum(share.weight for share in shares if share.arm is arm)

    return weight(goal.shares) > weight(seen.shares)


def _running(seen: Observation, key: PoolKey) -> PoolSeen | None:
    variant, pool = key
    return seen.variants[variant].pools.get(pool) if variant in seen.variants else None


def _ready(seen: Observation, key: PoolKey, goal: PoolGoal) -> int:
    """Replicas that answer with the revision that is wanted."""
    running = _running(seen, key)
    return running.ready if running and running.revision == goal.revision else 0


def missing_capacity(goal: Wanted, seen: Observation) -> str:
    """Why the split must not move yet: an arm would grow and its pool is not ready; empty if nothing is missing."""
    if isinstance(seen.split, Unseen):
        return ""
    growing = {arm for arm in goal.guarded if _grows(goal, seen.split, arm)}
    for key, pool_goal in goal.pools.items():
        ready = _ready(seen, key, pool_goal)
        first = not seen.split.shares and pool_goal.arm is not Arm.SHADOW
        if ready < pool_goal.replicas and (pool_goal.arm in growing or first):
            running = _running(seen, key)
            trouble = f": {running.trouble}" if running and running.trouble else ""
            return f"{key[0]} ({key[1]}) has {ready} of {pool_goal.replicas} replicas ready{trouble}"
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
) -> Iterator[Effect]:
    salt = status.run_id or spec.flag
    if not isinstance(seen.shadow, Unseen) and seen.shadow != goal.shadow:
        key = (goal.shadow.variant, candidate_pool(status))
        if not goal.shadow.variant or _ready(seen, key, goal.pools[key]):
            yield SetShadow(shadow_flag(spec.flag), goal.shadow.variant, goal.shadow.percent, salt, why)
    if isinstance(seen.experiments, Unseen):
        return
    for variant, copies in seen.experiments.items():
        percent = goal.experiments.get(variant, 0)
        answers = variant in seen.variants and seen.variants[variant].ready(Pool.MAIN) > 0
        if copies.percent != percent and (answers or not percent):
            yield SetShadow(experiment_flag(spec.flag, variant), variant, percent, salt, "an experiment in shadow")


def _run_effects(goal: Wanted, seen: Observation) -> Iterator[Effect]:
    for (variant, pool), pool_goal in goal.pools.items():
        declared = seen.variants.get(variant)
        if declared is None or not pool_goal.revision:
            continue
        running = declared.pools.get(pool)
        if running is None or (running.desired, running.revision) != (pool_goal.replicas, pool_goal.revision):
            yield RunVariant(variant, pool_goal.revision, pool, pool_goal.replicas)


def _in_use(seen: Observation, variant: str, pool: Pool) -> bool:
    """Whether users may still be sent to this pool; if the flag cannot be seen, they may."""
    if isinstance(seen.split, Unseen) or isinstance(seen.shadow, Unseen) or isinstance(seen.experiments, Unseen):
        return True
    copies = seen.experiments.get(variant, ShadowSeen())
    arms = {share.arm for share in seen.split.shares if share.weight and share.variant == variant}
    match pool:
        case Pool.CONTROL:
            return Arm.CONTROL in arms
        case Pool.CANDIDATE:
            return Arm.CANDIDATE in arms or seen.shadow.variant == variant
        case Pool.MAIN:
            return bool(arms) or seen.shadow.variant == variant or copies.percent > 0


def _stands_in(goal: Wanted, declared: VariantSeen, variant: str, pool: Pool) -> bool:
    """Whether this pool answers for another one of the same variant that is wanted and not ready just now."""
    others = [other for name, other in goal.pools if name == variant and other is not pool]
    return declared.ready(pool) > 0 and bool(others) and all(declared.ready(other) == 0 for other in others)


def _kept(spec: RolloutSpec, status: RolloutStatus, seen: Observation, variant: str) -> bool:
    """Whether a variant was taken off so recently that somebody may want to look at its pods."""
    ends = [timestamps.to_epoch(off.time) for off in status.flagged_off if off.variant == variant]
    return bool(ends) and seen.now - max(ends) < spec.scale_down_delay_seconds


def _drain_effects(spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation) -> Iterator[Effect]:
    for variant, declared in seen.variants.items():
        for pool in declared.pools:
            unwanted = (variant, pool) not in goal.pools and not _in_use(seen, variant, pool)
            if unwanted and not _stands_in(goal, declared, variant, pool) and not _kept(spec, status, seen, variant):
                yield DrainVariant(variant, pool)


def distance(spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, why: str) -> tuple[Effect, ...]:
    """Effects from what is seen to what the status means: capacity first, then traffic, then draining."""
    if seen.refused:
        return ()
    goal = wanted(spec, status, seen)
    return (
        *_run_effects(goal, seen),
        *_split_effects(spec, status, goal, seen, why),
        *_shadow_effects(spec, status, goal, seen, why),
        *_drain_effects(spec, status, goal, seen),
    )
