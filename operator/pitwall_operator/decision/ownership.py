"""Settles which Rollout owns a flag or a variant if several claim it: the oldest.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterable, Sequence

from pitwall_crds.rollout import Rollout

Age = tuple[str, str, str]


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
