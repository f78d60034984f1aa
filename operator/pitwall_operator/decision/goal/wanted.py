"""Derives the desired state (split, copies, pools) from a status.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import Phase, RolloutStatus
from pitwall_operator.decision.goal.scale import candidate_replicas, control_replicas, stable_replicas
from pitwall_operator.values.observation import Observation, ShadowSeen, Share, Unseen, VariantSeen

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
        shares: the split, candidate first, summing to 10000; empty if nothing can serve yet.
        run: the salt of the split's candidate and control; empty without a candidate.
        shadow: who gets copies.
        experiments: who else does, and how many percent, by variant.
        candidate_fallback: how many of stable's questions a pod of the candidate may answer while stable cannot.
        pools: by variant and pool.
    """

    shares: tuple[Share, ...]
    run: str
    shadow: ShadowSeen
    pools: Mapping[PoolKey, PoolGoal]
    experiments: Mapping[str, int] = field(default_factory=dict)
    candidate_fallback: int = 0


def stage_weight(spec: RolloutSpec, status: RolloutStatus) -> int:
    """The candidate's weight in the current stage, in basis points."""
    if status.phase not in (Phase.CANARY, Phase.BAKE):
        return 0
    return spec.stages[status.stage_index].weight


def bake_control(spec: RolloutSpec, status: RolloutStatus) -> int:
    """The share that stays on the old sampler while the last stage bakes, for something to compare with."""
    stage = spec.stages[status.stage_index]
    bakes = status.phase is Phase.BAKE and stage.bake_seconds and status.fast_track is None
    return stage.bake_control_basis_points if bakes else 0


def split(status: RolloutStatus, weight: int) -> tuple[Share, ...]:
    """Candidate, a control of the same size while there is room, and stable for the rest."""
    control = min(weight, FULL_WEIGHT - weight)
    shares = (
        Share(Arm.CANDIDATE, status.candidate_variant, weight),
        Share(Arm.CONTROL, status.stable_variant, control),
        Share(Arm.STABLE, status.stable_variant, FULL_WEIGHT - weight - control),
    )
    return tuple(share for share in shares if share.weight or share.arm is Arm.STABLE)


def _held(spec: RolloutSpec, status: RolloutStatus, seen: Observation, weight: int) -> int:
    """The weight; while somebody holds it no more than the run has in force, whatever is edited or asked for."""
    if not spec.paused or isinstance(seen.split, Unseen):
        return weight
    own = [share.weight for share in seen.split.shares
           if (share.arm, share.variant) == (Arm.CANDIDATE, status.candidate_variant)]  # fmt: skip
    return min(weight, *own) if own and seen.split.salt == status.run_id else 0


def candidate_pool(status: RolloutStatus) -> Pool:
    """Where the candidate runs: beside the main pool while that is the stable one of the same name."""
    return Pool.CANDIDATE if status.candidate_variant == status.stable_variant else Pool.MAIN


def _experiment_pools(spec: RolloutSpec, seen: Observation) -> dict[PoolKey, PoolGoal]:
    names = [experiment.variant_ref.name for experiment in spec.experiments]
    return {
        (name, Pool.MAIN): PoolGoal(seen.variants[name].revision, 1, Arm.SHADOW)
        for name in names
        if name in seen.variants and not seen.variants[name].invalid
    }


def _pools(spec: RolloutSpec, status: RolloutStatus, seen: Observation, weight: int) -> dict[PoolKey, PoolGoal]:
    stable = PoolGoal(status.stable_revision, stable_replicas(status, seen), Arm.STABLE)
    pools = {(status.stable_variant, Pool.MAIN): stable}
    if status.candidate_variant:
        replicas = candidate_replicas(status, seen, weight)
        candidate = PoolGoal(status.candidate_revision, replicas, Arm.CANDIDATE)
        pools[(status.candidate_variant, candidate_pool(status))] = candidate
        control = min(weight, FULL_WEIGHT - weight)
        if spec.control.dedicated and (control or status.phase is Phase.SHADOW):
            count = control_replicas(status, seen, weight, control)
            pools[(status.stable_variant, Pool.CONTROL)] = PoolGoal(status.stable_revision, count, Arm.CONTROL)
    return pools


def _first(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> RolloutStatus | None:
    """What the status will be once the first variant of a flag can serve; None while it cannot be run."""
    name = spec.variant_ref.name
    declared = seen.variants.get(name)
    if declared is None or declared.invalid or not declared.revision:
        return None
    revision = declared.revision if _may_change(status, declared, name, seen) else ""
    return RolloutStatus(stable_variant=name, stable_revision=revision)


def _may_change(status: RolloutStatus, declared: VariantSeen, name: str, seen: Observation) -> bool:
    """Whether pods of the declared revision may be made of a variant of which it is not known that it serves: neither
    under users, or where there may be some, nor of what is off."""
    if any((off.variant, off.revision) == (name, declared.revision) for off in status.flagged_off):
        return False
    if isinstance(seen.split, Unseen) or isinstance(seen.past, Unseen) or isinstance(seen.elsewhere, Unseen):
        return Pool.MAIN not in declared.pools
    return seen.split.default != name and (name not in seen.elsewhere or Pool.MAIN not in declared.pools)


def _candidate_fallback(spec: RolloutSpec, status: RolloutStatus) -> int:
    """What the split permits the candidate; nothing where there is none."""
    return spec.candidate_fallback.questions_per_pod if spec.candidate_fallback and status.candidate_variant else 0


def wanted(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> Wanted:
    """What the status means. Before anything ever served, that is the variant that is asked for now."""
    experiments = {experiment.variant_ref.name: experiment.shadow.percent for experiment in spec.experiments}
    serving = status if status.stable_variant else _first(spec, status, seen)
    if serving is None:
        return Wanted((), "", ShadowSeen(), _experiment_pools(spec, seen), experiments)
    weight = stage_weight(spec, serving) - bake_control(spec, serving)
    run = serving.run_id if serving.candidate_variant else ""
    stage = spec.stages[serving.stage_index]
    shadow = ShadowSeen()
    if serving.phase is Phase.SHADOW and stage.shadow and serving.candidate_variant:
        shadow = ShadowSeen(serving.candidate_variant, stage.shadow.percent, run)
    return Wanted(
        shares=split(serving, _held(spec, serving, seen, weight)),
        run=run,
        shadow=shadow,
        pools={**_experiment_pools(spec, seen), **_pools(spec, serving, seen, weight)},
        experiments=experiments,
        candidate_fallback=_candidate_fallback(spec, serving),
    )
