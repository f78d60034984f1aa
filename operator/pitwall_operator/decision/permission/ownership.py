"""Settles which Rollout owns a flag or a variant if several claim it: the oldest.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import experiment_flag, main_flag, shadow_flag
from pitwall_crds.rollout import Rollout

Age = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class FlagPrefixes:
    """What the flags of a namespace must begin with, where the cluster's administrator says so, and no other's may."""

    by_namespace: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def refusal(self, rollout: Rollout) -> str:
        """Why this rollout may not move its flag or those of its copies; empty if it may."""
        namespace, flag = rollout.metadata.namespace, rollout.spec.flag
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


def age(rollout: Rollout) -> Age:
    """Sorts the oldest first; equally old ones by name, so that every replica decides the same."""
    metadata = rollout.metadata
    return metadata.creation_timestamp, metadata.namespace, metadata.name


def claimed(rollout: Rollout) -> frozenset[str]:
    """The variants whose pools this rollout runs: those it asks for and those it still uses."""
    spec, status = rollout.spec, rollout.status
    asked = (spec.variant_ref.name, *(experiment.variant_ref.name for experiment in spec.experiments))
    used = (status.stable_variant, status.candidate_variant, *status.experiments)
    return frozenset(filter(None, (*asked, *used)))


def foreign(rollout: Rollout, others: Iterable[Rollout]) -> frozenset[str]:
    """Variants of the same namespace that other rollouts claim and this one does not."""
    theirs = frozenset[str]().union(*(claimed(other) for other in _neighbours(rollout, others)))
    return theirs - claimed(rollout)


def refusal(rollout: Rollout, others: Sequence[Rollout]) -> str:
    """Why this rollout may not move anything; empty if it may. Flags are shared by all namespaces, variants are not."""
    for elder in sorted((o for o in others if _is_other(rollout, o) and age(o) < age(rollout)), key=age):
        if elder.spec.flag == rollout.spec.flag:
            return (
                f"the flag {rollout.spec.flag!r} is already moved by Rollout {_name(elder)}; a flag must have one "
                "Rollout: delete one of them or name another flag"
            )
    for elder in sorted((o for o in _neighbours(rollout, others) if age(o) < age(rollout)), key=age):
        shared = sorted(claimed(elder) & claimed(rollout))
        if shared:
            return (
                f"SamplerVariant {shared[0]!r} is already run by Rollout {_name(elder)}, which decides its pods; "
                "apply the same spec under a name of its own"
            )
    return ""


def _is_other(rollout: Rollout, other: Rollout) -> bool:
    return _name(other) != _name(rollout)


def _neighbours(rollout: Rollout, others: Iterable[Rollout]) -> Iterable[Rollout]:
    return (o for o in others if _is_other(rollout, o) and o.metadata.namespace == rollout.metadata.namespace)


def _name(rollout: Rollout) -> str:
    return f"{rollout.metadata.namespace}/{rollout.metadata.name}"
