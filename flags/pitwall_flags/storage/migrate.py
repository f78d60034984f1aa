"""Migrates a database to the newest schema."""

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

LOCK_NUMBER = 0x70697477
"""PostgreSQL advisory lock: two services that start together migrate one after the other."""


async def to_newest(engine: AsyncEngine) -> None:
    """Run the migrations that this database has not seen. Idempotent."""
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_NUMBER})")
        await connection.run_sync(_upgrade)


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, with the migrations of this package."""
    settings = Config()
    settings.set_main_option("script_location", str(resources.files("pitwall_flags.storage") / "migrations"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


def _upgrade(connection: Connection) -> None:
    command.upgrade(config(connection), "head")
