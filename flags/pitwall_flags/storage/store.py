"""The store of flags: numbers, audits and keeps every write, and reads flags and changes back."""

import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pitwall_flags.errors import FullError, KilledFlagError, ReusedKeyError, UnknownFlagError, VersionConflictError
from pitwall_flags.flag import document
from pitwall_flags.flag.record import Change, ChangeKind, Contents, FlagRecord, Intent
from pitwall_flags.storage.bounds import PAGE_BYTES, Bounds, forget_old, refuse_beyond
from pitwall_flags.storage.database import connect
from pitwall_flags.storage.journal import Journal
from pitwall_flags.storage.listing import EVERY_KEY, FlagPage, page_of_changes, page_of_flags
from pitwall_flags.storage.rows import born_killed, change_of, dumped, last_version, read_family, read_flag, record_of
from pitwall_flags.storage.tables import changes, flags, revisions


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class FlagStore:
    """The flags and their audit trail in one SQL database (SQLite or PostgreSQL)."""

    def __init__(
        self, engine: AsyncEngine, now_ms: Callable[[], int] = _milliseconds, bounds: Bounds | None = None
    ) -> None:
        self._engine = engine
        self._bounds = bounds or Bounds()
        self._now_ms = now_ms
        self.journal = Journal(engine, now_ms=now_ms)

    @classmethod
    async def open(
        cls, url: str, now_ms: Callable[[], int] = _milliseconds, bounds: Bounds | None = None
    ) -> "FlagStore":
        """A store whose schema is the newest. Raises OSError or SQLAlchemyError when out of reach."""
        return cls(await connect(url), now_ms, bounds)

    async def close(self) -> None:
        """Give the connections back."""
        await self._engine.dispose()

    async def get(self, key: str) -> FlagRecord | None:
        """The flag, or None."""
        async with self._engine.connect() as connection:
            return await read_flag(connection, key)

    async def contents(self) -> Contents:
        """All flags at one revision: every change up to it and none after it."""
        async with self._engine.connect() as connection:
            await _repeatable(connection)
            rows = (await connection.execute(select(flags).order_by(flags.c.key))).all()
            last = select(changes.c.revision, changes.c.at_ms).order_by(changes.c.revision.desc()).limit(1)
            newest = (await connection.execute(last)).first()
        revision, at_ms = (newest.revision, newest.at_ms) if newest else (0, 0)
        return Contents(tuple(record_of(row) for row in rows), revision, at_ms)

    async def page(self, after: str, limit: int, roots: Collection[str] = EVERY_KEY) -> FlagPage:
        """Flags that follow this key, of those that these roots name."""
        async with self._engine.connect() as connection:
            await _repeatable(connection)
            return await page_of_flags(connection, after, limit, roots)

    async def changed_page(self, revision: int, limit: int, roots: Collection[str] = EVERY_KEY) -> FlagPage:
        """What changed after this revision, of the flags that these roots name."""
        async with self._engine.connect() as connection:
            await _repeatable(connection)
            return await page_of_changes(connection, revision, limit, roots)

    async def revision(self) -> int:
        """The number of the last change of any flag."""
        async with self._engine.connect() as connection:
            return int((await connection.execute(select(revisions.c.revision))).scalar_one())

    async def history(self, key: str, *, before_version: int | None = None, limit: int = 100) -> tuple[Change, ...]:
        """The flag's changes, newest first: at most so many, and as many as PAGE_BYTES of documents hold."""
        mine = changes.c.key == key
        if before_version is not None:
            mine &= changes.c.version < before_version
        newest = changes.c.version.desc()
        async with self._engine.connect() as connection:
            sizes = select(changes.c.version, changes.c.bytes).where(mine).order_by(newest).limit(limit)
            filled, last = 0, None
            for version, size in await connection.execute(sizes):
                filled += size
                if last is not None and filled > PAGE_BYTES:
                    break
                last = version
            if last is None:
                return ()
            query = select(changes).where(mine, changes.c.version >= last).order_by(newest)
            return tuple(change_of(row) for row in await connection.execute(query))

    async def changes_since(self, revision: int) -> tuple[Change, ...]:
        """All flags' changes after this revision, in order; writes are serialized, so none can slip in later."""
        query = select(changes).where(changes.c.revision > revision).order_by(changes.c.revision)
        async with self._engine.connect() as connection:
            return tuple(change_of(row) for row in await connection.execute(query))

    async def change(self, key: str, version: int) -> Change | None:
        """The change that made this version, or None."""
        query = select(changes).where(changes.c.key == key, changes.c.version == version)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
            return change_of(row) if row else None

    async def was_asked(self, key: str, request_id: str) -> bool:
        """Whether a write of this flag came under this id already."""
        if not request_id:
            return False
        query = select(changes.c.revision).where(changes.c.request_id == request_id, changes.c.key == key)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def put(
        self, key: str, document: Mapping[str, Any], *, expected_version: int | None, intent: Intent
    ) -> FlagRecord:
        """Write the flag if it is at the expected version (None: if there is none yet).

        Raises VersionConflictError, FullError where the writer keeps too much already, and ReusedKeyError as all
        writes do.
        """
        async with self._write() as (connection, revision):
            if await _already_done(connection, key, ChangeKind.PUT, intent, document):
                return await _still_there(connection, key, VersionConflictError(key, expected_version, None))
            old = await read_flag(connection, key)
            actual = old.version if old else None
            if actual != expected_version:
                raise VersionConflictError(key, expected_version, actual)
            await refuse_beyond(connection, self._bounds, intent.writer, key, len(dumped(document)))
            killed = old.killed if old else await born_killed(connection, key)
            new = FlagRecord(key, document, await last_version(connection, key) + 1, killed)
            await self._apply(connection, revision, old, new, ChangeKind.PUT, intent)
            return new

    async def kill(self, key: str, *, killed: bool, intent: Intent) -> FlagRecord:
        """Kill or release a flag and its shadow and experiment flags, together. A kill leaves a split at
        rest, so a release exposes nobody to what was killed. Raises UnknownFlagError."""
        action = ChangeKind.KILL if killed else ChangeKind.RELEASE
        async with self._write() as (connection, revision):
            if await _already_done(connection, key, action, intent):
                return await _still_there(connection, key, UnknownFlagError(key))
            main = await read_flag(connection, key)
            if main is None:
                raise UnknownFlagError(key)
            family = [main, *await read_family(connection, key)]
            if any([await _already_done(connection, one.key, action, intent) for one in family]):
                raise ReusedKeyError(intent.request_id)
            made = [
                FlagRecord(old.key, document.killed(old.document) if killed else old.document, old.version + 1, killed)
                for old in family
            ]
            for offset, (old, new) in enumerate(zip(family, made, strict=True)):
                await self._apply(connection, revision + offset, old, new, action, intent)
            await _set_revision(connection, revision + len(made) - 1)
            return made[0]

    async def delete(self, key: str, *, expected_version: int, intent: Intent) -> Change:
        """Remove the flag; its history stays, and a flag made anew goes on with its version numbers.

        Raises VersionConflictError, and KilledFlagError while it is killed.
        """
        async with self._write() as (connection, revision):
            done = await _already_done(connection, key, ChangeKind.DELETE, intent)
            if done is not None:
                await connection.rollback()
                return done
            old = await read_flag(connection, key)
            if old is None or old.version != expected_version:
                raise VersionConflictError(key, expected_version, old.version if old else None)
            if old.killed:
                raise KilledFlagError(key)
            await connection.execute(delete(flags).where(flags.c.key == key))
            gone = FlagRecord(key, {}, old.version + 1)
            return await self._audit(connection, revision, old, gone, ChangeKind.DELETE, intent)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[tuple[AsyncConnection, int]]:
        """A transaction that holds the only row of `revisions`: one writer at a time, in every database."""
        async with self._engine.begin() as connection:
            await connection.execute(update(revisions).values(revision=revisions.c.revision + 1))
            revision = int((await connection.execute(select(revisions.c.revision))).scalar_one())
            try:
                yield connection, revision
            except (VersionConflictError, UnknownFlagError, KilledFlagError, ReusedKeyError, FullError):
                await connection.rollback()
                raise

    async def _apply(
        self,
        connection: AsyncConnection,
        revision: int,
        old: FlagRecord | None,
        new: FlagRecord,
        action: ChangeKind,
        intent: Intent,
    ) -> None:
        document = dumped(new.document)
        row = {"document": document, "version": new.version, "killed": new.killed, "bytes": len(document)}
        if old is None:
            await connection.execute(insert(flags).values(key=new.key, writer=intent.writer, **row))
        else:
            await connection.execute(update(flags).where(flags.c.key == new.key).values(**row))
        await self._audit(connection, revision, old, new, action, intent)

    async def _audit(
        self,
        connection: AsyncConnection,
        revision: int,
        old: FlagRecord | None,
        new: FlagRecord,
        action: ChangeKind,
        intent: Intent,
    ) -> Change:
        before = old.effective() if old else None
        after = None if action is ChangeKind.DELETE else new.effective()
        now = self._now_ms()
        change = Change(revision, new.key, new.version, action, intent.actor, intent.reason, now, before, after)
        entry = {
            "revision": revision, "key": new.key, "version": new.version, "action": action.value,
            "actor": intent.actor, "reason": intent.reason, "at_ms": now,
            "before": dumped(before) if before else None, "after": dumped(after),
            "request_id": intent.request_id or None, "writer": intent.writer,
        }  # fmt: skip
        entry["bytes"] = len(str(entry["before"] or "")) + len(str(entry["after"]))
        await connection.execute(insert(changes).values(**entry))
        await forget_old(connection, self._bounds, intent.writer, new.key)
        return change


