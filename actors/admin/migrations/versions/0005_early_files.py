"""What files of the first days lack: 0002 was changed for a day after it had been run.

It has not been since, and no migration is any more. Each column is added where it is missing, with what it
would have held: the console alone issued tokens then.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CONSOLE = "console"

INDEXES = {"tokens_of_tenant": ["tenant_id", "id"], "tokens_of_grant": ["grant_id"]}


def upgrade() -> None:
    """Add what is not there."""
    found = sa.inspect(op.get_bind())
    indexes = {index["name"] for index in found.get_indexes("tokens")}
    referring = {key["constrained_columns"][0] for key in found.get_foreign_keys("tokens")}
    for table, columns in _needed().items():
        there = {column["name"] for column in found.get_columns(table)}
        for column in columns:
            if column.name not in there:
                op.add_column(table, column)
    if "grant_id" not in referring:
        with op.batch_alter_table("tokens") as batch:
            batch.create_foreign_key("tokens_grant", "grants", ["grant_id"], ["id"])
    for name, over in INDEXES.items():
        if name not in indexes:
            op.create_index(name, "tokens", over)


def _needed() -> dict[str, list[sa.Column[Any]]]:
    """What 0002 did not always make, by table."""
    return {
        "tenants": [sa.Column("retired_at", sa.String, nullable=True)],
        "people": [sa.Column("added_by", sa.String(18), nullable=False, server_default=CONSOLE)],
        "receipts": [
            sa.Column("tenant_id", sa.String(32), nullable=True),
            sa.Column("revision", sa.Integer, nullable=True),
        ],
        "tokens": [
            sa.Column("issued_by", sa.String(18), nullable=False, server_default=CONSOLE),
            sa.Column("grant_id", sa.String(18), nullable=True),
        ],
    }


def downgrade() -> None:
    """Nothing: a file at 0004 that has them is as 0002 makes it today."""
