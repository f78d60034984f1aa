"""Carries out a decision's effects, in the order capacity, traffic, draining, announcements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pitwall_crds.names import copies_salt
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import (
    CANDIDATE_FALLBACK,
    OWNER,
    ArmShare,
    owner_of,
    read_split,
    shadow_document,
    split_document,
)
from pitwall_operator.decision.permission.ownership import NO_PREFIXES, FlagPrefixes, foreign_flag
from pitwall_operator.turn.elsewhere import Elsewhere
from pitwall_operator.values.effects import (
    Announce,
    DrainVariant,
    Effect,
    EffectFailure,
    RunVariant,
    SetShadow,
    SetSplit,
)
from pitwall_operator.values.errors import RevisionUnknownError
from pitwall_operator.values.platform import Platform

ACTOR = "pitwall-operator"


class Announcer(Protocol):
    """Where people read what happened."""

    def announce(self, effect: Announce) -> None:
        """Tell."""


@dataclass(frozen=True, slots=True)
class EffectPorts:
    """What effects are done with.

    Attributes:
        flags: the flag service.
        platform: what runs pools.
        announcer: where people read what happened.
        revisions: each variant's spec by (name, revision).
        owner: the rollout that acts, as `namespace/name`; flags remember it.
        has_flag: whether its split is in force, so that its flag is its own also after a person changed it.
        prefixes: what flags must begin with, by namespace, and how many there may be.
        elsewhere: what all flags say.
    """

    flags: FlagClient
    platform: Platform
    announcer: Announcer
    revisions: Mapping[tuple[str, str], SamplerVariant]
    owner: str = ""
    has_flag: bool = False
    prefixes: FlagPrefixes = NO_PREFIXES
    elsewhere: Elsewhere = field(default_factory=Elsewhere)


async def perform(effects: Sequence[Effect], ports: EffectPorts) -> tuple[EffectFailure, ...]:
    """Do the effects in order. One that fails does not keep the others from being done: none relies on another."""
    failures = []
    for effect in effects:
        try:
            await _do(effect, ports)
        except (FlagsUnreachableError, FlagConflictError, FlagRejectedError, RevisionUnknownError, OSError) as error:
            failures.append(EffectFailure(effect, str(error)))
    return tuple(failures)


async def _do(effect: Effect, ports: EffectPorts) -> None:
    match effect:
        case RunVariant(variant, revision, pool, replicas):
            await ports.platform.run(_spec(ports, variant, revision), revision, pool, replicas)
        case DrainVariant(variant, pool):
            await ports.platform.drain(variant, pool)
        case SetSplit(flag, shares, salt, why, fallback):
            arms = [ArmShare(share.arm, share.variant, share.weight) for share in shares]
            permitted = {CANDIDATE_FALLBACK: str(fallback)} if fallback else {}
            await _put(ports, flag, {**split_document(arms, salt=salt), "metadata": permitted}, why, is_copies=False)
        case SetShadow(flag, variant, percent, run, why):
            await _put(ports, flag, shadow_document(variant, percent, salt=copies_salt(run, flag)), why, is_copies=True)
        case Announce():
            ports.announcer.announce(effect)


def _spec(ports: EffectPorts, variant: str, revision: str) -> SamplerVariant:
    try:
        return ports.revisions[(variant, revision)]
    except KeyError:
        raise RevisionUnknownError(
            f"the spec of {variant!r} at revision {revision} is not kept any more; apply that spec again"
        ) from None


async def _put(ports: EffectPorts, key: str, document: Mapping[str, Any], why: str, *, is_copies: bool) -> None:
    known = await ports.flags.get(key)
    version = known.version if known else None
    if known is not None and ports.owner:
        said = owner_of(known.document)
        owner = ports.prefixes.owner(key, said)
        is_main = not is_copies and (ports.has_flag or read_split(known.document) is not None)
        may_lack_mark = is_main or said is not None  # whose mark says nothing is a rollout's all the same
        if foreign := foreign_flag(_namespace(ports), key, owner, may_lack_mark=may_lack_mark):
            raise FlagRejectedError(foreign)
    has_room = known is not None or not ports.owner or (ports.has_flag and not is_copies)  # whose flag was removed
    if not has_room and (full := await ports.elsewhere.full(ports.flags, ports.prefixes, _namespace(ports), key)):
        raise FlagRejectedError(full)
    owner_mark = {OWNER: ports.owner} if ports.owner else {}
    owned = {**document, "metadata": {**document.get("metadata", {}), **owner_mark}}
    await ports.flags.put(key, owned, expected_version=version, actor=ACTOR, reason=why or "reconciled")


def _namespace(ports: EffectPorts) -> str:
    return ports.owner.partition("/")[0]
