"""Tells rollouts when somebody else wrote their flags: a kill, a release, a split by hand.

A rollout that moves looks at its flag each second anyway; one that rests, or waits for a release, only when it is told.
So does one beside whose pods stay for another flag's users: it is told when anybody wrote that flag, the operator too.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pitwall_crds.names import main_flag
from pitwall_flags.errors import FlagRejectedError, FlagsUnreachableError
from pitwall_operator.cluster.controller.next_turns import Due
from pitwall_operator.cluster.recent_flags import RECENT_SECONDS, RecentFlags
from pitwall_operator.cluster.tasks import BackgroundTasks, first_of
from pitwall_operator.kube.cache import Cache
from pitwall_operator.values.object_key import Key

log = logging.getLogger(__name__)

FLAG_NEWS: Final = "flag news"
HANGING_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class FlagNews:
    """Wakes the rollouts whose flags, whose copies' flags, or the flags that keep pods beside theirs, are not what they
    were."""

    flags: RecentFlags
    cache: Cache
    due: Due
    wake: Callable[[frozenset[Key]], None]
    background: BackgroundTasks

    async def keep(self, over: asyncio.Event) -> None:
        """Ask each second what changed, until it is over."""
        while not over.is_set():
            try:
                await self.once()
            except (FlagsUnreachableError, FlagRejectedError) as error:
                log.debug("nobody is told what changed at the flags: %s", error)  # the sweep says so louder
            self.background.alive(FLAG_NEWS, HANGING_SECONDS)
            await first_of(over.wait(), seconds=RECENT_SECONDS)

    async def once(self) -> None:
        """Wake whose flags changed. Raises FlagsUnreachableError or FlagRejectedError."""
        changed = await self.flags.changed()
        keys = changed | {main_flag(key) for key in changed}
        beside = self.due.beside(changed | self.flags.wrote())
        if news := beside.union(*map(self.cache.rollouts_of_flag, keys)):
            self.wake(news)
