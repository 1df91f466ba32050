"""Tickets, the replies to them, and the record of every step."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; a contact with tickets cannot go."""
    op.create_table(
        "tickets",
        Column("id", Integer, primary_key=True),
        Column(
            "contact_id", Integer, ForeignKey("contacts.id", ondelete="RESTRICT"), nullable=False
        ),
        Column("subject", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("assignee", Text),
        Column("created_at", Text, nullable=False),
        Column("updated_at", Text, nullable=False),
        CheckConstraint("state IN ('open', 'pending', 'closed')", name="tickets_state_known"),
    )
    op.create_table(
        "ticket_replies",
        Column("id", Integer, primary_key=True),
        Column("ticket_id", Integer, ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
        Column("author", Text, nullable=False),
        Column("sent_by", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("created_at", Text, nullable=False),
        CheckConstraint("author IN ('desk', 'contact')", name="ticket_replies_author_known"),
    )
    op.create_table(
        "ticket_events",
        Column("id", Integer, primary_key=True),
        Column("ticket_id", Integer, ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
        Column("event", Text, nullable=False),
        Column("from_state", Text),
        Column("to_state", Text, nullable=False),
        Column("detail", Text),
        Column("actor", Text, nullable=False),
        Column("created_at", Text, nullable=False),
    )
    for table, column in INDEXED:
        op.create_index(f"{table}_{column}", table, [column])


INDEXED = (
    ("tickets", "contact_id"),
    ("tickets", "state"),
    ("tickets", "assignee"),
    ("ticket_replies", "ticket_id"),
    ("ticket_events", "ticket_id"),
)


def downgrade() -> None:
    """Drop the tables; their indexes go with them."""
    for table in ("ticket_events", "ticket_replies", "tickets"):
        op.drop_table(table)
