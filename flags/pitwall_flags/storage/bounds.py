"""Bounds what writers may keep in the database: flags, their documents, and the documents of their trail."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from pitwall_flags.errors import FullError
from pitwall_flags.storage.tables import changes, flags

MIB: Final = 1_048_576
PAGE_BYTES: Final = MIB
"""Of documents in one page of history; one change may be larger."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be kept. A kill, a release and a deletion are never refused for it.

    Attributes:
        flags: of one flag set's writer.
        document_bytes: of those flags together. The service keeps them parsed, which takes up to ten times as much.
        flag_trail: bytes of documents in the trail of one flag; older ones are forgotten, and who, when and why stay.
        writer_trail: the same of all changes of one flag set's writer.
    """

    flags: int = 10_000
    document_bytes: int = 16 * MIB
    flag_trail: int = 8 * MIB
    writer_trail: int = 128 * MIB


async def refuse_beyond(connection: AsyncConnection, bounds: Bounds, writer: str, key: str, size: int) -> None:
    """Raise FullError where a flag set's writer would keep too much with this document of its flag."""
    if not writer:
        return  # the service's own write token
    others = (flags.c.writer == writer) & (flags.c.key != key)
    query = select(func.count(), func.coalesce(func.sum(flags.c.bytes), 0)).where(others)
    count, kept = (await connection.execute(query)).one()
    if count >= bounds.flags:
        raise FullError(f"this token has {count} flags, and the limit is {bounds.flags}; delete some first")
    if kept + size > bounds.document_bytes:
        raise FullError(
            f"the documents of this token's {count} other flags have {kept} bytes, and with these {size} they would "
            f"have more than the limit of {bounds.document_bytes}; delete some first"
        )


async def forget_old(connection: AsyncConnection, bounds: Bounds, writer: str, key: str) -> None:
    """Forget the oldest documents beyond the bounds, but never those of the newest change."""
    await _forget(connection, changes.c.key == key, bounds.flag_trail)
    if writer:
        await _forget(connection, changes.c.writer == writer, bounds.writer_trail)


async def _forget(connection: AsyncConnection, which: ColumnElement[bool], most: int) -> None:
    kept = which & text("bytes > 0")  # as the indexes have it, which hold all that is asked here
    sizes = select(func.coalesce(func.sum(changes.c.bytes), 0)).where(kept)
    total = int((await connection.execute(sizes)).scalar_one())
    if total <= most:
        return
    rows = await connection.execute(
        select(changes.c.revision, changes.c.bytes).where(kept).order_by(changes.c.revision)
    )
    old: list[int] = []
    for revision, size in rows.all()[:-1]:  # the newest stays
        if total <= most - most // 8:  # some at once, so that not every write looks for more
            break
        old.append(revision)
        total -= size
    forgotten = {"before": None, "after": "", "bytes": 0}
    for start in range(0, len(old), 500):
        mine = changes.c.revision.in_(old[start : start + 500])
        await connection.execute(update(changes).where(mine).values(**forgotten))
