"""Suspended tokens: since when, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no token is suspended yet."""
    op.add_column("tokens", sa.Column("suspended_at", sa.String, nullable=True))
    op.add_column("tokens", sa.Column("suspended_for", sa.String(200), nullable=True))


def downgrade() -> None:
    """Drop them; what was suspended is good again."""
    with op.batch_alter_table("tokens") as batch:
        batch.drop_column("suspended_for")
        batch.drop_column("suspended_at")
