"""ctx.db: a tenant's database as a function may use it.

Two ways lead to the driver. A statement that is a constant has a Plan and goes straight there; anything
else goes through SQLAlchemy. Both show the statement to the Guard first, and give the same rows and the
same errors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Executable

from actors.tenant.context import Binds, Row
from actors.tenant.engine_text import CHANGES
from actors.tenant.failures import Failures
from actors.tenant.guard import Guard
from actors.tenant.ordinary import Ordinary
from actors.tenant.plans import Plan, Plans

NO_BINDS: Final[Binds] = {}


class FunctionDatabase:
    """Implements context.Database over one tenant's connection; used in the tenant's turn only."""

    __slots__ = ("_driver", "_failures", "_guard", "_keys", "_ordinary", "_plans")

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
        self._failures = Failures(driver, connection.dialect, guard)
        self._ordinary = Ordinary(connection, self._failures)
        self._keys = keys

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Every row of a result."""
        given = binds or NO_BINDS
        plan = self._plans.find(statement, given)
        if plan is not None and (rows := self._fetch(plan, given, None)) is not None:
            return [*map(plan.row, rows)]
        return self._ordinary.rows(statement, given, None)

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        given = binds or NO_BINDS
        plan = self._plans.find(statement, given)
        if plan is not None and (rows := self._fetch(plan, given, 1)) is not None:
            return plan.row(rows[0]) if rows else None
        return next(iter(self._ordinary.rows(statement, given, 1)), None)

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None."""
        given = binds or NO_BINDS
        plan = self._plans.find(statement, given)
        if plan is not None and (rows := self._fetch(plan, given, 1)) is not None:
            return plan.value(rows[0]) if rows else None
        found: Any = self._ordinary.rows(statement, given, 1)
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

    def _fetch(self, plan: Plan, binds: Binds, most: int | None) -> list[Any] | None:
        """The driver's rows; None where SQLAlchemy has to word what is wrong with the call."""
        if not plan.returns_rows or (values := self._admitted(plan, binds)) is None:
            return None
        try:
            if plan.key in self._keys:
                cursor = self._driver.execute(plan.bare, values)
                return [(cursor.lastrowid,)] if cursor.rowcount else []
            cursor = self._driver.execute(plan.sql, values)
            return cursor.fetchall() if most is None else cursor.fetchmany(most)
        except sqlite3.Error as error:
            raise self._failures.wrapped(error, plan.sql) from error

    def _run_once(self, statement: Executable, binds: Binds) -> int | None:
        plan = self._plans.find(statement, binds)
        if plan is None or not plan.written.writes:
            return self._ordinary.count(statement, binds)
        if (values := self._admitted(plan, binds)) is None:
            return self._ordinary.count(statement, binds)
        try:
            cursor = self._driver.execute(plan.sql, values)
            if plan.returns_rows:
                return len(cursor.fetchall())
        except sqlite3.Error as error:
            raise self._failures.wrapped(error, plan.sql) from error
        return cursor.rowcount if cursor.rowcount >= 0 else None

    def _run_many(self, statement: Executable, binds: Sequence[Binds]) -> int | None:
        plan = self._plans.find(statement, binds[0])
        if plan is None or plan.returns_rows or not plan.written.writes:
            return self._ordinary.count(statement, binds)
        rows = [values for each in binds if (values := self._admitted(plan, each)) is not None]
        if len(rows) < len(binds):
            return self._ordinary.count(statement, binds)
        try:
            return self._driver.executemany(plan.sql, rows).rowcount
        except sqlite3.Error as error:
            raise self._failures.wrapped(error, plan.sql) from error

    def _admitted(self, plan: Plan, binds: Binds) -> tuple[Any, ...] | None:
        """The driver's parameters, if the Guard lets the statement through; None where there are none."""
        guard, written = self._guard, plan.written
        if written.cleared is not guard.known or (written.writes and not guard.may_write):
            guard.admit(written)
        try:
            return plan.parameters(binds)
        except Exception:  # noqa: BLE001  # SQLAlchemy meets the same error, and words it
            return None

    def _changes(self) -> int:
        """Rows changed by the last statement, where the driver does not count them (WITH … UPDATE)."""
        return int(self._driver.execute(CHANGES).fetchone()[0])
