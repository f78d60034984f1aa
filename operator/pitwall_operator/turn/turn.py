"""Reconciles one rollout: observes, decides, records, writes the status and performs the effects.

The status is what shall be, and effects are what is still missing: it is written before they are begun. A crash in
between leaves a difference, which the next reconciliation closes; the other way round it would leave traffic that no
status wants.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool, experiment_flag, run_of, shadow_flag
from pitwall_crds.reading.load import revision_of
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import candidate_fallback, killed_salt, owner_of, read_split
from pitwall_operator.decision.decide import Decision, decide
from pitwall_operator.decision.permission import ownership
from pitwall_operator.decision.steps.requests import knows_nothing
from pitwall_operator.decision.telling import conditions
from pitwall_operator.decision.weighing.analyze import Judgement
from pitwall_operator.record import lines
from pitwall_operator.record.past import past
from pitwall_operator.turn.elsewhere import Elsewhere
from pitwall_operator.turn.perform import Announcer, EffectPorts, perform
from pitwall_operator.turn.run_planner import RunPlanner
from pitwall_operator.values.effects import EffectFailure
from pitwall_operator.values.observation import (
    Observation,
    Past,
    PoolSeen,
    Reading,
    ScaleBounds,
    ShadowSeen,
    Share,
    SplitSeen,
    Unseen,
    VariantSeen,
)
from pitwall_operator.values.platform import Platform, Pools
from pitwall_operator.values.reason import WAITING, StatusReason


class Memory(Protocol):
    """Where statuses and records are kept. What cannot be kept is raised, and nothing is done about it then."""

    async def write_status(self, resource: Rollout, status: RolloutStatus) -> None:
        """Store the status."""

    async def append(self, rollout: Rollout, new: Sequence[lines.Line]) -> None:
        """Add to the rollout's record."""

    def recorded(self, namespace: str, name: str) -> AsyncIterator[Mapping[str, Any]]:
        """A rollout's record, oldest line first. Raises FlagsUnreachableError or FlagRejectedError."""


