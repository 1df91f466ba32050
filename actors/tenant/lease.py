"""ctx.db of a function that may wait: there while it runs, refused while it waits."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Executable

from actors.errors import StatementRefused
from actors.tenant.context import Binds, Database, Row


class Lease:
    """Implements context.Database: `with lease.on(database):` around each stretch of one function.

    The database may be another one in each: it is opened anew after a commit that failed.
    """

    __slots__ = ("_database",)

    def __init__(self) -> None:
        self._database: Database | None = None

    def on(self, database: Database) -> Lease:
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
        return self._lent.all(statement, binds)

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        return self._lent.first(statement, binds)

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None."""
        return self._lent.scalar(statement, binds)

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """Run an INSERT, UPDATE or DELETE; how many rows it changed."""
        return self._lent.run(statement, binds)

    @property
    def _lent(self) -> Database:
        if self._database is None:
            raise StatementRefused(
                "ctx.db is the function's while it runs, and nobody's while it waits or is closed: do the "
                "work before or after the await, and nothing in a `finally` that cancelling runs"
            )
        return self._database
