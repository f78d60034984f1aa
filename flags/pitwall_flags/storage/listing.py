"""Reads flags page by page, of all keys or of those that a token covers: no reading takes more than a page of memory.

Documents stay the text that their rows hold, which is what an answer is put together of.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import collate, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from pitwall_crds.names import experiment_flag, shadow_flag
from pitwall_flags.storage.bounds import MIB
from pitwall_flags.storage.tables import changes, flags

MOST_FLAGS: Final = 1000
"""Of one page."""
LISTED_BYTES: Final = MIB // 2
"""Of documents in one page; one flag may be no larger than an eighth of it."""
EVERY_KEY: Final[Collection[str]] = frozenset({""})
_AT_ONCE: Final = 500
"""Keys that one statement names; databases take no more than some thousands."""


@dataclass(frozen=True, slots=True)
class FlagText:
    """A flag with its document as JSON."""

    key: str
    document: str
    version: int
    killed: bool


@dataclass(frozen=True, slots=True)
class FlagPage:
    """Some flags.

    Attributes:
        last: the key that this page ends with, where it is one of all flags.
        more: whether there are later ones.
        revision: of all flags: the newest when it was read. Of changes: the last that this page is about.
        gone: versions of deletions by key.
    """

    flags: tuple[FlagText, ...]
    last: str
    more: bool
    revision: int
    gone: Mapping[str, int] = field(default_factory=dict)


async def page_of_flags(
    connection: AsyncConnection, after: str, limit: int, roots: Collection[str] = EVERY_KEY
) -> FlagPage:
    """The flags that follow this key, byte by byte: so many at most, and as many as LISTED_BYTES hold."""
    revision = await _newest_revision(connection)
    key = _bytewise(connection, flags.c.key)
    mine = _within(key, roots) & (key > after)
    sizes = select(flags.c.key, flags.c.bytes).where(mine).order_by(key).limit(limit + 1)
    rows = (await connection.execute(sizes)).all()
    chosen = rows[: _fitting([row.bytes for row in rows[:limit]])]
    if not chosen:
        return FlagPage((), after, more=False, revision=revision)
    last = chosen[-1].key
    found = await connection.execute(select(*_TEXT).where(mine & (key <= last)).order_by(key))
    return FlagPage(tuple(map(_text_of, found)), last, len(rows) > len(chosen), revision)


async def page_of_changes(
    connection: AsyncConnection, revision: int, limit: int, roots: Collection[str] = EVERY_KEY
) -> FlagPage:
    """What changed after this revision, in order: so many changes at most, and flags as they are now."""
    newest = await _newest_revision(connection)
    mine = _within(_bytewise(connection, changes.c.key), roots) & (changes.c.revision > revision)
    query = (
        select(changes.c.key, changes.c.version, changes.c.revision, flags.c.bytes)
        .select_from(changes.outerjoin(flags, flags.c.key == changes.c.key))
        .where(mine)
        .order_by(changes.c.revision)
        .limit(limit + 1)
    )
    rows = (await connection.execute(query)).all()
    sizes: dict[str, int] = {}
    added = [0 if row.key in sizes else sizes.setdefault(row.key, row.bytes or 0) for row in rows[:limit]]
    chosen = rows[: _fitting(added)]
    versions = {row.key: row.version for row in chosen}
    texts = await _texts(connection, sorted(versions))
    there = {text.key for text in texts}
    gone = {key: version for key, version in versions.items() if key not in there}
    more = len(rows) > len(chosen)
    return FlagPage(tuple(texts), "", more, chosen[-1].revision if more else newest, gone)


async def _newest_revision(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(func.max(changes.c.revision)))).scalar() or 0)


async def _texts(connection: AsyncConnection, keys: Sequence[str]) -> list[FlagText]:
    found: list[FlagText] = []
    for start in range(0, len(keys), _AT_ONCE):
        query = select(*_TEXT).where(flags.c.key.in_(keys[start : start + _AT_ONCE])).order_by(flags.c.key)
        found += map(_text_of, await connection.execute(query))
    return found


_TEXT: Final = (flags.c.key, flags.c.document, flags.c.version, flags.c.killed)


def _text_of(row: Any) -> FlagText:
    return FlagText(row.key, row.document, row.version, bool(row.killed))


def _fitting(sizes: Sequence[int]) -> int:
    """How many of them a page holds: one at least, where there is any."""
    filled = 0
    for place, size in enumerate(sizes):
        filled += size
        if place and filled > LISTED_BYTES:
            return place
    return len(sizes)


def _bytewise(connection: AsyncConnection, key: ColumnElement[str]) -> ColumnElement[str]:
    """A key that compares as its bytes do, whatever the database's language."""
    return collate(key, "C" if connection.dialect.name == "postgresql" else "BINARY")


def _within(key: ColumnElement[str], roots: Collection[str]) -> ColumnElement[bool]:
    """Whether a key may be one of a token's: at least all that `covers` says, found by the index of keys."""
    if "" in roots:
        return true()
    return or_(*(_begins(key, root) if root.endswith(".") else _family(key, root) for root in sorted(roots)))


def _family(key: ColumnElement[str], root: str) -> ColumnElement[bool]:
    return or_(key == root, key == shadow_flag(root), _begins(key, experiment_flag(root, "")))


def _begins(key: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    following = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return (key >= literal(prefix)) & (key < literal(following))
