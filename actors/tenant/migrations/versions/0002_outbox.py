"""What functions have sent and connectors have not done yet, and what no connector could do."""

from alembic import op
from sqlalchemy import Column, Float, Integer, LargeBinary, Text, text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table.

    Ids are never given twice, so that nobody takes one delivery for another, and they grow in the order of
    commits. Both indexes hold only rows that something is still to be done with.
    """
    op.create_table(
        "tenantry_outbox",
        Column("id", Integer, primary_key=True),
        Column("key", Text, nullable=False),
        Column("operation", Text, nullable=False),
        Column("params", LargeBinary, nullable=False),
        Column("then_action", Text),
        Column("ordered", Integer, nullable=False),
        Column("sent_by", Text, nullable=False),
        Column("trace_id", Text, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("state", Text, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("next_at", Float),
        Column("last_error", Text),
        Column("outcome", LargeBinary),
        Column("tellings", Integer, nullable=False, server_default=text("0")),
        Column("revived", Integer, nullable=False, server_default=text("0")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "tenantry_outbox_due",
        "tenantry_outbox",
        ["next_at", "id"],
        sqlite_where=text("next_at IS NOT NULL"),
    )
    op.create_index(
        "tenantry_outbox_ordered",
        "tenantry_outbox",
        ["operation", "id"],
        sqlite_where=text("ordered = 1 AND state = 'waiting'"),
    )
    op.create_index(
        "tenantry_outbox_dead",
        "tenantry_outbox",
        ["id"],
        sqlite_where=text("state = 'dead'"),
    )


def downgrade() -> None:
    """Take the table away, and what was promised with it."""
    op.drop_table("tenantry_outbox")
