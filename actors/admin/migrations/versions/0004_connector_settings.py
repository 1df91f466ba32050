"""What a tenant sets for a connector, encrypted with a key that is not in this file."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "connector_settings",
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("connector", sa.String(128), primary_key=True),
        sa.Column("settings", sa.LargeBinary, nullable=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.String, nullable=False),
        sa.Column("changed_by", sa.String(18), nullable=False),
    )


def downgrade() -> None:
    """Drop it, and what was set with it."""
    op.drop_table("connector_settings")
