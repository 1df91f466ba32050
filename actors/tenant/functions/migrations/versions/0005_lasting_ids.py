"""Ids that are given once: a removed row's is not given to the next one."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("contacts", "notes", "tickets", "ticket_replies", "ticket_events", "ticket_attachments")


def upgrade() -> None:
    """Copy each table into one that counts on from the highest id it has ever had."""
    _rebuild(counting=True)


def downgrade() -> None:
    """Copy them back."""
    _rebuild(counting=False)


def _rebuild(*, counting: bool) -> None:
    """All else stays: rows, indexes, rules, foreign keys, and the full-text index, which names rows by id."""
    for table in TABLES:
        kept = {"sqlite_autoincrement": counting}
        with op.batch_alter_table(table, recreate="always", table_kwargs=kept):
            pass
