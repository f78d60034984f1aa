"""Reads flags and changes from their rows, and writes documents as the text that rows hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pitwall_crds.names import experiment_flag, main_flag, shadow_flag
from pitwall_flags.flag.record import Change, ChangeKind, FlagRecord
from pitwall_flags.storage.tables import changes, flags


async def read_flag(connection: AsyncConnection, key: str) -> FlagRecord | None:
    """The flag, or None."""
    row = (await connection.execute(select(flags).where(flags.c.key == key))).first()
    return record_of(row) if row else None


async def last_version(connection: AsyncConnection, key: str) -> int:
    """The flag's newest version, that of its deletion included; 0 when there never was one."""
    query = select(func.max(changes.c.version)).where(changes.c.key == key)
    return int((await connection.execute(query)).scalar() or 0)


async def born_killed(connection: AsyncConnection, key: str) -> bool:
    """Whether a new flag belongs to a killed one: a shadow flag made after the kill must not send copies either."""
    main = main_flag(key)
    query = select(flags.c.key).where(flags.c.key == main, flags.c.killed)
    return bool(main) and (await connection.execute(query)).first() is not None


async def read_family(connection: AsyncConnection, key: str) -> Sequence[FlagRecord]:
    """The flags of a flag's copies. What merely begins alike (`a` and `a.b`), or is spelled alike (`A` and `a`, which
    SQLite's LIKE takes for the same), may be another team's."""
    experiments = flags.c.key.startswith(experiment_flag(key, ""), autoescape=True)
    query = select(flags).where((flags.c.key == shadow_flag(key)) | experiments).order_by(flags.c.key)
    return [record_of(row) for row in await connection.execute(query) if main_flag(row.key) == key]


def record_of(row: Row[Any]) -> FlagRecord:
    """The flag of a row."""
    return FlagRecord(row.key, json.loads(row.document), row.version, bool(row.killed))


def change_of(row: Row[Any]) -> Change:
    """The change of a row; one whose documents were forgotten says so."""
    before, after = (json.loads(text) if text else None for text in (row.before, row.after))
    return Change(
        row.revision, row.key, row.version, ChangeKind(row.action), row.actor, row.reason, row.at_ms, before, after,
        forgotten=not row.after,
    )  # fmt: skip


def dumped(document: Mapping[str, Any] | None) -> str:
    """A document as a row holds it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
