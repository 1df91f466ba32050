"""A small library as the tests' application: its tables, and tenants that have them."""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    column,
    table,
)

from actors.tenant.database.connection import (
    DEFAULT_LIMITS,
    SharedEngine,
    StorageLimits,
    open_tenant,
)
from actors.tenant.database.constants import static_fragments
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.guard import AllowedSql
from actors.tenant.storage.files import create_tenant, tenant_path
from actors.tenant.storage.migrations import Migrations
from tests.made import made_before

MIGRATIONS = Path(__file__).with_name("library")

metadata = MetaData()

shelves = Table(
    "shelves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)
books = Table(
    "books",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("shelf_id", ForeignKey("shelves.id", ondelete="CASCADE")),
    Column("title", Text, nullable=False),
    Column("price", Numeric(10, 2)),
    Column("bought", DateTime),
    Column("lent", Boolean),
    Column("notes", JSON),
    Column("cover", LargeBinary),
    Column("source", Text, server_default="bought"),
)
titles = table(
    "titles",
    column("rowid", Integer),
    column("title", Text),
    column("titles", Text),
    column("rank"),
)
history = Table("history", metadata, Column("title", Text, nullable=False))
readers = Table(
    "readers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)


class Library:
    """Makes and opens tenants below a directory."""

    def __init__(self, directory: Path, migrations: Migrations, shared: SharedEngine) -> None:
        self.directory = directory
        self.migrations = migrations
        self.shared = shared
        self._open: list[TenantDatabase] = []

    def path(self, tenant_id: str) -> Path:
        return tenant_path(self.directory / "tenants", tenant_id)

    def create(self) -> str:
        """A new tenant's id."""
        tenant_id = secrets.token_hex(16)
        with made_before(self.directory):
            template = self.migrations.template(self.directory / "templates")
        create_tenant(template.read_bytes(), self.path(tenant_id), tenant_id)
        return tenant_id

    def open(
        self, tenant_id: str, *modules: ModuleType, limits: StorageLimits = DEFAULT_LIMITS
    ) -> TenantDatabase:
        """Open until the test ends; functions may run the text of these modules."""
        database = open_tenant(
            self.path(tenant_id),
            tenant_id,
            shared=self.shared,
            schema=self.migrations.schema_info(),
            limits=limits,
        )
        database.allowed_sql = known_text(modules)
        self._open.append(database)
        return database

    def close(self) -> None:
        for database in self._open:
            database.close()


@cache
def known_text(modules: tuple[ModuleType, ...]) -> AllowedSql:
    """Read once for all tests of a module."""
    return AllowedSql(static_fragments(modules))


def function_scope(database: TenantDatabase, *, read_only: bool = False, **params: Any) -> Any:
    """For a `with`: what a function with these params gets."""
    return database.function_scope(params, float("inf"), read_only=read_only)
