"""ctx.db: a tenant's database as a function may use it.

Two paths lead to the driver. A statement that is a constant has a Plan and goes straight there; any other
goes through SQLAlchemy. On both paths the Guard checks the statement first, and rows and errors are the same.

FallbackPath is SQLAlchemy's own path, for statements without a plan: those built for one message, plain text,
IN with a list, defaults made in Python, and the first execution of every statement.

ScopedDatabase is ctx.db of a function that may wait: usable while the function runs, refused while it waits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.exc import DBAPIError

from actors.errors import StatementRefused
from actors.tenant.context import Binds, Database, Row
from actors.tenant.database.errors import ErrorTranslator
from actors.tenant.database.guard import CHANGES, Guard, is_writing
from actors.tenant.database.plans import STATEMENTS, Plans, StatementPlan, row_maker


class FallbackPath:
    """Runs statements through a Connection, whose dialect shows them to the Guard."""

    __slots__ = ("_connection", "_errors")

    def __init__(self, connection: Connection, failures: ErrorTranslator) -> None:
        self._connection = connection
        self._errors = failures

    def rows(self, statement: Executable, binds: Binds, most: int | None) -> list[Row]:
        """The rows of a result, or no more than `most` of them."""
        with self._executed(statement, binds) as result:
            if not result.returns_rows:
                raise StatementRefused("the statement returns no rows: use ctx.db.run()")
            make = row_maker(tuple(map(str, result.keys())))
            found = result.fetchall() if most is None else result.fetchmany(most)
            return [make(row) for row in found]

    def count(self, statement: Executable, binds: Binds | Sequence[Binds]) -> int | None:
        """How many rows an INSERT, UPDATE or DELETE changed; None where SQLite has to be asked."""
        with self._executed(statement, binds) as result:
            if not result.returns_rows:
                return result.rowcount if result.rowcount >= 0 else None
            if not _writes(statement):
                raise StatementRefused(
                    "the statement changes nothing: use ctx.db.all(), first() or scalar()"
                )
            return len(result.fetchall())

    @contextmanager
    def _executed(self, statement: Executable, binds: Any) -> Iterator[CursorResult[Any]]:
        _require_statement(statement)
        try:
            with self._connection.execute(statement, binds or None) as result:
                yield result
        except DBAPIError as error:
            raise self._errors.translate(error) from error


def _writes(statement: Executable) -> bool:
    return statement.is_dml or is_writing(getattr(statement, "text", ""))


def _require_statement(statement: object) -> None:
    if isinstance(statement, STATEMENTS):
        return
    if isinstance(statement, str):
        raise StatementRefused(
            "a plain str is no statement: build an expression with select(), insert(), update() or "
            "delete(), or wrap a constant in text(), and bind the values"
        )
    raise StatementRefused(
        f"{type(statement).__name__} is no statement for a function: use select(), insert(), update() "
        "or delete(); tables are made by migrations"
    )


NO_BINDS: Final[Binds] = {}


class FunctionDatabase:
    """Implements context.Database over one tenant's connection; used in the tenant's turn only."""

    __slots__ = ("_driver", "_errors", "_fallback", "_guard", "_keys", "_plans")

    def __init__(
        self,
        driver: sqlite3.Connection,
        connection: Connection,
        guard: Guard,
        plans: Plans,
        keys: frozenset[str] = frozenset(),
    ) -> None:
        """`keys` are those that are the numbers of rows (SchemaInfo.keys)."""
        self._driver = driver
        self._guard = guard
        self._plans = plans
        self._errors = ErrorTranslator(driver, connection.dialect, guard)
        self._fallback = FallbackPath(connection, self._errors)
        self._keys = keys

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Every row of a result."""
        given = binds or NO_BINDS
        plan = self._plans.find(statement, given)
        if plan is not None and (rows := self._fetch(plan, given, None)) is not None:
            return [*map(plan.row, rows)]
        return self._fallback.rows(statement, given, None)

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        given = binds or NO_BINDS
        plan = self._plans.find(statement, given)
        if plan is not None and (rows := self._fetch(plan, given, 1)) is not None:
            return plan.row(rows[0]) if rows else None
        return next(iter(self._fallback.rows(statement, given, 1)), None)

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None."""
        given = binds or NO_BINDS
        plan = self._plans.find(statement, given)
        if plan is not None and (rows := self._fetch(plan, given, 1)) is not None:
            return plan.value(rows[0]) if rows else None
        found: Any = self._fallback.rows(statement, given, 1)
        return found[0][0] if found else None

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """Run an INSERT, UPDATE or DELETE; how many rows it changed. An empty list of binds runs nothing."""
        if binds is None or isinstance(binds, (dict, Mapping)):
            changed = self._run_once(statement, binds or NO_BINDS)
        elif len(binds) > 1:
            changed = self._run_many(statement, binds)
        else:
            changed = self._run_once(statement, binds[0]) if binds else 0
        return self._changes() if changed is None else changed

    def _fetch(self, plan: StatementPlan, binds: Binds, most: int | None) -> list[Any] | None:
        """The driver's rows; None where SQLAlchemy has to word what is wrong with the call."""
        if not plan.returns_rows or (values := self._checked_parameters(plan, binds)) is None:
            return None
        try:
            if plan.key in self._keys:
                cursor = self._driver.execute(plan.bare, values)
                return [(cursor.lastrowid,)] if cursor.rowcount else []
            cursor = self._driver.execute(plan.sql, values)
            return cursor.fetchall() if most is None else cursor.fetchmany(most)
        except sqlite3.Error as error:
            raise self._errors.from_driver(error, plan.sql) from error

    def _run_once(self, statement: Executable, binds: Binds) -> int | None:
        plan = self._plans.find(statement, binds)
        if plan is None or not plan.compiled_sql.writes:
            return self._fallback.count(statement, binds)
        if (values := self._checked_parameters(plan, binds)) is None:
            return self._fallback.count(statement, binds)
        try:
            cursor = self._driver.execute(plan.sql, values)
            if plan.returns_rows:
                return len(cursor.fetchall())
        except sqlite3.Error as error:
            raise self._errors.from_driver(error, plan.sql) from error
        return cursor.rowcount if cursor.rowcount >= 0 else None

    def _run_many(self, statement: Executable, binds: Sequence[Binds]) -> int | None:
        plan = self._plans.find(statement, binds[0])
        if plan is None or plan.returns_rows or not plan.compiled_sql.writes:
            return self._fallback.count(statement, binds)
        rows = [
            values for each in binds if (values := self._checked_parameters(plan, each)) is not None
        ]
        if len(rows) < len(binds):
            return self._fallback.count(statement, binds)
        try:
            return self._driver.executemany(plan.sql, rows).rowcount
        except sqlite3.Error as error:
            raise self._errors.from_driver(error, plan.sql) from error

    def _checked_parameters(self, plan: StatementPlan, binds: Binds) -> tuple[Any, ...] | None:
        """The driver's parameters, if the Guard lets the statement through; None where there are none."""
        guard, compiled_sql = self._guard, plan.compiled_sql
        if compiled_sql.cleared is not guard.allowed_sql or (
            compiled_sql.writes and not guard.may_write
        ):
            guard.check(compiled_sql)
        try:
            return plan.parameters(binds)
        except Exception:  # noqa: BLE001  # SQLAlchemy meets the same error, and words it
            return None

    def _changes(self) -> int:
        """Rows changed by the last statement, where the driver does not count them (WITH … UPDATE)."""
        return int(self._driver.execute(CHANGES).fetchone()[0])


class ScopedDatabase:
    """Implements context.Database: `with scoped.scope(database):` around each step of one function.

    The database may be another one in each: it is opened anew after a commit that failed.
    """

    __slots__ = ("_database",)

    def __init__(self) -> None:
        self._database: Database | None = None

    def scope(self, database: Database) -> ScopedDatabase:
        """Lend it this one, until the `with` ends."""
        self._database = database
        return self

    def __enter__(self) -> None:
        """It is lent already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database = None

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Every row of a result."""
        return self._current.all(statement, binds)

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        return self._current.first(statement, binds)

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None."""
        return self._current.scalar(statement, binds)

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """Run an INSERT, UPDATE or DELETE; how many rows it changed."""
        return self._current.run(statement, binds)

    @property
    def _current(self) -> Database:
        if self._database is None:
            raise StatementRefused(
                "ctx.db is the function's while it runs, and nobody's while it waits or is closed: do the "
                "work before or after the await, and nothing in a `finally` that cancelling runs"
            )
        return self._database
