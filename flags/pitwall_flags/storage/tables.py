"""The SQL tables: the flags as they are, and every change that made them so."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pitwall_flags.flag.record import LONGEST_ACTOR, LONGEST_REASON

metadata: Final = MetaData()

_KEPT: Final = text("bytes > 0")
"""Of changes whose documents are kept."""

revisions: Final = Table(
    "revisions",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    comment="One row. Every write increments it first, so writes are serialized and numbered without gaps.",
)

flags: Final = Table(
    "flags",
    metadata,
    Column("key", String(254), primary_key=True),
    Column("document", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("killed", Boolean, nullable=False),
    Column("writer", String(64), nullable=False, server_default=""),
    Column("bytes", Integer, nullable=False, server_default="0"),
    Index("ix_flags_writer", "writer", "key", "bytes"),
)

changes: Final = Table(
    "changes",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String(254), nullable=False),
    Column("version", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("actor", String(LONGEST_ACTOR), nullable=False),
    Column("reason", String(LONGEST_REASON), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("before", Text, nullable=True),
    Column("after", Text, nullable=False),
    Column("request_id", String(64), nullable=True),
    Column("writer", String(64), nullable=False, server_default=""),
    Column("bytes", Integer, nullable=False, server_default="0"),
    UniqueConstraint("key", "version", name="uq_changes_key_version"),
    Index("uq_changes_request", "request_id", "key", unique=True),
    Index("ix_changes_kept_writer", "writer", "revision", "bytes", sqlite_where=_KEPT, postgresql_where=_KEPT),
    Index("ix_changes_kept_key", "key", "revision", "bytes", sqlite_where=_KEPT, postgresql_where=_KEPT),
    comment="Append-only: triggers refuse DELETE, and UPDATE but to forget both documents. `after` is JSON's null for "
    "a deletion, and empty where it is forgotten.",
)

journal: Final = Table(
    "journal",
    metadata,
    Column("stream", String(127), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("request_id", String(64), nullable=False),
    Index("ix_journal_age", "stream", "at_ms"),
    comment="Decision records, by `namespace/rollout`: a trigger refuses UPDATE; old lines are deleted.",
)
