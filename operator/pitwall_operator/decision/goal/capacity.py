"""Says which arms wait for pods, and which split may be in force meanwhile: nobody is sent to pods that are not ready.

An arm is one of a variant *and* a revision. A split names variants only; the revisions of its candidate and control are
those of its run, whose id is the split's salt. Pure: no clock, chance or I/O.
"""

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.goal.wanted import PoolGoal, PoolKey, Wanted
from pitwall_operator.values.observation import Observation, PoolSeen, Share, SplitSeen, Unseen


def running(seen: Observation, key: PoolKey) -> PoolSeen | None:
    """A pool as it is seen."""
    variant, pool = key
    return seen.variants[variant].pools.get(pool) if variant in seen.variants else None


def ready(seen: Observation, key: PoolKey, goal: PoolGoal) -> int:
    """Replicas that answer with the revision that is wanted."""
    pool = running(seen, key)
    return pool.ready if pool and pool.revision == goal.revision else 0


def share_of(split: SplitSeen, arm: Arm) -> Share | None:
    """An arm's share, if anybody is on it."""
    return next((share for share in split.shares if share.arm is arm and share.weight), None)


def lent(seen: Observation, key: PoolKey) -> bool:
    """Whether another flag's users are sent to a pool, or may be, and this rollout's stable ones are not: then it
    serves those as it is."""
    variant, pool = key
    if pool is not Pool.MAIN or (isinstance(seen.split, SplitSeen) and seen.split.default == variant):
        return False
    return isinstance(seen.elsewhere, Unseen) or variant in seen.elsewhere


def kept_from(seen: Observation, key: PoolKey, revision: str) -> str:
    """Why a pool may not be given this revision now, in words; empty if it may: what it runs must not change under
    another flag's users."""
    known = running(seen, key)
    if known is None or not lent(seen, key) or revision in ("", known.revision or known.applied):
        return ""
    if isinstance(seen.elsewhere, Unseen):
        return f"nobody knows whether other flags send users to its pods: {seen.elsewhere.reason}"
    flag, present = seen.elsewhere[key[0]], known.revision or known.applied or "unknown"
    return (
        f"its pods serve the users of flag {flag!r} at revision {present}, and {revision} is asked for: apply the "
        f"edit as a SamplerVariant of another name, or delete that flag if nobody asks for it any more"
    )


def is_served_beside(status: RolloutStatus, seen: Observation) -> bool:
    """Whether users have an edit of the stable variant that was promoted from the pods it proved itself on."""
    beside = running(seen, (status.stable_variant, Pool.CANDIDATE))
    if isinstance(seen.split, Unseen) or beside is None or not beside.ready:
        return False
    share = share_of(seen.split, Arm.CANDIDATE)
    return share is not None and share.variant == status.stable_variant and beside.revision == status.stable_revision


def arms_to_fill(status: RolloutStatus, goal: Wanted, seen: Observation) -> frozenset[Arm]:
    """Arms that would get more users, or users of another variant or revision, than they have.

    The way back to the stable variant is never one of them: whoever is on it has pods already, or is nobody's.
    """
    if isinstance(seen.split, Unseen):
        return frozenset()
    filling = set[Arm]()
    for share in goal.shares:
        known = share_of(seen.split, share.arm)
        if share.arm is Arm.STABLE:
            if seen.split.default != share.variant or is_served_beside(status, seen):
                filling.add(share.arm)
        elif not known or known.variant != share.variant or seen.split.salt != goal.run or known.weight < share.weight:
            filling.add(share.arm)
    return frozenset(filling)


def missing_capacity(status: RolloutStatus, goal: Wanted, seen: Observation) -> str:
    """Why the split must not become the wanted one yet, in words; empty if nothing is missing."""
    return _missing(arms_to_fill(status, goal, seen), goal, seen)


def _missing(filling: frozenset[Arm], goal: Wanted, seen: Observation) -> str:
    """Which pool of these arms is not ready, in words; empty if all are."""
    for key, pool_goal in goal.pools.items():
        answering = ready(seen, key, pool_goal)
        if pool_goal.arm in filling and answering < pool_goal.replicas:
            pool = running(seen, key)
            words = kept_from(seen, key, pool_goal.revision) or (pool.trouble if pool else "")
            trouble = f": {words}" if words else ""
            return f"{key[0]} ({key[1]}) has {answering} of {pool_goal.replicas} replicas ready{trouble}"
    return ""


def grantable(
    status: RolloutStatus, goal: Wanted, split: SplitSeen, seen: Observation
) -> tuple[tuple[Share, ...], str]:
    """The split that may be in force now, and its salt: the wanted one once its pods are ready, until then a safe one.

    Meanwhile each arm keeps what it has and may have: users of a run that has ended go back to stable at once. Where
    stable itself waits, everybody stays where they are, and under the run that sent them there.
    """
    filling = arms_to_fill(status, goal, seen)
    if not _missing(filling, goal, seen):
        return goal.shares, goal.run
    stable = next((share for share in goal.shares if share.arm is Arm.STABLE), None)
    if stable is None or _missing(filling & {Arm.STABLE}, goal, seen):
        return split.shares, split.salt
    kept = tuple(
        Share(share.arm, share.variant, min(share.weight, known.weight))
        for share in goal.shares
        if share.arm is not Arm.STABLE
        and split.salt == goal.run
        and (known := share_of(split, share.arm))
        and known.variant == share.variant
    )
    rest = FULL_WEIGHT - sum(share.weight for share in kept)
    return (*kept, Share(Arm.STABLE, stable.variant, rest)), goal.run
