"""A search that takes letters for one another that people type for one another."""

from alembic import op
from sqlalchemy import Column, Text

from actors.tenant.functions.search_index import words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEX = """
CREATE VIRTUAL TABLE contacts_fts USING fts5(
    words, content='contacts', content_rowid='id',
    tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
)
"""
"""Nothing is left to the tokenizer but to part words. Marks that are still there are vowels, as in Hindi."""

FORMER = """
CREATE VIRTUAL TABLE contacts_fts USING fts5(
    name, email, company,
    content='contacts', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
)
"""


def upgrade() -> None:
    """Keep the words of each contact beside it, and index them."""
    op.add_column("contacts", Column("words", Text, nullable=False, server_default=""))
    connection = op.get_bind()
    rows = connection.exec_driver_sql("SELECT id, name, email, company FROM contacts")
    known = [(words(row._asdict()), row.id) for row in rows]
    if known:
        connection.exec_driver_sql("UPDATE contacts SET words = ? WHERE id = ?", known)
    _index(INDEX)


def downgrade() -> None:
    """Index the fields themselves again."""
    op.drop_column("contacts", "words")
    _index(FORMER)


def _index(definition: str) -> None:
    op.execute("DROP TABLE contacts_fts")
    op.execute(definition)
    op.execute("INSERT INTO contacts_fts(contacts_fts) VALUES ('rebuild')")
