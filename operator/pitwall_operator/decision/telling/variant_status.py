"""Computes a SamplerVariant's status: its pods, arm and metrics, and why it is off if it is.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pitwall_crds.names import MANAGED_BY, RUNTIME_NAME, Arm, ObjectLabel, Pool
from pitwall_crds.reading.extent import MOST_CHARACTERS, MOST_NODES, extent
from pitwall_crds.reading.load import revision_of
from pitwall_crds.resource import Condition, ConditionStatus
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Phase
from pitwall_crds.variant import builtin
from pitwall_crds.variant.variant import SamplerEntry, SamplerVariant, SamplerVariantStatus
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import PoolSeen
from pitwall_operator.values.reason import StatusReason
from pitwall_operator.values.samplers_said import SamplersSaid, VariantNews

CATALOGUE_NODES: Final = MOST_NODES // 2
CATALOGUE_CHARACTERS: Final = MOST_CHARACTERS // 2
"""A status holds other things too, and the operator itself keeps none that is larger than a resource."""

SAMPLER_WORKS: Final = "SamplerWorks"


def describe_variant(
    variant: SamplerVariant,
    pools: Mapping[Pool, PoolSeen],
    rollouts: Sequence[Rollout],
    news: VariantNews,
    *,
    now: float,
    endpoint: str = "",
) -> SamplerVariantStatus:
    """The status; what is no news stays as last observed. Ready: every pod that should answer does."""
    ready = sum(pool.ready for pool in pools.values())
    desired = sum(pool.desired for pool in pools.values())
    off = _flagged_off(variant, rollouts)
    return SamplerVariantStatus(
        observed_generation=variant.metadata.generation,
        ready_replicas=ready,
        replicas=pools[Pool.MAIN].desired if Pool.MAIN in pools else 0,
        selector=_selector(variant.metadata.name),
        desired_replicas=desired,
        ready=f"{ready}/{desired}",
        endpoint=endpoint,
        arm=_arm(variant.metadata.name, rollouts),
        **_samplers(variant, news.said),
        flagged_off=off,
        metrics=news.metrics or variant.status.metrics,
        conditions=(
            _condition(variant, "Ready", _why(pools, ready, desired, off), ready >= desired > 0, now),
            *_works(variant, news.said, now),
        ),
    )


def _selector(name: str) -> str:
    """The pods of a variant's main pool, as /scale hands them to an autoscaler."""
    labels = {
        ObjectLabel.NAME: RUNTIME_NAME, ObjectLabel.MANAGED_BY: MANAGED_BY,
        ObjectLabel.VARIANT: name, ObjectLabel.POOL: Pool.MAIN,
    }  # fmt: skip
    return ",".join(f"{label}={value}" for label, value in labels.items())


def _why(pools: Mapping[Pool, PoolSeen], ready: int, desired: int, off: str) -> StatusReason:
    trouble = next((pool.trouble for pool in pools.values() if pool.trouble), "")
    if ready < desired:
        return StatusReason(
            "PodsNotReady", f"{ready} of {desired} replicas are ready" + (f": {trouble}" if trouble else "")
        )
    if desired:
        return StatusReason("PodsReady", f"{ready} of {desired} replicas are ready")
    return StatusReason("FlaggedOff", off) if off else StatusReason("NotUsed", "no Rollout needs its pods now")


def _samplers(variant: SamplerVariant, said: SamplersSaid | None) -> dict[str, Any]:
    """What the pods said of their image's samplers; until they do, what is known of the sampler by its name."""
    known = {entry["name"]: entry for entry in builtin.CATALOGUE}
    if said is None:
        usual = known.get(variant.spec.sampler.name, {}).get("stability", "") if not variant.spec.runtime.image else ""
        return {
            "stability": variant.status.stability or usual,
            "image_samplers": variant.status.image_samplers,
            "broken_samplers": variant.status.broken_samplers,
        }
    own = [entry for entry in said.samplers if entry.name == variant.spec.sampler.name]
    others = [entry for entry in said.samplers if entry.name != variant.spec.sampler.name]
    strange = [entry for entry in (*own, *others) if known.get(entry.name) != entry.model_dump(mode="json")]
    return {
        "stability": own[0].stability if own else "",
        "image_samplers": _that_fit(strange),
        "broken_samplers": tuple(words[:512] for words in said.broken[:16]),
    }


def _that_fit(entries: Sequence[SamplerEntry]) -> tuple[SamplerEntry, ...]:
    """The first ones, as many as a status may hold."""
    kept: list[SamplerEntry] = []
    nodes = characters = 0
    for entry in entries[:64]:
        more_nodes, more_characters = extent(entry.model_dump(mode="json"))
        nodes, characters = nodes + 1 + more_nodes, characters + more_characters
        if nodes > CATALOGUE_NODES or characters > CATALOGUE_CHARACTERS:
            break
        kept.append(entry)
    return tuple(kept)


def _works(variant: SamplerVariant, said: SamplersSaid | None, now: float) -> tuple[Condition, ...]:
    """Whether the sampler chose as it must, once it has failed a question; which line failed, and what to do."""
    known = tuple(one for one in variant.status.conditions if one.type == SAMPLER_WORKS)
    if said is None:
        return known
    if said.served.failures:
        words = f"{said.served.failures} questions fell back: {said.served.last_failure}"
        return (_condition(variant, SAMPLER_WORKS, StatusReason("SamplerFailed", words), False, now),)
    good = StatusReason("SamplerChose", "no question failed since the pod that was asked began")
    return (_condition(variant, SAMPLER_WORKS, good, True, now),) if known else ()


def _condition(variant: SamplerVariant, kind: str, why: StatusReason, good: bool, now: float) -> Condition:
    status = ConditionStatus.TRUE if good else ConditionStatus.FALSE
    known = next((c for c in variant.status.conditions if c.type == kind and c.status == status), None)
    return Condition(
        type=kind,
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
