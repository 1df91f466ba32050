"""What became of a reply's mail, and the files kept with tickets."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and make the table."""
    op.add_column("ticket_replies", Column("mail", Text))
    op.add_column("ticket_replies", Column("mail_key", Text))
    op.create_index("ticket_replies_mail_key", "ticket_replies", ["mail_key"], unique=True)
    op.create_table(
        "ticket_attachments",
        Column("id", Integer, primary_key=True),
        Column("ticket_id", Integer, ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
        Column("name", Text, nullable=False),
        Column("content_type", Text, nullable=False),
        Column("bytes", Integer, nullable=False),
        Column("object_key", Text, nullable=False),
        Column("sent_by", Text, nullable=False),
        Column("created_at", Text, nullable=False),
    )
    op.create_index("ticket_attachments_ticket_id", "ticket_attachments", ["ticket_id"])


def downgrade() -> None:
    """Drop them; objects in a bucket stay there."""
    op.drop_table("ticket_attachments")
    op.drop_index("ticket_replies_mail_key", "ticket_replies")
    op.drop_column("ticket_replies", "mail_key")
    op.drop_column("ticket_replies", "mail")
