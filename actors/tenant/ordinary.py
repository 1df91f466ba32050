"""SQLAlchemy's own way to the driver, for statements that have no plan.

Those are: what is built for one message, plain text, IN with a list, defaults made in Python, and the first
execution of everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.exc import DBAPIError

from actors.errors import StatementRefused
from actors.tenant.context import Binds, Row
from actors.tenant.failures import Failures
from actors.tenant.plans import STATEMENTS
from actors.tenant.rows import row_maker
from actors.tenant.sqltext import is_writing


class Ordinary:
    """Runs statements through a Connection, whose dialect shows them to the Guard."""

    __slots__ = ("_connection", "_failures")

    def __init__(self, connection: Connection, failures: Failures) -> None:
        self._connection = connection
        self._failures = failures

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
            raise self._failures.explained(error) from error


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
