"""Readers, and a view of them."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "readers",
        Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.execute("CREATE VIEW reader_names AS SELECT name FROM readers")


def downgrade() -> None:
    op.execute("DROP VIEW reader_names")
    op.drop_table("readers")
