"""Finds the pools that deleted rollouts left behind and that serve nobody. Pure: no clock, chance or I/O."""

from collections.abc import Collection, Iterable, Iterator

from pitwall_crds.names import ObjectLabel, Pool
from pitwall_flags.flag.document import read_split
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.kube.cache import Key, rollout_of
from pitwall_operator.kube.client import Object
from pitwall_operator.turn.perform import owner_of


def idle_pools(
    flags: Iterable[FlagRecord], deployments: Iterable[Object], existing: Collection[Key]
) -> Iterator[tuple[Key, str, str]]:
    """Rollout, variant and pool of Deployments that a rollout left behind and that serve nobody. Where no flag says
    what serves, nothing is touched."""
    serving: dict[Key, set[str]] = {}
    for flag in flags:
        owner = owner_of(flag.document)
        split = read_split(flag.document) if owner is not None and owner not in existing else None
        if owner is not None and split is not None:
            serving.setdefault(owner, set()).update(share.variant for share in split.shares if share.weight)
    for found in deployments:
        labels, owner = found["metadata"]["labels"], rollout_of(found)
        if owner is None or owner in existing or owner not in serving or "deletionTimestamp" in found["metadata"]:
            continue
        variant, pool = labels.get(ObjectLabel.VARIANT, ""), labels.get(ObjectLabel.POOL, "")
        if variant not in serving[owner] or pool != Pool.MAIN:
            yield owner, variant, pool
