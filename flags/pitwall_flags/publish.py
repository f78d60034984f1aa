"""The store's contents come in, snapshots go out to everybody who follows, never an older one after a newer one."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pitwall_flags.flagset import FlagSet
from pitwall_flags.record import Contents
from pitwall_flags.store import FlagStore

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""How often a service asks its database whether another replica wrote. Its own writes are published at once."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All flags at one revision: ready to evaluate, and as the flagd configuration that sync clients get."""

    revision: int
    flag_set: FlagSet
    configuration: str

    def select(self, prefix: str) -> str:
        """The configuration with the flags of this key prefix only."""
        if not prefix:
            return self.configuration
        flags = {key: document for key, document in self.flag_set.documents.items() if key.startswith(prefix)}
        return _dump({"flags": flags, "metadata": dict(self.flag_set.metadata)})


class Publisher:
    """Keeps the newest snapshot and wakes followers. A slow follower skips to the newest; nobody is ever sent back."""

    def __init__(self, store: FlagStore, flag_set_id: str) -> None:
        self.flag_set_id = flag_set_id
        self._store = store
        self._changed = asyncio.Condition()
        self._reading = asyncio.Lock()
        self._closed = False
        self.snapshot = _snapshot(Contents((), -1, 0), flag_set_id, None)

    async def refresh(self) -> Snapshot:
        """Read the store again, publish if it has moved on, and give the newest snapshot."""
        async with self._reading:
            contents = await self._store.contents()
            if contents.revision > self.snapshot.revision:
                self.snapshot = _snapshot(contents, self.flag_set_id, self.snapshot.flag_set)
                await self._wake()
        return self.snapshot

    async def watch(self) -> None:
        """Publish what other replicas write, until cancelled. A database that is away is asked again."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                if await self._store.revision() > self.snapshot.revision:
                    await self.refresh()
            except (OSError, SQLAlchemyError) as error:
                _log.warning("cannot read flags, serving revision %s meanwhile: %s", self.snapshot.revision, error)
                await asyncio.sleep(4 * POLL_SECONDS)

    async def follow(self, after_revision: int = -2) -> AsyncIterator[Snapshot]:
        """The snapshot now, then each newer one that is there when the follower comes back; ends at close."""
        while not self._closed:
            snapshot = self.snapshot
            if snapshot.revision > after_revision:
                after_revision = snapshot.revision
                yield snapshot
                continue
            await self._wait_beyond(after_revision)

    async def close(self) -> None:
        """End all followers."""
        self._closed = True
        await self._wake()

    async def _wait_beyond(self, revision: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self.snapshot.revision > revision)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _snapshot(contents: Contents, flag_set_id: str, before: FlagSet | None) -> Snapshot:
    metadata = {
        "flagSetId": flag_set_id,
        "version": str(max(contents.revision, 0)),
        "writtenAtMs": contents.written_at_ms,
    }
    flags = {record.key: record.effective() for record in contents.records}
    configuration = {"flags": flags, "metadata": metadata}
    return Snapshot(contents.revision, FlagSet(configuration, before), _dump(configuration))


def _dump(configuration: dict[str, Any]) -> str:
    return json.dumps({"$schema": "https://flagd.dev/schema/v0/flags.json", **configuration}, separators=(",", ":"))
