"""The tables of directory.db, as SQLAlchemy sees them; migrations/ makes them.

Moments that are compared with now are seconds since the epoch; those that are only shown are RFC 3339.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

metadata = MetaData()

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("created_at", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", String, nullable=True),
    Column("delete_after", Float, nullable=True),
    Column("retired_at", String, nullable=True),  # from then on its deletion cannot be called off
)

people = Table(
    "people",
    metadata,
    Column("id", String(18), primary_key=True),
    Column("tenant_id", String(32), ForeignKey("tenants.id"), nullable=True),
    Column("name", String(200), nullable=False),
    Column("email", String(254), nullable=True),
    Column("role", String, nullable=False),
    Column("areas", String, nullable=False),  # a JSON list
    Column("created_at", String, nullable=False),
    Column("added_by", String(18), nullable=False),  # a person's id, or console
    Column("removed_at", String, nullable=True),
    Index("people_of_tenant", "tenant_id", "id"),
    Index("one_admin_owner", "tenant_id", unique=True, sqlite_where=text("role = 'admin owner'")),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("id", String(18), nullable=False, unique=True),
    Column("tenant_id", String(32), ForeignKey("tenants.id"), nullable=True),
    Column("person_id", String(18), ForeignKey("people.id"), nullable=False),
    Column("label", String(200), nullable=False),
    Column("scope", String, nullable=True),  # a JSON list; NULL for all actions
    Column("created_at", String, nullable=False),
    Column("issued_by", String(18), nullable=False),  # a person's id, or console
    Column("grant_id", String(18), ForeignKey("grants.id"), nullable=True),  # it ends with that
    Column("expires_at", Float, nullable=True),
    Column("last_used_at", Float, nullable=True),
    Column("revoked_at", String, nullable=True),
    Index("tokens_of_tenant", "tenant_id", "id"),
    Index("tokens_of_person", "person_id"),
    Index("tokens_of_grant", "grant_id"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", String(18), primary_key=True),
    Column("tenant_id", String(32), ForeignKey("tenants.id"), nullable=False),
    Column("person_id", String(18), ForeignKey("people.id"), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("granted_by", String(18), nullable=False),
    Column("granted_at", String, nullable=False),
    Column("until", Float, nullable=False),
    Column("ended_at", String, nullable=True),
)

configs = Table(
    "configs",
    metadata,
    Column("tenant_id", String(32), ForeignKey("tenants.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("content", String, nullable=False),  # JSON: settings and whitelabel
    Column("changed_at", String, nullable=False),
    Column("changed_by", String(18), nullable=False),
    Column("change", String(200), nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("tenant_id", String(32), ForeignKey("tenants.id"), primary_key=True),
    Column("connector", String(128), primary_key=True),
    Column("since", Float, nullable=True),
    Column("until", Float, nullable=True),
)

connector_settings = Table(
    "connector_settings",
    metadata,
    Column("tenant_id", String(32), ForeignKey("tenants.id"), primary_key=True),
    Column("connector", String(128), primary_key=True),
    Column("settings", LargeBinary, nullable=True),  # JSON, sealed; NULL where they were removed
    Column("revision", Integer, nullable=False),
    Column("changed_at", String, nullable=False),
    Column("changed_by", String(18), nullable=False),
)

limits = Table(
    "limits",
    metadata,
    Column("tenant_id", String(32), ForeignKey("tenants.id"), primary_key=True),
    Column("content", String, nullable=False),  # JSON: by the names of TenantLimits' fields
)

testers = Table(
    "testers",
    metadata,
    Column("tenant_id", String(32), ForeignKey("tenants.id"), primary_key=True),
    Column("function", String(128), primary_key=True),
    Column("enrolled_at", String, nullable=False),
    Column("enrolled_by", String(18), nullable=False),  # a person's id, or console
    Index("testers_of_function", "function"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("caller", String(18), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("at", Float, nullable=False),
    Column("result", String, nullable=True),  # JSON; NULL where it is not kept here
    Column("token_id", String(18), nullable=True),  # whose text the result held
    Column("tenant_id", String(32), nullable=True),  # whose config in this revision the result is
    Column("revision", Integer, nullable=True),
)

OF_A_TENANT = (
    tokens, grants, people, configs, subscriptions, connector_settings, limits, testers,
)  # fmt: skip
"""What goes with a tenant, in an order that foreign keys allow."""
