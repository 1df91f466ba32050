"""People, delegation, grants, config, subscriptions, limits, receipts; a token is a person's.

Tokens made before become people: those of one tenant's admin owner one person, every other token one of its
own, named by its label. A tenant without an admin owner gets one, who has no token yet. Only the server's own
command line could make tokens then, so console is who issued and added them.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOST_LABEL = 200
"""Characters: nothing held labels to it before, and what is longer could not be shown."""

ALL_AREAS = '["members", "config", "subscriptions", "tokens", "backups", "testers"]'


def upgrade() -> None:
    """Make the tables and give every token its person."""
    with op.batch_alter_table("tenants") as batch:
        batch.add_column(sa.Column("status", sa.String, nullable=False, server_default="active"))
        batch.add_column(sa.Column("reason", sa.String, nullable=True))
        batch.add_column(sa.Column("delete_after", sa.Float, nullable=True))
        batch.add_column(sa.Column("retired_at", sa.String, nullable=True))
    _make_people()
    _make_the_rest()
    op.add_column("tokens", sa.Column("person_id", sa.String(18), nullable=True))
    for name, kind in (("scope", sa.String), ("expires_at", sa.Float), ("last_used_at", sa.Float)):
        op.add_column("tokens", sa.Column(name, kind, nullable=True))
    issued_by = sa.Column("issued_by", sa.String(18), nullable=False, server_default="console")
    op.add_column("tokens", issued_by)
    op.add_column("tokens", sa.Column("grant_id", sa.String(18), nullable=True))
    _give_tokens_their_people()
    _make_admin_owners()
    with op.batch_alter_table("tokens") as batch:
        batch.alter_column("person_id", nullable=False)
        batch.create_foreign_key("tokens_person", "people", ["person_id"], ["id"])
        batch.create_foreign_key("tokens_grant", "grants", ["grant_id"], ["id"])
        batch.drop_column("role")
    op.create_index("tokens_of_tenant", "tokens", ["tenant_id", "id"])
    op.create_index("tokens_of_person", "tokens", ["person_id"])
    op.create_index("tokens_of_grant", "tokens", ["grant_id"])


def _make_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(18), primary_key=True),
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("areas", sa.String, nullable=False, server_default="[]"),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("added_by", sa.String(18), nullable=False, server_default="console"),
        sa.Column("removed_at", sa.String, nullable=True),
    )
    op.create_index("people_of_tenant", "people", ["tenant_id", "id"])
    op.create_index(
        "one_admin_owner",
        "people",
        ["tenant_id"],
        unique=True,
        sqlite_where=sa.text("role = 'admin owner'"),
    )


def _make_the_rest() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.String(18), primary_key=True),
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("person_id", sa.String(18), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("granted_by", sa.String(18), nullable=False),
        sa.Column("granted_at", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("ended_at", sa.String, nullable=True),
    )
    op.create_table(
        "configs",
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("changed_at", sa.String, nullable=False),
        sa.Column("changed_by", sa.String(18), nullable=False),
        sa.Column("change", sa.String(200), nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("connector", sa.String(128), primary_key=True),
        sa.Column("since", sa.Float, nullable=True),
        sa.Column("until", sa.Float, nullable=True),
    )
    op.create_table(
        "limits",
        sa.Column("tenant_id", sa.String(32), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("content", sa.String, nullable=False),
    )
    op.create_table(
        "receipts",
        sa.Column("caller", sa.String(18), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("result", sa.String, nullable=True),
        sa.Column("token_id", sa.String(18), nullable=True),
        sa.Column("tenant_id", sa.String(32), nullable=True),
        sa.Column("revision", sa.Integer, nullable=True),
    )


def _give_tokens_their_people() -> None:
    connection = op.get_bind()
    admin_owners: dict[str, str] = {}
    found = connection.execute(
        sa.text("SELECT id, tenant_id, role, label, created_at FROM tokens ORDER BY created_at, id")
    ).all()
    for token in found:
        label = token.label[:MOST_LABEL]
        person = admin_owners.get(token.tenant_id) if token.role == "admin owner" else None
        if person is None:
            name = "admin owner" if token.role == "admin owner" else label.strip() or token.role
            person = _add(token.tenant_id, name, token.role, token.created_at)
        if token.role == "admin owner":
            admin_owners[token.tenant_id] = person
        connection.execute(
            sa.text("UPDATE tokens SET person_id = :person, label = :label WHERE id = :id"),
            {"person": person, "label": label, "id": token.id},
        )


def _make_admin_owners() -> None:
    without = op.get_bind().execute(
        sa.text(
            "SELECT id, created_at FROM tenants WHERE id NOT IN "
            "(SELECT tenant_id FROM people WHERE role = 'admin owner')"
        )
    )
    for tenant in without.all():
        _add(tenant.id, "admin owner", "admin owner", tenant.created_at)


def _add(tenant_id: str, name: str, role: str, created_at: str) -> str:
    person = "p_" + secrets.token_hex(8)
    op.get_bind().execute(
        sa.text(
            "INSERT INTO people (id, tenant_id, name, role, areas, created_at) "
            "VALUES (:id, :tenant, :name, :role, :areas, :at)"
        ),
        {
            "id": person,
            "tenant": tenant_id,
            "name": name,
            "role": role,
            "areas": ALL_AREAS if role == "owner" else "[]",
            "at": created_at,
        },
    )
    return person


def downgrade() -> None:
    """There is no way back: a token would have to lose its person."""
    raise NotImplementedError("restore directory.db from a backup made before")
