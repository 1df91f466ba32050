"""The address book and its full-text index."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INDEX = """
CREATE VIRTUAL TABLE contacts_fts USING fts5(
    name, email, company,
    content='contacts', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
)
"""


def upgrade() -> None:
    """Make the table and its index, which the functions keep in step (search_index.py says why)."""
    op.create_table(
        "contacts",
        Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=False),
        Column("email", Text),
        Column("phone", Text),
        Column("company", Text),
        Column("created_at", Text, nullable=False),
        Column("updated_at", Text, nullable=False),
    )
    op.execute(INDEX)


def downgrade() -> None:
    """Drop both."""
    op.execute("DROP TABLE contacts_fts")
    op.drop_table("contacts")
