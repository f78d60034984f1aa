"""Reads the namespaces that hold up the others apart from them, each at its own pace, and remembers which these are."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from pitwall_operator.observe.snapshot import CounterSnapshot
from pitwall_operator.values.observation import Unseen

AT_ONCE: Final = 4
"""Namespaces that are read alone at the same time: Prometheus has others to answer."""
APART_SECONDS: Final = 600.0
"""So long one that could not be read is read alone; each time that it is tried with the others again costs them one
reading, should it hold them up still."""
QUICK_SECONDS: Final = 2.0
"""Who is read alone in this time is tried with the others again, once in `APART_SECONDS`: it may have waited behind
others, or Prometheus was slow for everybody, for a moment."""
ON_ITS_WAY: Final = Unseen(
    "Prometheus takes too long for all namespaces at once: this one is read alone, and its first reading is on its way"
)

Part = CounterSnapshot | Unseen


@dataclass(slots=True)
class ApartReader:
    """What was read last of each namespace that is read alone."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, float] = field(default_factory=dict)
    _tried: dict[str, float] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _latest: dict[str, Part] = field(default_factory=dict)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def namespaces(self) -> frozenset[str]:
        """Those that are to be read alone now."""
        now = self.clock()
        self._tried = {one: at for one, at in self._tried.items() if now - at < APART_SECONDS}
        self.rejoin([one for one, until in self._until.items() if until < now])
        return frozenset(self._until)

    def begin(self, namespace: str, read: Callable[[], Awaitable[Part]]) -> None:
        """Read it in the background, unless that is under way."""
        self._until.setdefault(namespace, self.clock() + APART_SECONDS)
        known = self._tasks.get(namespace)
        if known is None or known.done():
            self._tasks[namespace] = asyncio.create_task(self._read(namespace, read))

    async def settle(self, namespaces: Iterable[str], seconds: float) -> None:
        """Wait for these, so long at most; those that take longer go on."""
        await asyncio.wait([self._tasks[one] for one in namespaces], timeout=seconds)

    def latest(self, namespace: str) -> Part:
        """What was read of it last, or why nothing was."""
        return self._latest.get(namespace, ON_ITS_WAY)

    def rejoin(self, namespaces: Iterable[str]) -> None:
        """These are read with the others again."""
        for one in namespaces:
            self._until.pop(one, None)
            self._latest.pop(one, None)
            if task := self._tasks.pop(one, None):
                task.cancel()

    def close(self) -> None:
        """Read nothing any more."""
        self.rejoin(list(self._until))

    async def _read(self, namespace: str, read: Callable[[], Awaitable[Part]]) -> None:
        async with self._room:
            began = self.clock()
            part = await read()
        self._latest[namespace] = part
        now = self.clock()
        if isinstance(part, Unseen):
            self._until[namespace] = now + APART_SECONDS
        elif now - began <= QUICK_SECONDS and namespace not in self._tried:
            self._tried[namespace] = now
            self._until[namespace] = float("-inf")
