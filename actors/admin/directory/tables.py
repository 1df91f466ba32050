"""The tables of directory.db, as SQLAlchemy sees them; migrations/ makes them.

Moments that are compared with now are seconds since the epoch; those that are only shown are RFC 3339.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
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
    Column("suspended_at", String, nullable=True),  # for bad intent, until an owner lifts that
    Column("suspended_for", String(200), nullable=True),
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

requests = Table(
    "requests",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column(
        "tenant_id", String(32), ForeignKey("tenants.id"), nullable=True
    ),  # NULL: it was deleted
    Column("person", String(18), nullable=True),
    Column("text", String(2000), nullable=False),
    Column("function", String(128), nullable=True),  # that it is about, as its author says
    Column(
        "title", String(200), nullable=True
    ),  # that every tenant reads; NULL where it is not published
    Column("state", String, nullable=False),
    Column("priority", Integer, nullable=False),  # the place in PRIORITIES
    Column("votes", Integer, nullable=False),  # how many rows request_votes has
    Column("created_at", String, nullable=False),
    Column("changed_at", String, nullable=False),
    Column("answer", String(2000), nullable=True),  # the latest of the platform
    Column("release", String, nullable=True),  # JSON: where, when and in what it was released
    Index("requests_of_tenant", "tenant_id", "number"),
    sqlite_autoincrement=True,
)

request_votes = Table(
    "request_votes",
    metadata,
    Column("number", Integer, ForeignKey("requests.number"), primary_key=True),
    Column("tenant_id", String(32), ForeignKey("tenants.id"), primary_key=True),
    Column("voted_at", String, nullable=False),
    Column("voted_by", String(18), nullable=False),
    Index("request_votes_of_tenant", "tenant_id"),
)

request_links = Table(
    "request_links",
    metadata,
    Column("number", Integer, ForeignKey("requests.number"), primary_key=True),
    Column("kind", String(9), primary_key=True),  # function or connector
    Column("name", String(128), primary_key=True),
    Column("version", Integer, primary_key=True),  # 0 for none yet
    Column("from_index", Boolean, nullable=False),  # the version names the request in the index
    Column("state", String, nullable=True),  # of the version, when it was last looked at
    Column("release", String, nullable=True),  # JSON: where and when it was released last
)

request_events = Table(
    "request_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, ForeignKey("requests.number"), nullable=False),
    Column("at", String, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("by", String(18), nullable=False),  # a person's id, console or machine
    Column("of_platform", Boolean, nullable=False),
    Column("text", String, nullable=True),
    Index("request_events_of_request", "number", "id"),
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

migration_runs = Table(
    "migration_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),  # dry run, apply or restore
    Column("of", Integer, nullable=True),  # the run that a restore takes back
    Column("release", String(128), nullable=True),
    Column("folder", String, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scripts", String, nullable=False),  # JSON: SHA-256 by the file's name, in order
    Column("origin", Integer, nullable=False),  # revisions that are served without the run
    Column("head", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("total", Integer, nullable=False),
    Column("started_at", String, nullable=False),
    Column("ended_at", String, nullable=True),
    Column("started_by", String(18), nullable=False),  # a person's id, or console
    Column("error", String, nullable=True),
    sqlite_autoincrement=True,
)

migrations = Table(
    "migrations",
    metadata,
    Column("run", Integer, ForeignKey("migration_runs.id"), primary_key=True),
    Column("tenant_id", String(32), primary_key=True),  # also of one that is deleted by now
    Column("tenant", String(63), nullable=False),
    Column("state", String, nullable=False),
    Column("origin", Integer, nullable=True),  # revisions that it had
    Column("mark", String(64), nullable=True),  # SHA-256 of its file as the migration left it
    Column("started_at", String, nullable=False),
    Column("ended_at", String, nullable=True),
    Column("error", String, nullable=True),
)

OF_A_TENANT = (
    tokens, grants, people, configs, subscriptions, connector_settings, limits, testers,
)  # fmt: skip
"""What goes with a tenant, in an order that foreign keys allow."""
