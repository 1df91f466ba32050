"""What a database at head looks like: its number, its tables, and what functions may touch of them."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

ENGINE_STEP: Final = 10_000
"""`PRAGMA user_version` = engine revisions × this + application revisions; a signed 32-bit number."""

INTERNAL: Final = "tenantry_"
"""Prefix of the engine's own tables. Functions neither see nor change them."""

VERSION_TABLES: Final = ("tenantry_alembic", "alembic_version")
"""Alembic's notes of the engine's and of the application's revision."""


class SchemaInfo(NamedTuple):
    """The schema of a file at head; read once, from a freshly migrated one."""

    user_version: int
    tables: frozenset[str]
    """Tables, views, full-text indexes and what those consist of, in lower case: open to functions."""
    hidden: frozenset[str]
    """Every other name a FROM could find, in lower case."""


class Version(NamedTuple):
    """How many revisions of the engine and of the application a file has had."""

    engine: int
    application: int

    @classmethod
    def of(cls, user_version: int) -> Version:
        """Taken apart."""
        return cls(*divmod(user_version, ENGINE_STEP))

    @property
    def user_version(self) -> int:
        """Put together."""
        return self.engine * ENGINE_STEP + self.application

    def is_newer_than(self, other: Version) -> bool:
        """True where either part is ahead: code does not know such a file."""
        return self.engine > other.engine or self.application > other.application

    def __str__(self) -> str:
        return f"{self.engine} engine and {self.application} application revisions"


def read_schema(connection: sqlite3.Connection) -> SchemaInfo:
    """Read it from an open database that is at head."""
    (user_version,) = connection.execute("PRAGMA user_version").fetchone()
    names = _names(connection, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    closed = {name for name in names if _is_internal(name)}
    modules = _names(connection, "SELECT name FROM pragma_module_list")
    return SchemaInfo(user_version, frozenset(names - closed), frozenset(closed | modules))


def _names(connection: sqlite3.Connection, query: str) -> set[str]:
    return {name.lower() for (name,) in connection.execute(query)}


def _is_internal(name: str) -> bool:
    return name.startswith((INTERNAL, "sqlite_")) or name in VERSION_TABLES
