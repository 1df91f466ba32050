"""What SQLite asks before it prepares a statement: allowed or denied, and the rule is denied.

SQLite calls the authorizer while it prepares (sqlite.org/c3ref/set_authorizer.html), and the driver keeps
prepared statements, so it costs nothing on later executions. For the same reason it is not the only
fence: a text prepared in engine mode is not asked about again, so the engine's own texts carry a mark that
no function can know (database.py), and statements are checked before they get here (sqltext.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from actors.tenant.guard import Guard
from actors.tenant.schema_info import SchemaInfo

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
