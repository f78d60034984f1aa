"""Computes the effects that are still missing from what is seen to what a status means.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool, experiment_flag, shadow_flag
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.goal.capacity import grantable, kept_from, lent, ready, running, share_of
from pitwall_operator.decision.goal.wanted import PoolKey, Wanted, candidate_pool, wanted
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import DrainVariant, Effect, RunVariant, SetShadow, SetSplit
from pitwall_operator.values.observation import Observation, PoolSeen, ShadowSeen, Share, Unseen, VariantSeen

FIRST_SALT_LENGTH = 64
"""What a salt has room for: so much of a flag's name salts its split before the first run."""
NO_RUN = "none"
"""What copies count for where there is no run, as those of experiments do."""


def distance(spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, why: str) -> tuple[Effect, ...]:
    """Effects from what is seen to what the status means: capacity first, then traffic, then draining."""
    goal = wanted(spec, status, seen)
    return (
        *_run_effects(goal, seen),
        *_split_effects(spec, status, goal, seen, why),
        *_shadow_effects(spec, status, goal, seen, why),
        *_drain_effects(spec, status, goal, seen),
    )


def way_back(spec: RolloutSpec, status: RolloutStatus, seen: Observation, *, why: str) -> tuple[Effect, ...]:
    """The effects of a rollout that may move nothing: users and copies of a run that has ended go back to stable."""
    if isinstance(seen.split, Unseen) or status.candidate_variant or status.stable_variant != seen.split.default:
        return ()
    effects: list[Effect] = []
    everybody = (Share(Arm.STABLE, status.stable_variant, FULL_WEIGHT),)
    if seen.split.shares != everybody:
        effects.append(SetSplit(spec.flag, everybody, seen.split.salt, why))
    if not isinstance(seen.shadow, Unseen) and seen.shadow.variant:
        effects.append(SetShadow(shadow_flag(spec.flag), "", 0, status.run_id or NO_RUN, why))
    return tuple(effects)


def _run_effects(goal: Wanted, seen: Observation) -> Iterator[RunVariant]:
    for key, pool_goal in goal.pools.items():
        variant, pool = key
        if variant not in seen.variants or not pool_goal.revision:
            continue
        known = running(seen, key)
        if known is not None and _serves_another_run(goal, seen, key, known):
            continue
        if kept_from(seen, key, pool_goal.revision):
            continue
        replicas = max(pool_goal.replicas, known.desired) if known and lent(seen, key) else pool_goal.replicas
        if known is None or (known.desired, known.revision) != (replicas, pool_goal.revision):
            yield RunVariant(variant, pool_goal.revision, pool, replicas)


def _serves_another_run(goal: Wanted, seen: Observation, key: PoolKey, known: PoolSeen) -> bool:
    """Whether users of a run that has ended are still sent to a pool that shall run another revision: it must not
    change under them, so their way back to stable comes first."""
    if goal.pools[key].arm is not Arm.CANDIDATE or known.revision in ("", goal.pools[key].revision):
        return False
    if isinstance(seen.split, Unseen):
        return True
    share = share_of(seen.split, Arm.CANDIDATE)
    return share is not None and share.variant == key[0] and seen.split.salt != goal.run


def _split_effects(
    spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation, why: str
) -> Iterator[SetSplit]:
    if isinstance(seen.split, Unseen) or not status.stable_variant:
        return
    (shares, run), fallback = grantable(status, goal, seen.split, seen), goal.candidate_fallback
    salt = run or seen.split.salt or status.run_id or spec.flag[:FIRST_SALT_LENGTH]
    in_force = seen.split.shares, seen.split.salt, seen.split.candidate_fallback
    if shares and in_force != (shares, salt, fallback):
        yield SetSplit(spec.flag, shares, salt, why, fallback)


def _shadow_effects(
    spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation, why: str
) -> Iterator[SetShadow]:
    if not isinstance(seen.shadow, Unseen):
        yield from _candidate_copies(spec, status, goal, seen, seen.shadow, why)
    if isinstance(seen.experiments, Unseen):
        return
    for variant, copies in seen.experiments.items():
        percent = goal.experiments.get(variant, 0)
        answers = variant in seen.variants and seen.variants[variant].ready(Pool.MAIN) > 0
        if copies.percent != percent and (answers or not percent):
            flag = experiment_flag(spec.flag, variant)
            yield SetShadow(flag, variant, percent, NO_RUN, "an experiment in shadow")


def _candidate_copies(
    spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation, copies: ShadowSeen, why: str
) -> Iterator[SetShadow]:
    """The candidate's copies begin when its pods answer; those of another run end at once."""
    flag, run = shadow_flag(spec.flag), goal.run or status.run_id or NO_RUN
    if copies == goal.shadow and (not copies.variant or copies.salt == goal.run):
        return
    key = (goal.shadow.variant, candidate_pool(status))
    if not goal.shadow.variant or ready(seen, key, goal.pools[key]):
        yield SetShadow(flag, goal.shadow.variant, goal.shadow.percent, run, why)
    elif copies.variant and (copies.variant, copies.salt) != (goal.shadow.variant, goal.run):
        yield SetShadow(flag, "", 0, run, why)


def _in_use(seen: Observation, variant: str, pool: Pool) -> bool:
    """Whether users may still be sent to this pool, by whatever flag; if one cannot be seen, they may."""
    if isinstance(seen.split, Unseen) or isinstance(seen.shadow, Unseen) or isinstance(seen.experiments, Unseen):
        return True
    if isinstance(seen.elsewhere, Unseen):
        return True
    copies = seen.experiments.get(variant, ShadowSeen())
    arms = {share.arm for share in seen.split.shares if share.weight and share.variant == variant}
    match pool:
        case Pool.CONTROL:
            return Arm.CONTROL in arms
        case Pool.CANDIDATE:
            return Arm.CANDIDATE in arms or seen.shadow.variant == variant
        case Pool.MAIN:
            own = bool(arms) or seen.shadow.variant == variant or copies.percent > 0
            return own or variant in seen.elsewhere


def _stands_in(goal: Wanted, declared: VariantSeen, variant: str, pool: Pool) -> bool:
    """Whether this pool answers for another one of the same variant that is wanted and not ready just now. That of an
    edit never does: it runs another revision."""
    if pool is Pool.CANDIDATE:
        return False
    others = [other for name, other in goal.pools if name == variant and other is not pool]
    return declared.ready(pool) > 0 and bool(others) and all(declared.ready(other) == 0 for other in others)


def _kept(spec: RolloutSpec, status: RolloutStatus, seen: Observation, variant: str) -> bool:
    """Whether a variant was taken off so recently that somebody may want to look at its pods."""
    ends = [timestamps.to_epoch(off.time) for off in status.flagged_off if off.variant == variant]
    return bool(ends) and seen.now - max(ends) < spec.scale_down_delay_seconds


def _drain_effects(spec: RolloutSpec, status: RolloutStatus, goal: Wanted, seen: Observation) -> Iterator[DrainVariant]:
    for variant, declared in seen.variants.items():
        for pool in declared.pools:
            unwanted = (variant, pool) not in goal.pools and not _in_use(seen, variant, pool)
            if unwanted and not _stands_in(goal, declared, variant, pool) and not _kept(spec, status, seen, variant):
                yield DrainVariant(variant, pool)
