"""Parcels that were sent, and what was heard of them."""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Nothing is unique: a doubled row has to show."""
    op.create_table(
        "parcels",
        Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=False),
        Column("key", Text, nullable=False),
    )
    op.create_table(
        "heard",
        Column("id", Integer, primary_key=True),
        Column("key", Text, nullable=False),
        Column("ok", Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("heard")
    op.drop_table("parcels")
