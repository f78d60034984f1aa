"""Knows for how long this process' event loop stood still: what it did not see meanwhile says nothing of others."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from pitwall_crds.host.lasting import lasting

TICK_SECONDS: Final = 0.05
TOLERANCE_SECONDS: Final = 0.02
"""So late is any loop that has something to do."""


class LoopStalls:
    """Follows the loop by a task that wakes up again and again, and notes how late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sum = 0.0
        self._due: float | None = None
        self._follower: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow; needs a running event loop."""
        self._follower = asyncio.create_task(lasting("the watch for standstills", self._follow))

    async def close(self) -> None:
        """Follow no more."""
        if self._follower:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)

    def seconds(self) -> float:
        """All standstills together, the one included that has just ended."""
        return self._sum + self._late()

    def _late(self) -> float:
        late = 0.0 if self._due is None else self._clock() - self._due
        return late if late > TOLERANCE_SECONDS else 0.0

    async def _follow(self) -> None:
        while True:
            self._due = self._clock() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._sum += self._late()