async def _already_done(
    connection: AsyncConnection, key: str, action: ChangeKind, intent: Intent, written: Mapping[str, Any] | None = None
) -> Change | None:
    """What this very request did to the flag, when it was applied before. Raises ReusedKeyError if it was another."""
    if not intent.request_id:
        return None
    query = select(changes).where(changes.c.request_id == intent.request_id, changes.c.key == key)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    done = change_of(row)
    is_same = (done.action, done.actor, done.reason) == (action, intent.actor, intent.reason)
    if not is_same or (written is not None and not await _wrote(connection, done, written)):
        raise ReusedKeyError(intent.request_id)
    return done


async def _wrote(connection: AsyncConnection, done: Change, written: Mapping[str, Any]) -> bool:
    """Whether a change wrote this document. The trail has of a killed flag what evaluators got, without its targeting:
    that is known for as long as the flag is as it was written."""
    now = await read_flag(connection, done.key)
    if now and now.version == done.version:
        return _same(now.document, written)
    found = (FlagRecord(done.key, written, done.version, killed).effective() for killed in (False, True))
    return any(_same(each, done.after) for each in found)


def _same(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    """Whether they are the same JSON; to Python 1 is True."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


async def _still_there(connection: AsyncConnection, key: str, gone: Exception) -> FlagRecord:
    """The flag as it is; the number that a repeated request took is given back. Raises `gone` if it was deleted."""
    record = await read_flag(connection, key)
    await connection.rollback()
    if record is None:
        raise gone
    return record


async def _set_revision(connection: AsyncConnection, revision: int) -> None:
    await connection.execute(update(revisions).values(revision=revision))


async def _repeatable(connection: AsyncConnection) -> None:
    """Both SELECTs of a snapshot see the same moment. SQLite's transactions do so by themselves once begun."""
    if connection.dialect.name == "postgresql":
        await connection.execution_options(isolation_level="REPEATABLE READ")
    else:
        await connection.exec_driver_sql("BEGIN")
