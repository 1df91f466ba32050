"""Migrations of the tenants of a running server: the runs, and what each did to which tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; there has been no run yet."""
    op.create_table(
        "migration_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("of", sa.Integer, nullable=True),
        sa.Column("release", sa.String(128), nullable=True),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scripts", sa.String, nullable=False),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("head", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("started_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String, nullable=True),
        sa.Column("started_by", sa.String(18), nullable=False),
        sa.Column("error", sa.String, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "migrations",
        sa.Column("run", sa.Integer, sa.ForeignKey("migration_runs.id"), primary_key=True),
        sa.Column("tenant_id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("origin", sa.Integer, nullable=True),
        sa.Column("mark", sa.String(64), nullable=True),
        sa.Column("started_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String, nullable=True),
        sa.Column("error", sa.String, nullable=True),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("migrations")
    op.drop_table("migration_runs")
