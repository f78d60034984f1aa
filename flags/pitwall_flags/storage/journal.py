"""Keeps the lines of decision records in order, once each, and reads them page by page."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pitwall_flags.errors import JournalConflictError, ReusedKeyError
from pitwall_flags.storage.tables import journal

KEEP_DAYS: Final = 90
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of a stream, and the number of the last one; `more` if there are later ones."""

    lines: tuple[Mapping[str, Any], ...]
    last: int
    more: bool


class Journal:
    """Append-only streams in the flag database (SQLite or PostgreSQL). Lines older than `keep_days` are forgotten."""

    def __init__(
        self, engine: AsyncEngine, keep_days: int = KEEP_DAYS, now_ms: Callable[[], int] | None = None
    ) -> None:
        self._engine = engine
        self._keep_ms = keep_days * _DAY_MS
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)

    async def append(self, stream: str, lines: Sequence[Mapping[str, Any]], request_id: str) -> int:
        """The number of the stream's last line afterwards. The same request again adds nothing.

        Raises JournalConflictError, and ReusedKeyError for other lines under the id of a request.
        """
        now = self._now_ms()
        try:
            async with self._engine.begin() as connection:
                newest = select(func.max(journal.c.number)).where(journal.c.stream == stream)
                last = int((await connection.execute(newest)).scalar() or 0)
                if await _is_repeated(connection, stream, lines, request_id):
                    return last
                rows = [
                    {
                        "stream": stream,
                        "number": last + place,
                        "line": _dump(line),
                        "at_ms": now,
                        "request_id": request_id,
                    }
                    for place, line in enumerate(lines, start=1)
                ]
                await connection.execute(insert(journal), rows)
                old = (journal.c.stream == stream) & (journal.c.at_ms < now - self._keep_ms)
                await connection.execute(delete(journal).where(old))
        except IntegrityError as error:
            raise JournalConflictError(stream) from error
        return last + len(lines)

    async def read(self, stream: str, *, after: int, limit: int) -> Page:
        """Up to `limit` lines that follow the line of number `after`."""
        query = (
            select(journal.c.number, journal.c.line)
            .where(journal.c.stream == stream, journal.c.number > after)
            .order_by(journal.c.number)
            .limit(limit + 1)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        shown = rows[:limit]
        return Page(
            tuple(json.loads(row.line) for row in shown), shown[-1].number if shown else after, len(rows) > limit
        )


async def _is_repeated(
    connection: AsyncConnection, stream: str, lines: Sequence[Mapping[str, Any]], request_id: str
) -> bool:
    """Whether the request was applied before. Raises ReusedKeyError if other lines were."""
    mine = (journal.c.stream == stream) & (journal.c.request_id == request_id)
    found = (await connection.execute(select(journal.c.line).where(mine).order_by(journal.c.number))).scalars().all()
    if found and list(found) != [_dump(line) for line in lines]:
        raise ReusedKeyError(request_id)
    return bool(found)


def _dump(line: Mapping[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=True)
