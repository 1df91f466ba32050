"""Which application's migrations a file has been through, by name: a count alone fits any other's."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; what belongs into it is written when the migrations have run."""
    op.create_table(
        "tenantry_revisions",
        Column("n", Integer, primary_key=True),
        Column("name", Text, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("tenantry_revisions")
