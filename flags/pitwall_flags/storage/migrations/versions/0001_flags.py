"""Creates the tables of flags, of their append-only audit trail, and of the counter that orders all writes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_POSTGRESQL = (
    """CREATE FUNCTION pitwall_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$""",
    """CREATE TRIGGER changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION pitwall_refuse_change()""",
)

_SQLITE = tuple(
    f"""CREATE TRIGGER changes_no_{verb.lower()} BEFORE {verb} ON changes
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"""
    for verb in ("UPDATE", "DELETE")
)


def upgrade() -> None:
    """Create the tables and the triggers that keep the trail append-only."""
    revisions = op.create_table(
        "revisions",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revisions, [{"only": 1, "revision": 0}])
    op.create_table(
        "flags",
        sa.Column("key", sa.String(254), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("killed", sa.Boolean, nullable=False),
    )
    _create_changes()
    for statement in _POSTGRESQL if op.get_context().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop everything, the audit trail included."""
    op.drop_table("changes")
    op.drop_table("flags")
    op.drop_table("revisions")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION pitwall_refuse_change()")


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(254), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(1024), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("before", sa.Text, nullable=True),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.UniqueConstraint("key", "version", name="uq_changes_key_version"),
    )
    op.create_index("uq_changes_request", "changes", ["request_id", "key"], unique=True)
