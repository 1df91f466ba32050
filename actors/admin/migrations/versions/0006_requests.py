"""Requests: what tenants wish for, their votes, the versions that serve them, and what was said."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Numbers are never used again, so that R-12 is one wish for ever."""
    op.create_table(
        "requests",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), nullable=True),
        sa.Column("person", sa.String(18), nullable=True),
        sa.Column("text", sa.String(2000), nullable=False),
        sa.Column("function", sa.String(128), nullable=True),
        sa.Column("title", sa.String(200), nullable=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("votes", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("changed_at", sa.String, nullable=False),
        sa.Column("answer", sa.String(2000), nullable=True),
        sa.Column("release", sa.String, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("requests_of_tenant", "requests", ["tenant_id", "number"])
    op.create_table(
        "request_votes",
        sa.Column("number", sa.Integer, sa.ForeignKey("requests.number"), primary_key=True),
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("voted_at", sa.String, nullable=False),
        sa.Column("voted_by", sa.String(18), nullable=False),
    )
    op.create_index("request_votes_of_tenant", "request_votes", ["tenant_id"])
    op.create_table(
        "request_links",
        sa.Column("number", sa.Integer, sa.ForeignKey("requests.number"), primary_key=True),
        sa.Column("kind", sa.String(9), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("from_index", sa.Boolean, nullable=False),
        sa.Column("state", sa.String, nullable=True),
        sa.Column("release", sa.String, nullable=True),
    )
    op.create_table(
        "request_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, sa.ForeignKey("requests.number"), nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("by", sa.String(18), nullable=False),
        sa.Column("of_platform", sa.Boolean, nullable=False),
        sa.Column("text", sa.String, nullable=True),
    )
    op.create_index("request_events_of_request", "request_events", ["number", "id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("request_events", "request_links", "request_votes", "requests"):
        op.drop_table(table)
