"""Caches the flag service's flags for a second, so that all rollouts together ask it once a second.

A moving rollout looks at its flags every second; nearly always nobody wrote them. So all are read at first, page by
page, and in between what changed; own writes are known at once. Every five minutes all are gone through again, a page
each second beside what changed, since another database may stand behind the same address: however many flags there
are, that keeps nobody waiting, and a page that fails is read again, not those before it. What somebody else writes (a
kill, which gateways obey at once whatever the operator knows) is seen a second later, and a write that relies on what
is no longer so is refused by its version and repeated. While nobody asks, nothing is read; the operator that leads
asks all the time, for the sake of rollouts that rest.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import metadata_of, read_split
from pitwall_flags.flag.record import FlagRecord, Newer

log = logging.getLogger(__name__)

RECENT_SECONDS: Final = 1.0
WHOLE_SECONDS: Final = 300.0
NEVER: Final = float("-inf")
AGAIN_SECONDS: Final = 60.0
"""After so long a page that could not be read beside what changed is asked for again."""
OURS: Final = "pitwall"
"""What the names of our own metadata begin with."""


@dataclass(slots=True)
class _Walk:
    """One reading of all flags, as far as it came.

    Attributes:
        last: the key at which it goes on.
        base: the revision at which it began.
        seen: keys that it found, or that were written since it began.
    """

    last: str = ""
    base: int = -1
    seen: set[str] = field(default_factory=set)


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
        self._read_at = NEVER
        self._walk: _Walk | None = _Walk()
        self._walk_at = self._again_at = NEVER
        self._is_whole = False
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
        if self._is_whole:
            newer = await self.newer(self._revision)
            if newer.revision >= self._revision:
                self._take(newer)
                await self._walk_on(asked)
                self._read_at = asked
                return
            self._is_whole, self._walk = False, _Walk()  # a lower one: the database is another
        await self._read_whole(asked)
        self._read_at = asked

    async def _read_whole(self, asked: float) -> None:
        """Read all flags before anything is told; where a page failed, the next reading goes on at it."""
        walk = self._walk = self._walk or _Walk()
        is_at_once = walk.base < 0
        while not await self._step(walk):
            is_at_once = False
        self._revision, self._walk_at = walk.base, asked
        if not is_at_once:
            self._take(await self.newer(self._revision))  # what was written while they were read
        self._walk, self._is_whole = None, True

    async def _walk_on(self, asked: float) -> None:
        """Go through all flags once more, a page now. What fails is told, and keeps nobody from what changed."""
        if self._walk is None:
            if asked - self._walk_at < WHOLE_SECONDS:
                return
            self._walk, self._walk_at = _Walk(), asked
        if asked < self._again_at:
            return
        try:
            if await self._step(self._walk):
                self._walk = None
        except (FlagsUnreachableError, FlagRejectedError) as error:
            log.warning("what changed at the flags is known; that nothing else did could not be read: %s", error)
            self._again_at = asked + AGAIN_SECONDS

    async def _step(self, walk: _Walk) -> bool:
        """Read the next page; whether it was the last. It is newer than what was known, but for own writes."""
        page = await self.page(walk.last)
        own = {record.key for record in self._written}
        if walk.base < 0:
            walk.base = page.revision
        for record in page.records:
            walk.seen.add(record.key)
            if record.key not in own and self._differs(record):
                self._keep(record)
                self._news.add(record.key)
        if page.more and page.last > walk.last:
            walk.last = page.last
            return False
        for key in self._known.keys() - walk.seen:
            self._forget(key)
        return True

    def _take(self, newer: Newer) -> None:
        self._news |= {record.key for record in newer.records if self._differs(record)}
        for record in newer.records:
            self._learn(record)
        for key, version in newer.gone.items():
            if key in self._known and self._known[key].version <= version:
                self._forget(key)
        self._revision = newer.revision

    def _learn(self, record: FlagRecord) -> None:
        """Keep a record, unless a newer one is known: an own write overtakes a reading that was begun before it."""
        if self._walk is not None:
            self._walk.seen.add(record.key)
        known = self._known.get(record.key)
        if known is None or known.version <= record.version:
            self._keep(record)

    def _differs(self, record: FlagRecord) -> bool:
        known = self._known.get(record.key)
        return known is None or (known != record and known != _shortened(record))

    def _keep(self, record: FlagRecord) -> None:
        self._known[record.key], self._listed = _shortened(record), None

    def _forget(self, key: str) -> None:
        del self._known[key]
        self._listed = None
        self._news.add(key)


def _shortened(record: FlagRecord) -> FlagRecord:
    """The flag without what no rollout is about: of a document that is no split of ours our marks stay, since others'
    may have megabytes together."""
    if read_split(record.document) is not None:
        return record
    ours = {name: value for name, value in metadata_of(record.document).items() if name.startswith(OURS)}
    return FlagRecord(record.key, {"metadata": ours} if ours else {}, record.version, record.killed)
