"""Caches the flag service's flags for a second, so that all rollouts together ask it once a second.

A moving rollout looks at its flags every second; nearly always nobody wrote them. So all are read at first and every
five minutes (another database may stand behind the same address), and in between what changed; own writes are known at
once. What somebody else writes (a kill, which gateways obey at once whatever the operator knows) is seen a second
later, and a write that relies on what is no longer so is refused by its version and repeated. While nobody asks,
nothing is read; the operator that leads asks all the time, for the sake of rollouts that rest.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from pitwall_flags.client import FlagClient
from pitwall_flags.flag.record import FlagRecord

RECENT_SECONDS: Final = 1.0
WHOLE_SECONDS: Final = 300.0
NEVER: Final = float("-inf")


class RecentFlags(FlagClient):
    """A flag client that remembers."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout_seconds: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, token=token, timeout_seconds=timeout_seconds, transport=transport)
        self._clock = clock
        self._known: dict[str, FlagRecord] = {}
        self._listed: tuple[FlagRecord, ...] | None = None
        self._written: list[FlagRecord] = []
        self._news: set[str] = set()
        self._wrote: set[str] = set()
        self._revision = -1
        self._read_at = self._whole_at = NEVER
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: str) -> FlagRecord | None:
        """The flag as it was at most a second ago. Raises FlagsUnreachableError or FlagRejectedError."""
        await self._refresh()
        return self._known.get(key)

    async def list(self) -> tuple[FlagRecord, ...]:
        """All flags as they were at most a second ago; the same tuple while none changed.

        Raises FlagsUnreachableError or FlagRejectedError.
        """
        await self._refresh()
        if self._listed is None:
            self._listed = tuple(self._known.values())
        return self._listed

    async def changed(self) -> frozenset[str]:
        """Keys of flags that somebody else wrote or removed since this was asked before.

        Raises FlagsUnreachableError or FlagRejectedError.
        """
        await self._refresh()
        news = frozenset(self._news)
        self._news.clear()
        return news

    def wrote(self) -> frozenset[str]:
        """Keys of flags that were written through this client since this was asked before."""
        wrote = frozenset(self._wrote)
        self._wrote.clear()
        return wrote

    async def put(
        self, key: str, document: Mapping[str, Any], *, expected_version: int | None, actor: str, reason: str
    ) -> FlagRecord:
        """Write the flag; where that fails, what was known no longer counts."""
        try:
            written = await super().put(key, document, expected_version=expected_version, actor=actor, reason=reason)
        except BaseException:
            self._read_at = NEVER
            raise
        self._learn(written)
        self._written.append(written)
        self._wrote.add(key)
        return written

    async def _refresh(self) -> None:
        if self._clock() - self._read_at < RECENT_SECONDS:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        asked = self._clock()
        self._written.clear()
        newer = None if asked - self._whole_at >= WHOLE_SECONDS else await self.newer(self._revision)
        if newer is None or newer.revision < self._revision:  # a lower one: the database is another
            newer = await self.contents()
            before, self._known, self._listed = self._known, {}, None
            self._news |= before.keys() - {record.key for record in newer.records}
            self._whole_at = asked
        else:
            before = self._known
        self._news |= {record.key for record in newer.records if before.get(record.key) != record}
        for record in (*newer.records, *self._written):
            self._learn(record)
        for key, version in newer.gone.items():
            if key in self._known and self._known[key].version <= version:
                del self._known[key]
                self._listed = None
                self._news.add(key)
        self._revision, self._read_at = newer.revision, asked

    def _learn(self, record: FlagRecord) -> None:
        """Keep a record, unless a newer one is known: an own write overtakes a reading that was begun before it."""
        known = self._known.get(record.key)
        if known is None or known.version <= record.version:
            self._known[record.key], self._listed = record, None
