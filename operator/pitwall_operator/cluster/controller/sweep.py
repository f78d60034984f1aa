"""Brings what deleted rollouts left behind to rest: their flags' users go back to stable, pods that serve nobody go."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from pitwall_crds.names import Pool, main_flag
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import owner_of, served_by
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.cluster.controller import orphans
from pitwall_operator.decision.permission.ownership import NO_PREFIXES, FlagPrefixes
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import DEPLOYMENTS
from pitwall_operator.turn.gone import Rest, to_rest
from pitwall_operator.turn.one_by_one import OneByOne
from pitwall_operator.turn.perform import ACTOR
from pitwall_operator.values.errors import KubeError
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.platform import Platform

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a round of it needs.

    Attributes:
        pools_of: the pools of one rollout.
        watches: whether a namespace is one that this operator watches.
        each: what broke at which flag or pool.
        prefixes: what flags must begin with, by namespace.
    """

    cache: Cache
    flags: FlagClient
    pools_of: Callable[[Key], Platform]
    watches: Callable[[str], bool]
    each: OneByOne = field(default_factory=OneByOne)
    prefixes: FlagPrefixes = NO_PREFIXES

    async def once(self) -> bool:
        """One round; whether nothing is left to do. What cannot be done now keeps nothing else from being done.

        Raises FlagsUnreachableError or FlagRejectedError where the flags cannot be listed.
        """
        moved, flags = self.cache.flags_of_staying_rollouts(), await self.flags.list()
        resting: list[Rest] = []
        read: list[FlagRecord] = []
        served: set[Key] = set()
        for flag in flags:
            with self.each.about(f"flag {flag.key}"):
                if self.prefixes.owner(flag.key, said := owner_of(flag.document)) is not None:
                    resting += to_rest((flag,), moved, self.watches)
                    read.append(flag)
                elif said is not None and not self._is_moved(main_flag(flag.key) or flag.key, said[0]):
                    # By today's prefixes it is no flag of that namespace, so it says nothing of pools that may go. It
                    # was once, and its users are still sent where it says: nobody else brings them back.
                    resting += to_rest((flag,), moved, self.watches)
                    served |= served_by(flag.document)
        for rest in resting:
            await self._rest(rest)
        # What serves the users of a flag that goes back is read anew before anything of its rollout is drained.
        moving = dict(moved) | {rest.owner: rest.flag for rest in resting}
        pools, claimed = self.cache.objects[DEPLOYMENTS].values(), self.cache.claimed_variants()
        idle = list(orphans.idle_pools(read, pools, moving, claimed | served))
        drained = [await self._drain(rollout, variant, pool) for rollout, variant, pool in idle]
        return not resting and all(drained)

    def _is_moved(self, flag: str, namespace: str) -> bool:
        """Whether a Rollout that stays has this flag, which says that it is of this namespace: its split is in force.
        One that merely names it has none of its users, and may be refused for ever."""
        for rollout in self.cache.rollouts_of_flag(flag):
            may_have = rollout[0] == namespace or not self.prefixes.forbids(rollout[0], flag)
            if may_have and self.cache.moves(rollout):
                return True
        return False

    async def _rest(self, rest: Rest) -> None:
        log.info("%s: its former flag %s goes back to stable", rest.why, rest.flag)
        with self.each.about(f"flag {rest.flag}, since {rest.why}"):
            try:
                await self.flags.put(
                    rest.flag, rest.document, expected_version=rest.version, actor=ACTOR, reason=rest.why
                )
            except (FlagsUnreachableError, FlagRejectedError, FlagConflictError) as error:
                log.warning("%s, but its former flag %s could not be brought to rest: %s", rest.why, rest.flag, error)

    async def _drain(self, rollout: Key, variant: str, pool: Pool) -> bool:
        log.info("Rollout %s/%s is gone: %s (%s) is drained", *rollout, variant, pool)
        with self.each.about(f"{variant} ({pool}) of deleted Rollout {'/'.join(rollout)}"):
            try:
                await self.pools_of(rollout).drain(variant, pool)
            except KubeError as error:
                log.warning("%s (%s) of deleted Rollout %s/%s could not be drained: %s", variant, pool, *rollout, error)
            else:
                return True
        return False
