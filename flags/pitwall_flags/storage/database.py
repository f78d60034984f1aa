"""Opens the database of a URL and brings its schema up to date."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pitwall_flags.storage import migrate

_POSTGRESQL: Final = {
    "timeout": 5,
    "command_timeout": 15,
    "server_settings": {"application_name": "pitwall-flags", "lock_timeout": "10000"},
}
"""asyncpg: seconds to connect and for one command; milliseconds to wait for the other writer."""


async def connect(url: str) -> AsyncEngine:
    """The engine, migrated. Raises OSError or SQLAlchemyError when the database is out of reach."""
    engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url)
    try:
        await migrate.to_newest(engine)
    except BaseException:
        await engine.dispose()
        raise
    return engine


def _postgresql(url: str) -> AsyncEngine:
    return create_async_engine(url, pool_pre_ping=True, pool_timeout=10, connect_args=_POSTGRESQL)


def _sqlite(url: str) -> AsyncEngine:
    _touch(make_url(url).database)
    engine = create_async_engine(url)
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    return engine


def _touch(path: str | None) -> None:
    """Raise OSError, which names the file, before SQLAlchemy raises something that does not."""
    if path and path != ":memory:":
        with Path(path).open("ab"):
            pass


def _set_up_sqlite(connection: Any, _record_of_pool: Any) -> None:
    """Readers do not wait for the writer, a writer waits for the other, and a commit survives a power cut."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=10000", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
