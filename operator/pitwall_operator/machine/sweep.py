"""Brings what deleted rollouts left on this machine to rest: their flags' users go back, pools that serve nobody go."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import read_split
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.decision.permission.ownership import claim_of
from pitwall_operator.machine.resources import Resources
from pitwall_operator.turn.gone import Rest, to_rest
from pitwall_operator.turn.one_by_one import OneByOne
from pitwall_operator.turn.perform import ACTOR
from pitwall_operator.values.platform import Platform

log = logging.getLogger(__name__)

Moved = Mapping[tuple[str, str], str]
"""The flag of each rollout, by namespace and name; empty where it cannot be read."""


@dataclass(slots=True)
class MachineSweep:
    """What a round needs, and the rollouts at whose last round nothing was left to do."""

    flags: FlagClient
    platform: Platform
    resources: Resources
    each: OneByOne = field(default_factory=OneByOne)
    _settled: Moved | None = field(default=None, init=False)

    async def once(self) -> None:
        """A round, if rollouts came or went since nothing was left to do. What fails is tried again at the next one."""
        present = self._present()
        if present == self._settled:
            return
        try:
            done = await self._round(present)
        except (FlagsUnreachableError, FlagRejectedError, FlagConflictError) as error:
            log.warning("flags of deleted rollouts could not be brought to rest: %s", error)
            return
        self._settled = present if done else None

    def _present(self) -> Moved:
        """Rollouts that exist, those that cannot be read among them: a broken file is not a deleted one."""
        broken = {one.name: "" for one in self.resources.unreadable() if one.kind == "Rollout"}
        flags = broken | {one.metadata.name: one.spec.flag for one in self.resources.rollouts()}
        return {("default", name): flag for name, flag in flags.items()}

    async def _round(self, present: Moved) -> bool:
        flags = await self.flags.list()
        resting: list[Rest] = []
        for flag in flags:
            with self.each.about(f"flag {flag.key}"):
                resting += to_rest((flag,), present, lambda _: True)
        for rest in resting:
            log.info("%s: its former flag %s goes back to stable", rest.why, rest.flag)
            await self.flags.put(rest.flag, rest.document, expected_version=rest.version, actor=ACTOR, reason=rest.why)
        if resting:
            return False  # what serves is read anew before anything is drained
        await self._drain(flags)
        return True

    async def _drain(self, flags: tuple[FlagRecord, ...]) -> None:
        """End pools that no rollout claims and no flag sends anybody to."""
        if any(one.kind == "Rollout" for one in self.resources.unreadable()):
            return  # what it claims cannot be read
        kept = frozenset[str]().union(*(claim_of(one).variants for one in self.resources.rollouts()))
        for split in filter(None, (read_split(flag.document) for flag in flags)):
            kept |= {share.variant for share in split.shares if share.weight}
        for variant, pools in (await self.platform.pools()).items():
            for pool in () if variant in kept else tuple(pools):
                log.info("no rollout is left that runs %s (%s): it is drained", variant, pool)
                await self.platform.drain(variant, pool)
