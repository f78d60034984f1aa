"""Creates the table of the operator's decision records: numbered lines of each rollout, never changed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_POSTGRESQL = (
    """CREATE FUNCTION pitwall_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a line of the journal is never changed'; END $$""",
    """CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION pitwall_refuse_edit()""",
)
_SQLITE = (
    """CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'a line of the journal is never changed'); END""",
)


def upgrade() -> None:
    """Create the table, and the trigger that keeps its lines as they were written."""
    op.create_table(
        "journal",
        sa.Column("stream", sa.String(127), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
    )
    op.create_index("ix_journal_age", "journal", ["stream", "at_ms"])
    for statement in _POSTGRESQL if op.get_context().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop the records."""
    op.drop_table("journal")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION pitwall_refuse_edit()")
