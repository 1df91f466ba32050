"""What the engine keeps in every tenant's database: whose it is, replies by id, dead letters."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, Text, UniqueConstraint

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables.

    Replies have a row number of their own, which grows with time: old ones are found without an index on
    the time, and a reply is appended where the last one went, which costs a commit fewer pages than keeping
    it in the order of ids.
    """
    op.create_table(
        "tenantry_tenant",
        Column("id", Text, primary_key=True, nullable=False),
        Column("created_at", Text, nullable=False),
    )
    op.create_table(
        "tenantry_replies",
        Column("n", Integer, primary_key=True),
        Column("caller", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("reply", LargeBinary, nullable=False),
        Column("at", Integer, nullable=False),
        UniqueConstraint("caller", "id"),
    )
    op.create_table(
        "tenantry_dead_letters",
        Column("n", Integer, primary_key=True),
        Column("caller", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("request", LargeBinary, nullable=False),
        Column("reason", Text, nullable=False),
        Column("at", Integer, nullable=False),
    )


def downgrade() -> None:
    """Take the tables away, and with them the promise that no id has two effects."""
    op.drop_table("tenantry_dead_letters")
    op.drop_table("tenantry_replies")
    op.drop_table("tenantry_tenant")
