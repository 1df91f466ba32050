"""Marks, which the misbehaving functions leave before they misbehave."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table("marks", Column("id", Integer, primary_key=True), Column("text", Text))


def downgrade() -> None:
    """Drop it."""
    op.drop_table("marks")
