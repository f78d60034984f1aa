"""Finds the pools that deleted rollouts left behind and that serve nobody. Pure: no clock, chance or I/O."""

from collections.abc import Collection, Iterable, Iterator

from pitwall_crds.names import ObjectLabel, Pool
from pitwall_flags.flag.document import owner_of, read_split
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.kube.cache import Key, rollout_of
from pitwall_operator.kube.client import Object


def idle_pools(
    flags: Iterable[FlagRecord], deployments: Iterable[Object], existing: Collection[Key]
) -> Iterator[tuple[Key, str, str]]:
    """Rollout, variant and pool of Deployments that a rollout left behind and that serve nobody. Where no split of the
    traffic says what serves, or one of the rollout's flags cannot be read as a split, nothing is touched."""
    serving = _serving(flags, existing)
    for found in deployments:
        labels, owner = found["metadata"].get("labels") or {}, rollout_of(found)
        if owner is None or owner in existing or owner not in serving or "deletionTimestamp" in found["metadata"]:
            continue
        variant, pool = labels.get(ObjectLabel.VARIANT, ""), labels.get(ObjectLabel.POOL, "")
        if variant not in serving[owner] or pool != Pool.MAIN:
            yield owner, variant, pool


def _serving(flags: Iterable[FlagRecord], existing: Collection[Key]) -> dict[Key, set[str]]:
    """The variants to which the flags of each rollout that is gone send anybody."""
    serving: dict[Key, set[str]] = {}
    known, unclear = set[Key](), set[Key]()
    for flag in flags:
        owner = owner_of(flag.document)
        if owner is None or owner in existing:
            continue
        split = read_split(flag.document)
        if split is None:
            unclear.add(owner)
            continue
        serving.setdefault(owner, set()).update(share.variant for share in split.shares if share.weight)
        if split.is_traffic:
            known.add(owner)
    return {owner: variants for owner, variants in serving.items() if owner in known - unclear}
