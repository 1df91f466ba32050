"""What SQLite asks before it prepares a statement: allowed or denied, and the rule is denied.

SQLite calls the authorizer while it prepares (sqlite.org/c3ref/set_authorizer.html), and the driver keeps
prepared statements, so it costs nothing on later executions. For the same reason it is not the only
fence: a text prepared in engine mode is not asked about again, so the engine's own texts carry a mark that
no function can know (database.py), and statements are checked before they get here (sqltext.py).

What a database at head looks like: its number, its tables, and what functions may touch of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from actors.errors import DatabaseProblem
from actors.tenant.database.guard import Guard

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


class FileVersion(NamedTuple):
    """How many revisions of the engine and of the application a file has had."""

    engine: int
    application: int

    @classmethod
    def of(cls, user_version: int) -> FileVersion:
        """Taken apart."""
        return cls(*divmod(user_version, ENGINE_STEP))

    @property
    def user_version(self) -> int:
        """Put together."""
        return self.engine * ENGINE_STEP + self.application

    def is_newer_than(self, other: FileVersion) -> bool:
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


Authorize = Callable[[int, str | None, str | None, str | None, str | None], int]

OK: Final = sqlite3.SQLITE_OK
DENY: Final = sqlite3.SQLITE_DENY

ALLOWED: Final = """
abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like
likelihood likely lower ltrim max min nullif octet_length printf quote random replace round rtrim sign
soundex substr substring total_changes trim typeof unhex unicode unlikely upper zeroblob
avg count group_concat string_agg sum total
date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp
json json_array json_array_length json_error_position json_extract json_insert json_object json_patch
json_quote json_remove json_replace json_set json_type json_valid json_group_array json_group_object
-> ->>
acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow
power radians sin sinh sqrt tan tanh trunc
row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
match bm25 highlight snippet
"""
FUNCTIONS: Final = frozenset(ALLOWED.split())
"""SQLite's own functions that neither reach outside the file nor change the connection. Not here:
load_extension, fts3_tokenizer, regexp (Python's re could be made to run for minutes), randomblob."""

ROW_SOURCES: Final = frozenset({"json_each", "json_tree"})
"""Table-valued functions that read nothing but their arguments."""

READING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})
WRITING: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
ENGINE_ACTIONS: Final = (
    READING | WRITING | {sqlite3.SQLITE_READ, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT}
)

ENGINE_PRAGMAS: Final = frozenset(
    {"data_version", "max_page_count", "page_count", "page_size", "wal_checkpoint"}
)
"""data_version is FTS5's own question, by which it sees that another connection has written."""

DENIALS: Final = {
    sqlite3.SQLITE_READ: "reading {0}",
    sqlite3.SQLITE_INSERT: "inserting into {0}",
    sqlite3.SQLITE_UPDATE: "updating {0}",
    sqlite3.SQLITE_DELETE: "deleting from {0}",
    sqlite3.SQLITE_FUNCTION: "the SQL function {1}()",
    sqlite3.SQLITE_PRAGMA: "PRAGMA {0}",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_TRANSACTION: "{0}",
    sqlite3.SQLITE_SAVEPOINT: "a savepoint",
}


def authorizer(guard: Guard, schema: SchemaInfo) -> Authorize:
    """The callback for one connection. An exception in it would deny, and hide why: it raises none."""

    def authorize(
        action: int, first: str | None, second: str | None, _schema: str | None, _by: str | None
    ) -> int:
        if not guard.function:
            return OK if _open_to_engine(action, first, second) else DENY
        if _open_to_functions(schema, action, first or "", second or ""):
            return OK
        guard.denied = DENIALS.get(action, "changing the schema").format(first, second)
        return DENY

    return authorize


def _open_to_engine(action: int, first: str | None, second: str | None) -> bool:
    if action == sqlite3.SQLITE_PRAGMA:
        return first in ENGINE_PRAGMAS
    if action == sqlite3.SQLITE_FUNCTION:
        return second in FUNCTIONS
    return action in ENGINE_ACTIONS


def _open_to_functions(schema: SchemaInfo, action: int, first: str, second: str) -> bool:
    if action in WRITING:
        return first.lower() in schema.tables or _connects_virtual_table(action, first, second)
    if action == sqlite3.SQLITE_READ:
        return _is_readable(schema, first.lower(), second)
    if action == sqlite3.SQLITE_FUNCTION:
        return second.lower() in FUNCTIONS
    if action == sqlite3.SQLITE_PRAGMA:
        return first == "data_version" and not second
    return action in READING


def _is_readable(schema: SchemaInfo, table: str, column: str) -> bool:
    if table in schema.tables or table in ROW_SOURCES:
        return True
    if not column:
        # Nothing of it is read but its rows' number, and the name is as the statement has it: that of a
        # WITH is asked about too, and is nobody's table.
        return table not in schema.hidden and not table.startswith(("sqlite_", "pragma_"))
    return _connects_virtual_table(sqlite3.SQLITE_READ, table, column)


def _connects_virtual_table(action: int, table: str, column: str) -> bool:
    """SQLite asks this of itself when a full-text index is first used on a connection.

    It refuses a real UPDATE of sqlite_master before it asks, and PRAGMA writable_schema is denied.
    """
    if table != "sqlite_master":
        return False
    return action == sqlite3.SQLITE_UPDATE or (action == sqlite3.SQLITE_READ and column == "ROWID")
