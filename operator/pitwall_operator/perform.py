"""Effects in; the world changed, and what could not be changed, out. Order: capacity, traffic, draining, words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pitwall_crds.variant import SamplerVariant
from pitwall_flags.client import FlagClient, FlagConflict, FlagRejected, FlagsUnreachable
from pitwall_flags.document import ArmShare, shadow_document, split_document
from pitwall_operator.effects import Announce, DrainVariant, Effect, RunVariant, SetShadow, SetSplit
from pitwall_operator.platform.port import Platform

ACTOR = "pitwall-operator"
SHADOW_SUFFIX = ".shadow"


class Announcer(Protocol):
    """Where people read what happened."""

    def announce(self, effect: Announce) -> None:
        """Tell."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An effect that could not be done now; the next cycle sees the distance again and repeats it."""

    effect: Effect
    reason: str

    def __str__(self) -> str:
        return f"{self.effect}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Hands:
    """What effects are done with. `revisions` holds each variant's spec by (name, revision)."""

    flags: FlagClient
    platform: Platform
    announcer: Announcer
    revisions: Mapping[tuple[str, str], SamplerVariant]


async def perform(effects: Sequence[Effect], hands: Hands) -> tuple[Failure, ...]:
    """Do the effects in order. One that fails does not keep the others from being done: none relies on another."""
    failures = []
    for effect in effects:
        try:
            await _do(effect, hands)
        except (FlagsUnreachable, FlagConflict, FlagRejected, OSError) as error:
            failures.append(Failure(effect, str(error)))
    return tuple(failures)


async def _do(effect: Effect, hands: Hands) -> None:
    match effect:
        case RunVariant(variant, revision, pool, replicas):
            await hands.platform.run(hands.revisions[(variant, revision)], revision, pool, replicas)
        case DrainVariant(variant, pool):
            await hands.platform.drain(variant, pool)
        case SetSplit(flag, shares, salt, why):
            arms = [ArmShare(share.arm, share.variant, share.weight) for share in shares]
            await _put(hands.flags, flag, split_document(arms, salt=salt), why)
        case SetShadow(flag, variant, percent, salt, why):
            await _put(hands.flags, f"{flag}{SHADOW_SUFFIX}", shadow_document(variant, percent, salt=salt), why)
        case Announce():
            hands.announcer.announce(effect)


async def _put(flags: FlagClient, key: str, document: Mapping[str, object], why: str) -> None:
    known = await flags.get(key)
    version = known.version if known else None
    await flags.put(key, dict(document), expected_version=version, actor=ACTOR, reason=why or "reconciled")
