"""The tables of directory.db, as SQLAlchemy sees them; migrations/ makes them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, MetaData, String, Table

metadata = MetaData()

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("created_at", String, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("id", String(18), nullable=False, unique=True),
    Column("tenant_id", String(32), ForeignKey("tenants.id"), nullable=True),
    Column("role", String, nullable=False),
    Column("label", String(200), nullable=False),
    Column("created_at", String, nullable=False),
    Column("revoked_at", String, nullable=True),
)
