"""Lets the trail forget old documents, and nothing else of a change, and keeps whose bounds a write counts against."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SAME = " AND ".join(
    f"NEW.{name} = OLD.{name}"
    for name in ("revision", "key", "version", "action", "actor", "reason", "at_ms", "writer")
)
_FORGETS = f"""{_SAME} AND NEW.bytes = 0 AND NEW.after = '' AND NEW.before IS NULL
    AND COALESCE(NEW.request_id, '') = COALESCE(OLD.request_id, '')"""

_POSTGRESQL = (
    """CREATE TRIGGER changes_append_only BEFORE DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION pitwall_refuse_change()""",
    f"""CREATE TRIGGER changes_forget_documents BEFORE UPDATE ON changes
    FOR EACH ROW WHEN (NOT ({_FORGETS})) EXECUTE FUNCTION pitwall_refuse_change()""",
)
_SQLITE = (
    f"""CREATE TRIGGER changes_no_update BEFORE UPDATE ON changes WHEN NOT ({_FORGETS})
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
)
_POSTGRESQL_BEFORE = (
    "DROP TRIGGER changes_forget_documents ON changes",
    "DROP TRIGGER changes_append_only ON changes",
    """CREATE TRIGGER changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION pitwall_refuse_change()""",
)
_SQLITE_BEFORE = (
    "DROP TRIGGER changes_no_update",
    """CREATE TRIGGER changes_no_update BEFORE UPDATE ON changes
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
)


def _is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"


def upgrade() -> None:
    """Add the columns; what is there already counts against nobody's bound but its flag's."""
    op.execute("DROP TRIGGER changes_append_only ON changes" if _is_postgresql() else "DROP TRIGGER changes_no_update")
    for table in ("flags", "changes"):
        op.add_column(table, sa.Column("writer", sa.String(64), nullable=False, server_default=""))
        op.add_column(table, sa.Column("bytes", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE flags SET bytes = LENGTH(document)")
    op.create_index("ix_flags_writer", "flags", ["writer", "key", "bytes"])
    op.execute("UPDATE changes SET bytes = LENGTH(COALESCE(before, '')) + LENGTH(after)")
    kept = sa.text("bytes > 0")
    for name in ("writer", "key"):
        columns = [name, "revision", "bytes"]
        op.create_index(f"ix_changes_kept_{name}", "changes", columns, sqlite_where=kept, postgresql_where=kept)
    for statement in _POSTGRESQL if _is_postgresql() else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop the columns; forgotten documents stay so."""
    for statement in _POSTGRESQL_BEFORE if _is_postgresql() else _SQLITE_BEFORE[:1]:
        op.execute(statement)
    for name in ("writer", "key"):
        op.drop_index(f"ix_changes_kept_{name}", "changes")
    op.drop_index("ix_flags_writer", "flags")
    for table in ("changes", "flags"):
        op.drop_column(table, "bytes")
        op.drop_column(table, "writer")
    if not _is_postgresql():
        op.execute(_SQLITE_BEFORE[1])
