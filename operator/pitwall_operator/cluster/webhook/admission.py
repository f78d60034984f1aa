"""Reviews a resource before the API server stores it, for problems that neither schema nor CEL can express.

What is refused here becomes a condition where the webhook is off; what only may be a mistake (a variant that comes
later in the same file) is a warning. Pure: no clock, chance or I/O.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from pitwall_crds.names import FULL_WEIGHT
from pitwall_crds.reading.extent import extent_fault
from pitwall_crds.reading.faults import first_faults
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerEntry, SamplerVariant
from pitwall_operator.cluster.rivals import rivals
from pitwall_operator.cluster.webhook.own_image import cold_candidate
from pitwall_operator.decision.permission import ownership
from pitwall_operator.decision.permission.ownership import RolloutClaim, claim_of
from pitwall_operator.decision.permission.pending import lost_with
from pitwall_operator.decision.permission.runnable import Known, image_problems, variant_problems
from pitwall_operator.gates.advice import advice
from pitwall_operator.gates.counting.counters import measurable_in_shadow
from pitwall_operator.kube.cache import Cache, is_leaving, key_of
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Kind, Object


@dataclass(frozen=True, slots=True)
class Review:
    """What speaks against a resource, and what the one who applies it should know."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def review(
    kind: Kind, operation: str, found: Object, cache: Cache, known: Known, old: Object | None = None
) -> Review:  # fmt: skip
    """The answer to an admission review; `old` is what an update replaces. What changes nothing of a spec but a
    person's requests is never refused: whatever is wrong with it is stored already, and an abort must not wait for it
    to be mended."""
    answer = _judged(kind, operation, found, cache, known, old)
    if old is None or _but_requests(kind, old) != _but_requests(kind, found):
        return answer
    return Review(warnings=(*answer.refusals, *answer.warnings))


REQUESTS: Final = frozenset(("action", "paused"))
"""Fields of a Rollout's spec by which a person asks for something now."""


def _but_requests(kind: Kind, found: Object) -> Any:
    spec = found.get("spec")
    if kind is not ROLLOUTS or not isinstance(spec, Mapping):
        return spec
    return {name: value for name, value in spec.items() if name not in REQUESTS}


def _judged(
    kind: Kind, operation: str, found: Object, cache: Cache, known: Known, old: Object | None
) -> Review:  # fmt: skip
    try:
        if operation == "DELETE":
            return _deleted(kind, found, cache)
        if is_leaving(found):  # whoever takes the last finalizer away must not be held up by what it asked for
            return Review()
        if fault := extent_fault({**found, "metadata": None, "status": None}):
            return Review(refusals=(fault,))
        if kind is VARIANTS:
            return _variant(SamplerVariant.model_validate(_spec_of(found)), cache, known)
        rollout = Rollout.model_validate(_spec_of(found))
        key = rollout.metadata.namespace, rollout.metadata.name
        others = rivals(cache, key, {**found, "metadata": rollout.metadata.model_dump()})
        claims = _claims(rollout, operation, old or cache.get(ROLLOUTS, key), others, known)
        asked = _asked_of_another(rollout) if operation == "CREATE" else ()
        return replace(claims, warnings=(*claims.warnings, *asked, *_rollout(rollout, cache)))
    except ValidationError as error:
        return Review(refusals=first_faults(error, most=8))


def _spec_of(found: Object) -> Object:
    """Without the status, which is not the user's."""
    return {name: value for name, value in found.items() if name != "status"}


def _variant(variant: SamplerVariant, cache: Cache, known: Known) -> Review:
    """What its own image's samplers say of it is a warning where the image may have changed since they said so, and
    where none of them is called so: a status holds the first ones of a long list."""
    refusals, image, name = variant_problems(variant, known), variant.spec.runtime.image, variant.spec.sampler.name
    if not image:
        return Review(refusals)
    said = known.image or image_samplers(variant, cache)
    if not said and name not in known.samplers:
        return Review(refusals, (_unchecked(variant),))
    own = tuple(image_problems(variant, said, known)) if said else ()
    is_listed = name in known.schemas or any(entry.name == name for entry in said)
    if known.image or ("@sha256:" in image and is_listed):
        return Review((*refusals, *own))
    return Review(refusals, own if is_listed else tuple(f"{words}, as far as its pods' list is kept" for words in own))


def _unchecked(variant: SamplerVariant) -> str:
    return (
        f"sampler {variant.spec.sampler.name!r} and its parameters are not checked, since nobody here knows yet what "
        f"{variant.spec.runtime.image} has; ask it with `pitwall-runtime catalogue --json`, and "
        "`pitwall lint --catalogue` its answer"
    )


