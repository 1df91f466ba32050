"""Shelves, books on them, a full-text index of titles, and a history that a trigger writes."""

from alembic import op
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    Numeric,
    Text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shelves",
        Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=False, unique=True),
    )
    op.create_table(
        "books",
        Column("id", Integer, primary_key=True),
        Column("shelf_id", Integer, ForeignKey("shelves.id", ondelete="CASCADE")),
        Column("title", Text, nullable=False),
        Column("price", Numeric(10, 2)),
        Column("bought", DateTime),
        Column("lent", Boolean),
        Column("notes", JSON),
        Column("cover", LargeBinary),
        Column("source", Text, server_default="bought"),
    )
    op.execute("CREATE VIRTUAL TABLE titles USING fts5(title)")
    op.create_table("history", Column("title", Text, nullable=False))
    op.execute(
        "CREATE TRIGGER books_insert AFTER INSERT ON books "
        "BEGIN INSERT INTO history(title) VALUES (new.title); END"
    )


def downgrade() -> None:
    op.execute("DROP TABLE titles")
    op.drop_table("history")
    op.drop_table("books")
    op.drop_table("shelves")
