"""Publishes snapshots of the store to everybody who follows, never an older one after a newer one."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from pitwall_flags.flag.evaluate import Metadata
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.flag.readable import unreadable
from pitwall_flags.flag.record import Change, Contents
from pitwall_flags.service.auth import ALL_FLAGS, Roots, covers
from pitwall_flags.storage.store import FlagStore

log = logging.getLogger(__name__)

SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"

POLL_SECONDS: Final = 0.25
"""How often a service asks its database whether another replica wrote. Its own writes are published at once."""


@dataclass(frozen=True, slots=True)
class FlagSnapshot:
    """All flags at one revision: ready to evaluate, and as the flagd configuration that sync clients get."""

    revision: int
    flag_set: FlagSet
    fragments: Mapping[str, str]
    configuration: str

    def select(self, prefix: str, roots: Roots = ALL_FLAGS) -> str:
        """The configuration with the flags of this key prefix only, of those that the caller may see."""
        if not prefix and roots == ALL_FLAGS:
            return self.configuration
        chosen = {key: text for key, text in self.fragments.items() if key.startswith(prefix) and covers(roots, key)}
        return _configuration(chosen, self.flag_set.metadata)


class Publisher:
    """Keeps the newest snapshot and wakes followers. A slow follower skips to the newest; nobody is ever sent back."""

    def __init__(self, store: FlagStore, flag_set_id: str) -> None:
        self.flag_set_id = flag_set_id
        self._store = store
        self._changed = asyncio.Condition()
        self._reading = asyncio.Lock()
        self._closed = False
        self.snapshot = _first(Contents((), -1, 0), flag_set_id)

    async def refresh(self) -> FlagSnapshot:
        """Read what was written since, publish it if anything was, and give the newest snapshot."""
        async with self._reading:
            known = self.snapshot
            if known.revision < 0:
                newer = _first(await self._store.contents(), self.flag_set_id)
            else:
                changes = await self._store.changes_since(known.revision)
                newer = _next(known, changes)
                if any(change.forgotten for change in changes):  # this replica is that far behind
                    newer = _first(await self._store.contents(), self.flag_set_id)
            if newer.revision > known.revision:
                self.snapshot = newer
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
                log.warning("cannot read flags, serving revision %s meanwhile: %s", self.snapshot.revision, error)
                await asyncio.sleep(4 * POLL_SECONDS)
            except Exception:  # what is served must follow again once this is mended, whatever it is
                log.exception("cannot publish flags, serving revision %s meanwhile", self.snapshot.revision)
                await asyncio.sleep(4 * POLL_SECONDS)

    async def follow(self, after_revision: int = -2) -> AsyncIterator[FlagSnapshot]:
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


def _first(contents: Contents, flag_set_id: str) -> FlagSnapshot:
    flags = {record.key: record.effective() for record in contents.records}
    metadata = _metadata(flag_set_id, max(contents.revision, 0), contents.written_at_ms)
    return _snapshot(contents.revision, flags, _fragments(flags), metadata)


def _next(known: FlagSnapshot, changes: Sequence[Change]) -> FlagSnapshot:
    """The snapshot after these changes. Only what changed is written anew: a write stays cheap beside 10 000 flags."""
    if not changes:
        return known
    newest = {change.key: change.after for change in changes}
    changed = {key: flag for key, flag in newest.items() if flag is not None}
    flags = {**known.flag_set.documents, **changed}
    fragments = {key: text for key, text in known.fragments.items() if key not in newest} | _fragments(changed)
    for key in newest.keys() - changed.keys():
        flags.pop(key, None)
    last = changes[-1]
    metadata = _metadata(str(known.flag_set.metadata["flagSetId"]), last.revision, last.at_ms)
    return _snapshot(last.revision, flags, fragments, metadata, known.flag_set)


def _fragments(flags: Mapping[str, Any]) -> dict[str, str]:
    """Flags as followers get them. What some of these could not read is left out: they would refuse all the others."""
    found = {}
    for key, flag in flags.items():
        fault = unreadable(flag)
        if fault:
            log.warning("flag %r is kept from followers: %s", key, fault)
        else:
            found[key] = _dump(flag)
    return found


def _snapshot(
    revision: int,
    flags: Mapping[str, Any],
    fragments: Mapping[str, str],
    metadata: Metadata,
    before: FlagSet | None = None,
) -> FlagSnapshot:
    flag_set = FlagSet({"flags": flags, "metadata": metadata}, before)
    return FlagSnapshot(revision, flag_set, fragments, _configuration(fragments, metadata))


def _metadata(flag_set_id: str, revision: int, written_at_ms: int) -> Metadata:
    return {"flagSetId": flag_set_id, "version": str(revision), "writtenAtMs": written_at_ms}


def _configuration(fragments: Mapping[str, str], metadata: Metadata) -> str:
    flags = ",".join(f"{_dump(key)}:{text}" for key, text in sorted(fragments.items()))
    return f'{{"$schema":"{SCHEMA}","flags":{{{flags}}},"metadata":{_dump(metadata)}}}'


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
