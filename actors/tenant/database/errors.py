"""SQLite's errors: the refusal that each stands for, and whether the transaction is still open.

Result codes: sqlite.org/rescode.html. SQLITE_FULL, IOERR, NOMEM and INTERRUPT may roll back the whole
transaction by themselves (sqlite.org/lang_transaction.html), and on 3.40.1 they do so for any statement
that inserts a single row; only `in_transaction` tells.
"""

from __future__ import annotations

import sqlite3
from typing import Final, cast

from sqlalchemy import Dialect
from sqlalchemy.exc import DBAPIError

from actors.errors import CallRefused, DatabaseProblem, MisfitCall, StatementRefused
from actors.host.disk_errors import PASSING, result_code
from actors.tenant.database.guard import Guard, first_word
from transport import message as api
from transport.message import Refusal

NO_SPACE: Final = Refusal(
    api.RESOURCE_EXHAUSTED,
    "the tenant's database has no room left: its quota is used up, or the disk is full; remove data or "
    "raise the quota",
)
QUOTA_REACHED: Final = Refusal(
    api.RESOURCE_EXHAUSTED,
    "the tenant's database has no room left: its quota (database_bytes) is used up; remove data, or have "
    "the quota raised",
)
DISK_FULL: Final = Refusal(
    api.RESOURCE_EXHAUSTED,
    "the server's disk is full, and nothing was done; its operator makes room",
    retry_after_ms=1_000,
)
INTERRUPTED: Final = Refusal(
    api.DEADLINE_EXCEEDED,
    "a statement was still running when the request's timeout passed: it was interrupted and had no effect",
)
BUSY: Final = Refusal(
    api.UNAVAILABLE, "the tenant's database is held by another process", retry_after_ms=1_000
)
UNWRITABLE: Final = Refusal(
    api.UNAVAILABLE, "the tenant's database cannot be read or written", retry_after_ms=1_000
)
NO_MEMORY: Final = Refusal(api.UNAVAILABLE, "the server is out of memory", retry_after_ms=5_000)

MULTIPLE_STATEMENTS: Final = "You can only execute one statement"
"""How the driver's ProgrammingError begins, which has no result code."""

REFUSALS: Final = {
    sqlite3.SQLITE_FULL: NO_SPACE,
    sqlite3.SQLITE_INTERRUPT: INTERRUPTED,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_NOMEM: NO_MEMORY,
    sqlite3.SQLITE_READONLY: UNWRITABLE,
    sqlite3.SQLITE_IOERR: UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: UNWRITABLE,
    sqlite3.SQLITE_PROTOCOL: UNWRITABLE,
    sqlite3.SQLITE_CORRUPT: UNWRITABLE,
    sqlite3.SQLITE_NOTADB: UNWRITABLE,
}

UNIQUE_VIOLATIONS: Final = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)
"""Extended codes of what is there already."""

UNDONE: Final = frozenset(
    {
        *UNIQUE_VIOLATIONS,
        sqlite3.SQLITE_CONSTRAINT_CHECK,
        sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
        sqlite3.SQLITE_CONSTRAINT_NOTNULL,
        sqlite3.SQLITE_CONSTRAINT_TRIGGER,
    }
)
"""Extended codes of errors that leave nothing of their statement."""

READING_WORDS: Final = frozenset({"SELECT", "VALUES"})
"""How statements begin that write nothing."""

NOT_COUNTED: Final = (CallRefused, DatabaseProblem)
"""Logged, and not counted against a version: one caller's params or one tenant's disk may cause it."""

ENGINE_PREFIX: Final = "tenantry_"
"""How the names of the engine's own tables begin."""


def classify(error: BaseException) -> Refusal | None:
    """The refusal that an error of a function stands for which is no defect of its version.

    A condition of the database, the disk or the memory; a constraint that what the caller sent has broken; a
    call that does not fit. None for everything else, such as a wrong statement.
    """
    if isinstance(error, MisfitCall):
        return Refusal(api.INVALID_ARGUMENT, str(error))
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, OSError) and error.errno in PASSING:
        return Refusal(api.UNAVAILABLE, f"the server: {error.strerror}", retry_after_ms=5_000)
    code = result_code(error)
    return _constraint_refusal(error) if code == sqlite3.SQLITE_CONSTRAINT else REFUSALS.get(code)


def no_space(of_quota: int, on_disk: int) -> Refusal:
    """Which of the two has refused a page, by the bytes that each has left now.

    SQLite says the same of both, and may have given back by now what the statement had taken of either: the
    one that has less left is the one that was met first.
    """
    return QUOTA_REACHED if of_quota <= on_disk else DISK_FULL


def _constraint_refusal(error: BaseException) -> Refusal | None:
    """In SQLite's words, which name the table and the columns, and no values; of the engine's tables None."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if ENGINE_PREFIX in str(cause):
        return None
    taken = getattr(cause, "sqlite_errorcode", 0) in UNIQUE_VIOLATIONS
    return Refusal(api.ALREADY_EXISTS if taken else api.FAILED_PRECONDITION, str(cause))


def may_leave_something(error: DBAPIError) -> bool:
    """Whether a statement that failed may have left something behind in the transaction.

    One that reads does not, and a broken constraint undoes its whole statement
    (sqlite.org/lang_conflict.html), except perhaps in a virtual table.
    """
    code = getattr(error.orig, "sqlite_errorcode", None)
    is_undone = code in UNDONE
    return not is_undone and first_word(error.statement or "") not in READING_WORDS


class ErrorTranslator:
    """Translates errors of one tenant's statements into those that a function gets."""

    __slots__ = ("_dialect", "_driver", "_guard")

    def __init__(self, driver: sqlite3.Connection, dialect: Dialect, guard: Guard) -> None:
        self._driver = driver
        self._dialect = dialect
        self._guard = guard

    def from_driver(self, error: sqlite3.Error, sql: str) -> Exception:
        """Of the driver: in SQLAlchemy's class, such as sqlalchemy.exc.IntegrityError, without values."""
        return self.translate(
            cast(
                "DBAPIError",
                DBAPIError.instance(
                    sql, None, error, sqlite3.Error, hide_parameters=True, dialect=self._dialect
                ),
            )
        )

    def translate(self, error: DBAPIError) -> Exception:
        """Of SQLAlchemy: StatementRefused where the statement was forbidden, else the error as it is."""
        guard = self._guard
        if not self._driver.in_transaction:
            guard.mark_rolled_back(str(error.orig))
        if may_leave_something(error):
            guard.partial_write = True
        if guard.denied is not None:
            denied, guard.denied = guard.denied, None
            return StatementRefused(f"{denied} is not open to functions")
        if str(error.orig).startswith(MULTIPLE_STATEMENTS):
            return StatementRefused("one text holds more than one statement: run them one by one")
        return error