def image_samplers(variant: SamplerVariant, cache: Cache) -> Sequence[SamplerEntry]:
    """What other variants of the namespace with the same image know of it, from their pods."""
    for (namespace, _), found in cache.objects[VARIANTS].items():
        status, spec = found.get("status") or {}, found.get("spec") or {}
        same = (spec.get("runtime") or {}).get("image") == variant.spec.runtime.image
        if same and namespace == variant.metadata.namespace and status.get("imageSamplers"):
            try:
                return [SamplerEntry.model_validate(entry) for entry in status["imageSamplers"]]
            except ValidationError:
                continue
    return ()


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _claims(
    rollout: Rollout, operation: str, before: Object | None, others: Sequence[RolloutClaim], known: Known
) -> Review:  # fmt: skip
    """What is others' is refused to whoever asks for it now. Who asked before is told, and his turns move nothing: an
    edit that asks for no more must not be held up by it, since it may be the one that gives way."""
    stored = _readable(before)
    if stored is not None:  # what it already serves counts too, and how old it is
        rollout = rollout.model_copy(update={"metadata": stored.metadata, "status": stored.status})
    elif operation == "UPDATE":
        return Review()  # nobody can say what it asked for before
    else:
        rollout = _newest(rollout)
    own = claim_of(rollout)
    neighbors = [other for other in others if other.namespace == own.namespace]
    refused = known.prefixes.refusal(rollout) or ownership.refusal(own, neighbors)
    elsewhere = "" if refused else ownership.refusal(own, others)
    if operation != "UPDATE" or stored is None:
        # Whose flag it is that several namespaces name is known to its turns: the flag itself remembers.
        return Review(tuple(filter(None, (refused,))), tuple(filter(None, (elsewhere,))))
    added = ownership.new_claims(own, claim_of(stored), others)
    return Review(refusals=(added,)) if added else Review(warnings=tuple(filter(None, (refused, elsewhere))))


def _asked_of_another(rollout: Rollout) -> Iterator[str]:
    """A request in a file: a Rollout that is made carries none out but an abort."""
    action = rollout.spec.action
    if action is not None and action.verb is not Verb.ABORT:
        yield (
            f"spec.action {action.id!r} ({action.verb}) is not carried out, since the Rollout is made only now; leave "
            "it out of the file, and ask once the Rollout is there"
        )


def _rollout(rollout: Rollout, cache: Cache) -> Iterator[str]:
    """What may be a mistake."""
    namespace = rollout.metadata.namespace
    asked = (rollout.spec.variant_ref.name, *(one.variant_ref.name for one in rollout.spec.experiments))
    for name in asked:
        if cache.get(VARIANTS, (namespace, name)) is None:
            yield f"SamplerVariant {name!r} does not exist in namespace {namespace!r} yet; the rollout waits for it"
    yield from _blind_stages(rollout)
    yield from cold_candidate(rollout, cache)
    yield from advice(rollout.spec)


def _blind_stages(rollout: Rollout) -> Iterator[str]:
    """Stages in which no gate can be measured: allowed, since a person may promote, but seldom meant."""
    gates, stages = rollout.spec.analysis.gates, rollout.spec.stages
    if stages[0].shadow and not any(measurable_in_shadow(gate) for gate in gates):
        yield (
            f"no gate ({_list([gate.name for gate in gates])}) can be measured on copies, so the shadow stage waits "
            "for a person; add a gate on QueryLatency, TokensPerQuery or Errors, or leave the stage out"
        )
    if not any(stage.weight < FULL_WEIGHT for stage in stages if not stage.shadow):
        yield (
            "no stage has a weight below 10000, so users are never compared with a control before everybody gets the "
            "variant; begin with a small weightBasisPoints"
        )


def _readable(stored: Object | None) -> Rollout | None:
    try:
        return Rollout.model_validate(stored) if stored is not None else None
    except ValidationError:
        return None


def _newest(rollout: Rollout) -> Rollout:
    """A resource that is not stored yet is younger than all that are."""
    return rollout.model_copy(
        update={"metadata": rollout.metadata.model_copy(update={"creation_timestamp": "9999-12-31T23:59:59Z"})}
    )


def _deleted(kind: Kind, found: Object, cache: Cache) -> Review:
    """A deletion is never refused, or namespaces could not go where no operator runs; but what goes with it is said."""
    key = key_of(found)
    stored = _readable(found) if kind is ROLLOUTS else None
    if stored is not None and (words := lost_with(stored)):
        return Review(warnings=(words,))
    users = sorted(name for _, name in cache.rollouts_of_variant(key)) if kind is VARIANTS else ()
    return Review(
        warnings=tuple(f"Rollout {name!r} still uses SamplerVariant {key[1]!r}: its pods go with it" for name in users)
    )