@dataclass(frozen=True, slots=True)
class TurnPorts:
    """The ports of one turn.

    Attributes:
        invalid: why declared variants cannot run, by name, where the platform knows beforehand.
        clock: epoch seconds.
        planner: plans every run when it has begun.
        failures: what could not be done in a rollout's turn before, by namespace and name; a turn keeps it up to date.
        prefixes: what flags must begin with, by namespace, and how many there may be.
        elsewhere: whom all flags send users to.
    """

    flags: FlagClient
    platform: Platform
    announcer: Announcer
    memory: Memory
    invalid: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    planner: RunPlanner = field(default_factory=RunPlanner)
    failures: MutableMapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    prefixes: ownership.FlagPrefixes = ownership.NO_PREFIXES
    elsewhere: Elsewhere = field(default_factory=Elsewhere)


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What one turn saw and did."""

    seen: Observation
    decision: Decision
    failures: tuple[EffectFailure, ...]


async def see_split(flags: FlagClient, flag: str) -> SplitSeen | Unseen:
    """The traffic flag."""
    try:
        known = await flags.get(flag)
    except (FlagsUnreachableError, FlagRejectedError) as error:
        return Unseen(str(error))
    if known is None:
        return SplitSeen()
    killed, before = f"version {known.version}" if known.killed else "", killed_salt(known.document)
    split, owner = read_split(known.document), "/".join(owner_of(known.document) or ())
    if split is None or not split.is_traffic:
        return SplitSeen(killed=killed, killed_run=before, owner=owner)
    shares = tuple(Share(Arm(share.arm), share.variant, share.weight) for share in split.shares)
    fallback = candidate_fallback(known.document)
    return SplitSeen(shares, split.salt, killed=killed, killed_run=before, candidate_fallback=fallback, owner=owner)


async def see_shadow(flags: FlagClient, flag: str) -> ShadowSeen | Unseen:
    """A flag of copies: the candidate's shadow, or an experiment."""
    try:
        known = await flags.get(flag)
    except (FlagsUnreachableError, FlagRejectedError) as error:
        return Unseen(str(error))
    split = read_split(known.document) if known else None
    shadow = (
        next((share for share in split.shares if share.arm == Arm.SHADOW and share.weight), None) if split else None
    )
    if split is None or shadow is None:
        return ShadowSeen()
    return ShadowSeen(shadow.variant, shadow.weight * 100 // FULL_WEIGHT, run_of(split.salt))


async def see_experiments(flags: FlagClient, rollout: Rollout) -> Mapping[str, ShadowSeen] | Unseen:
    """The flags of experiments that are asked for, or that were."""
    names = {experiment.variant_ref.name for experiment in rollout.spec.experiments} | set(rollout.status.experiments)
    seen: dict[str, ShadowSeen] = {}
    for name in sorted(names):
        copies = await see_shadow(flags, experiment_flag(rollout.spec.flag, name))
        if isinstance(copies, Unseen):
            return copies
        seen[name] = copies
    return seen


def see_variants(
    declared: Sequence[SamplerVariant],
    pools: Pools,
    foreign: Collection[str] = (),
    invalid: Mapping[str, str] | None = None,
) -> Mapping[str, VariantSeen]:
    """Declared variants with their pools, and why some cannot run; a pool whose variant was deleted is seen too, so
    that it can be drained, or serve on as it is. What other rollouts run is not seen."""
    none: Mapping[Pool, PoolSeen] = {}
    seen = {
        variant.metadata.name: VariantSeen(
            revision=revision_of(variant),
            full_replicas=variant.spec.runtime.replicas,
            scaling=_bounds(variant),
            pools=pools.get(variant.metadata.name, none),
            invalid=(invalid or {}).get(variant.metadata.name, ""),
        )
        for variant in declared
        if variant.metadata.name not in foreign
    }
    orphans = {
        name: VariantSeen(
            revision="",
            full_replicas=max((pool.desired for pool in found.values()), default=1),
            pools=found,
            invalid="it was deleted",
        )
        for name, found in pools.items()
        if name not in seen and name not in foreign
    }
    return {**seen, **orphans}


async def observe(
    rollout: Rollout,
    declared: Sequence[SamplerVariant],
    ports: TurnPorts,
    reading: Reading | Unseen,
    rivals: Sequence[ownership.RolloutClaim] = (),
) -> Observation:
    """Everything that this turn's decision may depend on. Raises OSError."""
    pools, split = await ports.platform.pools(), await see_split(ports.flags, rollout.spec.flag)
    foreign = ownership.foreign(ownership.claim_of(rollout), rivals)
    variants = see_variants(declared, pools, foreign, ports.invalid)
    candidate = variants.get(rollout.status.candidate_variant)
    return Observation(
        now=ports.clock(),
        variants=variants,
        split=split,
        shadow=await see_shadow(ports.flags, shadow_flag(rollout.spec.flag)),
        reading=reading,
        experiments=await see_experiments(ports.flags, rollout),
        refused=await _refusal(rollout, rivals, ports),
        nonce=secrets.token_hex(16),
        plan=ports.planner.of(rollout, reading, candidate.full_replicas if candidate else 1),
        past=await see_past(rollout, ports.memory, split),
        failures=tuple(ports.failures.get(_key(rollout), ())),
        elsewhere=await ports.elsewhere.see(ports.flags, rollout, variants),
    )


async def see_past(rollout: Rollout, memory: Memory, split: SplitSeen | Unseen) -> Past | Unseen:
    """What the record tells of a rollout whose status knows nothing yet, its own and that of whoever moved its flag
    last; else nothing, since the status knows more."""
    known, own = rollout.status, _key(rollout)
    if not knows_nothing(known):
        return Past()
    namespace, _, name = ("" if isinstance(split, Unseen) else split.owner).partition("/")
    former = [(namespace, name)] if namespace == own[0] and name != own[1] else []
    try:
        return await past(memory.recorded(*key) for key in (own, *former))
    except (FlagsUnreachableError, FlagRejectedError) as error:
        return Unseen(str(error))


def _key(rollout: Rollout) -> tuple[str, str]:
    return rollout.metadata.namespace, rollout.metadata.name


async def _refusal(rollout: Rollout, rivals: Sequence[ownership.RolloutClaim], ports: TurnPorts) -> str:
    """Why this rollout may move nothing; empty if it may."""
    if refused := ports.prefixes.refusal(rollout):
        return refused
    full, namespace, flag = "", rollout.metadata.namespace, rollout.spec.flag
    try:
        known = await ports.flags.get(flag)
        if known is None and not rollout.status.weights:
            full = await ports.elsewhere.full(ports.flags, ports.prefixes, namespace, flag)
    except (FlagsUnreachableError, FlagRejectedError):
        known = None  # then the split is unseen too, and nothing is decided
    said = owner_of(known.document) if known else None
    owner = ports.prefixes.owner(rollout.spec.flag, said)

    def may_have(rival: ownership.RolloutClaim) -> bool:
        """Whether it is not of another namespace than the flag, nor forbidden it by prefixes."""
        is_others = owner is not None and owner[0] != rival.namespace
        return not is_others and not ports.prefixes.forbids(rival.namespace, rival.flag)

    refused = ownership.refusal(ownership.claim_of(rollout), rivals, may_have)
    if refused or known is None:
        return refused or full
    split = read_split(known.document)
    is_main = bool(rollout.status.weights) or (split is not None and split.is_traffic)
    may_lack_mark = is_main or said is not None  # whose mark says nothing is a rollout's all the same
    return ownership.foreign_flag(rollout.metadata.namespace, known.key, owner, may_lack_mark=may_lack_mark)


async def tell_standstill(rollout: Rollout, memory: Memory, why: str, *, now: float) -> None:
    """Have the status say why nothing is decided, and all stays as it was."""
    idle, waiting = Judgement(unmeasured=why), StatusReason(WAITING, why)
    await memory.write_status(rollout, conditions.describe(rollout, rollout.status, idle, waiting, now=now))


async def tell_unrecorded(rollout: Rollout, memory: Memory, why: str, *, now: float) -> None:
    """Have the status say that what cannot be recorded does not count."""
    await tell_standstill(rollout, memory, f"nothing can be recorded: {why}", now=now)


async def turn(
    rollout: Rollout,
    declared: Sequence[SamplerVariant],
    revisions: Mapping[tuple[str, str], SamplerVariant],
    ports: TurnPorts,
    reading: Reading | Unseen,
    rivals: Sequence[ownership.RolloutClaim] = (),
) -> TurnResult:
    """Observe, decide, record, remember, perform. `rivals` are what other rollouts claim, in all namespaces."""
    seen = await observe(rollout, declared, ports, reading, rivals)
    decision = decide(rollout, seen)
    owner = f"{rollout.metadata.namespace}/{rollout.metadata.name}"
    try:
        await ports.memory.append(rollout, list(lines.evidence_lines(rollout, decision)))
    except FlagsUnreachableError as error:
        await tell_unrecorded(rollout, ports.memory, str(error), now=seen.now)
        raise
    await ports.memory.write_status(rollout, decision.status)
    has_flag = bool(rollout.status.weights)
    effect_ports = EffectPorts(
        ports.flags, ports.platform, ports.announcer, revisions, owner, has_flag, ports.prefixes, ports.elsewhere
    )
    failures = await perform(decision.effects, effect_ports)
    ports.failures[_key(rollout)] = tuple(str(failure) for failure in failures)
    if decision.effects:
        await ports.memory.append(rollout, [lines.decision_line(rollout, decision, failures, seen.now)])
    return TurnResult(seen, decision, failures)


def _bounds(variant: SamplerVariant) -> ScaleBounds | None:
    scaling = variant.spec.runtime.scaling
    return ScaleBounds(scaling.min_replicas, scaling.max_replicas) if scaling else None
