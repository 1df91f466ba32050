"""Notes on contacts."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; a note goes with its contact."""
    op.create_table(
        "notes",
        Column("id", Integer, primary_key=True),
        Column(
            "contact_id", Integer, ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False
        ),
        Column("body", Text, nullable=False),
        Column("author", Text, nullable=False),
        Column("created_at", Text, nullable=False),
    )
    op.create_index("notes_contact_id", "notes", ["contact_id"])


def downgrade() -> None:
    """Drop the table; its index goes with it."""
    op.drop_table("notes")
