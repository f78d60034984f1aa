"""Brings what deleted rollouts left behind to rest: their flags' users go back to stable, pods that serve nobody go."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pitwall_crds.names import Pool
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_operator.cluster import orphans
from pitwall_operator.kube.cache import Cache, Key
from pitwall_operator.kube.client import DEPLOYMENTS
from pitwall_operator.turn.gone import Rest, to_rest
from pitwall_operator.turn.perform import ACTOR
from pitwall_operator.values.errors import KubeError
from pitwall_operator.values.platform import Platform

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a round of it needs.

    Attributes:
        pools_of: the pools of one rollout.
        watches: whether a namespace is one that this operator watches.
    """

    cache: Cache
    flags: FlagClient
    pools_of: Callable[[Key], Platform]
    watches: Callable[[str], bool]

    async def once(self) -> bool:
        """One round; whether nothing is left to do. What cannot be done now keeps nothing else from being done.

        Raises FlagsUnreachableError or FlagRejectedError where the flags cannot be listed.
        """
        moved, flags = self.cache.flags_of_staying_rollouts(), await self.flags.list()
        resting = list(to_rest(flags, moved, self.watches))
        for rest in resting:
            await self._rest(rest)
        if resting:
            return False
        idle = list(orphans.idle_pools(flags, self.cache.objects[DEPLOYMENTS].values(), moved))
        drained = [await self._drain(rollout, variant, pool) for rollout, variant, pool in idle]
        return all(drained)

    async def _rest(self, rest: Rest) -> None:
        log.info("%s: its former flag %s goes back to stable", rest.why, rest.flag)
        try:
            await self.flags.put(rest.flag, rest.document, expected_version=rest.version, actor=ACTOR, reason=rest.why)
        except (FlagsUnreachableError, FlagRejectedError, FlagConflictError) as error:
            log.warning("%s, but its former flag %s could not be brought to rest: %s", rest.why, rest.flag, error)

    async def _drain(self, rollout: Key, variant: str, pool: str) -> bool:
        log.info("Rollout %s/%s is gone: %s (%s) is drained", *rollout, variant, pool)
        try:
            await self.pools_of(rollout).drain(variant, Pool(pool))
        except (KubeError, ValueError) as error:  # ValueError: a label that somebody wrote by hand
            log.warning("%s (%s) of deleted Rollout %s/%s could not be drained: %s", variant, pool, *rollout, error)
            return False
        return True
