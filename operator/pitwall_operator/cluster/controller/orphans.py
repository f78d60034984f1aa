"""Finds the pools that deleted rollouts left behind and that serve nobody. Pure: no clock, chance or I/O."""

from collections.abc import Collection, Iterable, Iterator

from pitwall_crds.names import Pool
from pitwall_flags.flag.document import owner_of, read_split, served_by
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.kube.cache import is_leaving, rollout_of
from pitwall_operator.kube.client import Object
from pitwall_operator.kube.whose import pool_of
from pitwall_operator.values.object_key import Key


def idle_pools(
    flags: Iterable[FlagRecord],
    deployments: Iterable[Object],
    existing: Collection[Key],
    claimed: Collection[Key] = (),
) -> Iterator[tuple[Key, str, Pool]]:
    """Rollout, variant and pool of Deployments that a rollout left behind and that serve nobody. Where no split of the
    traffic says what serves, or one of the rollout's flags cannot be read as a split, nothing is touched; nor is what
    rollouts that exist claim (`claimed`), or what any flag of the namespace sends somebody to, whoever's the label."""
    serving, clear = _serving(flags)
    for found in deployments:
        known, owner = pool_of(found), rollout_of(found)
        if known is None or owner is None or owner in existing or owner not in clear or is_leaving(found):
            continue
        variant, pool = known
        serves = pool is Pool.MAIN and (owner[0], variant) in serving
        if not serves and (owner[0], variant) not in claimed:
            yield owner, variant, pool


def _serving(flags: Iterable[FlagRecord]) -> tuple[set[Key], set[Key]]:
    """The variants to which flags send anybody, and the rollouts whose flags all say so."""
    serving, known, unclear = set[Key](), set[Key](), set[Key]()
    for flag in flags:
        owner = owner_of(flag.document)
        if owner is None:
            continue
        split = read_split(flag.document)
        if split is None:
            unclear.add(owner)
            continue
        serving |= served_by(flag.document)
        if split.is_traffic:
            known.add(owner)
    return serving, known - unclear
