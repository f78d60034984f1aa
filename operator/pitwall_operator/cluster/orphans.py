"""Finds flags and pools whose Rollout is gone, and says what must be written so that their users return to stable.

A flag remembers whose it is. When that Rollout is gone, its users go back to the stable variant and its copies end;
the flag itself stays, since it says which variant serves. Pure: no clock, chance or I/O.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pitwall_crds.names import ObjectLabel, Pool
from pitwall_flags.flag.document import at_rest, read_split
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.kube.cache import Key, rollout_of
from pitwall_operator.kube.client import Object
from pitwall_operator.turn.perform import owner_of


@dataclass(frozen=True, slots=True)
class Rest:
    """A flag as it must be now that its rollout is gone."""

    flag: str
    version: int
    document: Mapping[str, Any]
    owner: str


def to_rest(flags: Iterable[FlagRecord], existing: Collection[Key], is_ours: Callable[[str], bool]) -> Iterator[Rest]:
    """What to write; `is_ours` says whether a namespace is one that this operator watches."""
    for flag in flags:
        owner = owner_of(flag.document)
        if owner is None or owner in existing or not is_ours(owner[0]):
            continue
        document = at_rest(flag.document)
        if document is not None:
            yield Rest(flag.key, flag.version, document, "/".join(owner))


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
