"""What a database at head looks like: its number, its tables, and what functions may touch of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from actors.errors import DatabaseProblem

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
    revisions: tuple[str, ...]
    """The application's, by name, from the first to the head."""
    keys: frozenset[str] = frozenset()
    """`table.column`, in lower case, of keys that are the numbers of rows."""


KEYS: Final = """
SELECT m.name || '.' || min(c.name) FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
WHERE m.type = 'table' AND c.pk > 0
AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) AS i WHERE i.origin = 'pk')
GROUP BY m.name
"""
"""A key that has no index of its own is the number of the row (sqlite.org/lang_createtable.html#rowid)."""


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
    tables, hidden = frozenset(names - closed), frozenset(closed | modules)
    keys = frozenset(_names(connection, KEYS))
    return SchemaInfo(user_version, tables, hidden, read_revisions(connection), keys)


def read_revisions(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The application's revisions that a file of this engine's head has been through, by name."""
    rows = connection.execute("SELECT name FROM tenantry_revisions ORDER BY n")
    return tuple(name for (name,) in rows)


def require_same_application(path: Path, found: tuple[str, ...], known: tuple[str, ...]) -> None:
    """DatabaseProblem where a file has been through revisions that this application does not have."""
    for theirs, ours in zip(found, known, strict=False):
        if theirs != ours:
            raise DatabaseProblem(
                f"{path} is another application's: it has been through {theirs!r} where this one has "
                f"{ours!r}; serve it with its own index (--registry), or name another data directory (--data)"
            )


def _names(connection: sqlite3.Connection, query: str) -> set[str]:
    return {name.lower() for (name,) in connection.execute(query)}


def _is_internal(name: str) -> bool:
    return name.startswith((INTERNAL, "sqlite_")) or name in VERSION_TABLES
