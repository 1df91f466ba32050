"""Testers: which tenants get what is under user test, function by function."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nobody is a tester yet."""
    op.create_table(
        "testers",
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("function", sa.String(128), primary_key=True),
        sa.Column("enrolled_at", sa.String, nullable=False),
        sa.Column("enrolled_by", sa.String(18), nullable=False),
    )
    op.create_index("testers_of_function", "testers", ["function"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("testers")
