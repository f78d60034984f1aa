"""Settles which Rollout owns a flag or a variant if several claim it: the one that has it, else the oldest.

Pure: no clock, chance or I/O.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import experiment_flag, main_flag, shadow_flag
from pitwall_crds.rollout.rollout import Rollout

Rank = tuple[bool, str, str, str]


@dataclass(frozen=True, slots=True)
class FlagPrefixes:
    """What flags a namespace may have, where the cluster's administrator says so.

    Attributes:
        by_namespace: what a namespace's flags must begin with, and no other's may.
        most: so many flags the rollouts of one namespace may have made, those of copies and of gone rollouts among
            them; 0: any number.
    """

    by_namespace: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    most: int = 0

    def full(self, namespace: str, count: int, flag: str) -> str:
        """Why a namespace whose rollouts made so many flags may not have this one too; empty if it may."""
        if not self.most or count < self.most:
            return ""
        return (
            f"the flag {flag!r} is not made: the rollouts of namespace {namespace!r} made {count} flags, and the limit "
            f"is {self.most} (flags.perNamespace). Flags stay when their Rollout goes: name one of those, or have some "
            "deleted that nobody evaluates (DELETE /v1/flags/KEY), by whoever may write them"
        )

    def refusal(self, rollout: Rollout) -> str:
        """Why this rollout may not move its flag or those of its copies; empty if it may."""
        return self.forbids(rollout.metadata.namespace, rollout.spec.flag)

    def forbids(self, namespace: str, flag: str) -> str:
        """Why no rollout of this namespace may move this flag and those of its copies; empty if one may."""
        if refused := self._of(namespace, flag):
            return refused
        for key in (shadow_flag(flag), experiment_flag(flag, "")):
            if refused := self._of(namespace, key):
                return f"{refused}; flags of copies of {flag!r} begin so: name another flag"
        return ""

    def owner(self, flag: str, said: tuple[str, str] | None) -> tuple[str, str] | None:
        """The Rollout (namespace, name) that a flag says it belongs to, whoever wrote that; None where that namespace
        may have no such flag."""
        if said is None or self._of(said[0], main_flag(flag) or flag) or self._of(said[0], flag):
            return None
        return said

    def _of(self, namespace: str, key: str) -> str:
        """Why a namespace may not have this key; of prefixes that overlap, the longest says whose it is."""
        own = self.by_namespace.get(namespace, ())
        if own and not key.startswith(own):
            return f"the flags of namespace {namespace!r} begin with {' or '.join(own)}, and {key!r} does not"
        nearest = _longest(own, key)
        for other, prefixes in sorted(self.by_namespace.items()):
            if other != namespace and _longest(prefixes, key) > nearest:
                return f"the flag {key!r} is of namespace {other!r}, whose flags begin with {' or '.join(prefixes)}"
        return ""


def _longest(prefixes: Iterable[str], key: str) -> int:
    return max((len(prefix) for prefix in prefixes if key.startswith(prefix)), default=0)


NO_PREFIXES: Final = FlagPrefixes()


def foreign_flag(namespace: str, key: str, owner: tuple[str, str] | None, *, may_lack_mark: bool) -> str:
    """Why a flag that exists is not for a rollout of this namespace to write; empty if it is.

    A flag belongs for good to the namespace whose Rollout made it, also when that Rollout is gone: its users are there.

    Args:
        owner: namespace and name of the Rollout that the flag remembers.
        may_lack_mark: whether it may be taken although it remembers nobody: one that somebody wrote as a split, or that
            a person changed under this rollout. Flags of copies are written by rollouts alone, so never.
    """
    remedy = "name another flag, or have the flag deleted by whoever may write it"
    if owner is not None and owner[0] != namespace:
        return f"the flag {key!r} belongs to Rollout {'/'.join(owner)} of another namespace; {remedy}"
    if owner is None and not may_lack_mark:
        return f"the flag {key!r} exists and is no rollout's: somebody else's clients may ask for it; {remedy}"
    return ""


@dataclass(frozen=True, slots=True)
class RolloutClaim:
    """What a Rollout claims: all that the rights of others depend on.

    Attributes:
        born: when it was made, as text that sorts.
        moves: whether it has the flag: its split is in force.
        asked: the variants that its spec names.
        used: those that it has: they serve, are on their way, or get copies.
    """

    namespace: str
    name: str
    born: str
    flag: str
    moves: bool
    asked: frozenset[str]
    used: frozenset[str]

    @property
    def variants(self) -> frozenset[str]:
        """The variants whose pools it runs, or wants to."""
        return self.asked | self.used

    def rank(self, *, has: bool) -> Rank:
        """Sorts whoever has it first, then the oldest; equally old ones by name, so that every replica decides the
        same."""
        return not has, self.born, self.namespace, self.name

    def __str__(self) -> str:
        """As it is named to people."""
        return f"{self.namespace}/{self.name}"


def claim_of(rollout: Rollout) -> RolloutClaim:
    """What this rollout claims."""
    spec, status, metadata = rollout.spec, rollout.status, rollout.metadata
    asked = (spec.variant_ref.name, *(experiment.variant_ref.name for experiment in spec.experiments))
    used = (status.stable_variant, status.candidate_variant, *status.experiments)
    return RolloutClaim(
        metadata.namespace,
        metadata.name,
        metadata.creation_timestamp,
        spec.flag,
        moves=bool(status.weights),
        asked=frozenset(filter(None, asked)),
        used=frozenset(filter(None, used)),
    )


def foreign(own: RolloutClaim, others: Iterable[RolloutClaim]) -> frozenset[str]:
    """Variants of the same namespace that other rollouts claim and this one does not."""
    theirs = frozenset[str]().union(*(other.variants for other in _neighbors(own, others)))
    return theirs - own.variants


def refusal(
    own: RolloutClaim, others: Iterable[RolloutClaim], may_have: Callable[[RolloutClaim], bool] = lambda _: True
) -> str:
    """Why this rollout may not move anything; empty if it may. Flags are shared by all namespaces, variants are not.
    Who has one keeps it, whatever its age: else an edit of an older Rollout would stop a younger one on its way. A
    rival claims its flag only where it may have it."""
    others = [other for other in others if str(other) != str(own)]
    rivals = [other for other in others if other.flag == own.flag and may_have(other)]
    first = min(rivals, key=_flag_rank, default=own)
    if _flag_rank(first) < _flag_rank(own):
        return _flag_taken(first)
    found = (_first(variant, own, others) for variant in sorted(own.variants))
    return next(filter(None, found), "")


def new_claims(own: RolloutClaim, before: RolloutClaim, others: Iterable[RolloutClaim]) -> str:
    """Why an edit may not claim what it does not claim already; empty if it may: what others ask for already is
    theirs, whatever their age."""
    added = own.variants - before.variants
    for other in sorted(_neighbors(own, others), key=str):
        for variant in sorted(added & other.variants):
            return _variant_taken(variant, other)
    return ""


def _flag_rank(claim: RolloutClaim) -> Rank:
    return claim.rank(has=claim.moves)


def _first(variant: str, own: RolloutClaim, others: Iterable[RolloutClaim]) -> str:
    """Why another rollout goes before this one with a variant; empty if none does."""

    def rank(claim: RolloutClaim) -> Rank:
        return claim.rank(has=variant in claim.used)

    rivals = (other for other in _neighbors(own, others) if variant in other.variants)
    first = min(rivals, key=rank, default=own)
    return _variant_taken(variant, first) if rank(first) < rank(own) else ""


def _flag_taken(other: RolloutClaim) -> str:
    return (
        f"the flag {other.flag!r} is already moved by Rollout {other}; a flag must have one "
        "Rollout: delete one of them or name another flag"
    )


def _variant_taken(variant: str, other: RolloutClaim) -> str:
    return (
        f"SamplerVariant {variant!r} is already run by Rollout {other}, which decides its pods; "
        "apply the same spec under a name of its own"
    )


def _neighbors(own: RolloutClaim, others: Iterable[RolloutClaim]) -> Iterable[RolloutClaim]:
    return (other for other in others if other.namespace == own.namespace and other.name != own.name)
