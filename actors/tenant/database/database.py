"""A tenant's database: the one connection to one file, opened hardened and closed clean.

The turn drives transactions here, with texts that the driver has prepared; functions get `lent(...)`.
One connection for each file, in one process: SQLite before 3.51.3 can corrupt a WAL when two connections
checkpoint at the same instant (sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection

from actors.errors import DatabaseProblem
from actors.host import disk
from actors.tenant.database import errors
from actors.tenant.database import guard as text
from actors.tenant.database.durability import Durability, checkpoint
from actors.tenant.database.guard import AllowedSql, Guard
from actors.tenant.database.outbox_table import OutboxTable
from actors.tenant.database.placement import FileIdentity
from actors.tenant.database.plans import Plans
from actors.tenant.database.reply_table import ReplyTable
from actors.tenant.database.statements import FunctionDatabase
from transport.fit import fit_map, fit_text
from transport.message import Refusal
from transport.request.model import Request


class TenantDatabase:
    """One tenant's database, open until `close`. Used in the tenant's turn only; errors are the driver's own.

    Some errors end the transaction by themselves (errors.py): check `in_transaction` after any error.
    """

    __slots__ = (
        "_connection",
        "_driver",
        "_execute",
        "_function_scope",
        "_guard",
        "age",
        "allowed_sql",
        "durability",
        "file_identity",
        "has_savepoint",
        "outbox",
        "path",
        "replies",
        "savepoint",
    )

    def __init__(
        self,
        path: Path,
        driver: sqlite3.Connection,
        connection: Connection,
        guard: Guard,
        plans: Plans,
        keys: frozenset[str] = frozenset(),
    ) -> None:
        self.path = path
        self.age: Callable[[], float] = time.time
        """Returns seconds since the epoch, by which replies are stored and expire."""
        self.file_identity = FileIdentity(path)
        """Checks that its files are still those that were opened."""
        self.allowed_sql = AllowedSql()
        """The SQL text of the loaded code, replaced when other code is loaded; empty at first."""
        self.durability = Durability()
        """Whether the commits are known to be on disk."""
        self.has_savepoint = False
        """Whether the savepoint of a message is open."""
        self.savepoint = Savepoint(self)
        """`with database.savepoint:` keeps one message's effects, or rolls them back if it raises."""
        self.outbox = OutboxTable(driver.execute)
        """Deliveries that are not done yet."""
        self.replies = ReplyTable(driver)
        """Replies by the ids of their requests."""
        self._driver = driver
        self._execute = driver.execute
        self._connection = connection
        self._guard = guard
        self._function_scope = FunctionScope(
            FunctionDatabase(driver, connection, guard, plans, keys), guard
        )

    # ------------------------------------------------------------ the transaction

    def begin(self) -> None:
        """Begin the turn's transaction. Deferred: it takes the write lock with the first write."""
        self._execute(text.BEGIN)
        self.has_savepoint = False

    def commit(self) -> None:
        """Commit the turn, synced.

        If it raises, effects may be on disk: call `checkpoint`, then read them.
        """
        self._execute(text.COMMIT)

    def rollback(self) -> None:
        """Roll back the whole turn; a no-op if SQLite has done so itself."""
        if self._driver.in_transaction:
            self._execute(text.ROLLBACK)

    def begin_savepoint(self) -> None:
        """Begin the savepoint of one message."""
        self._execute(text.SAVEPOINT)
        self.has_savepoint = True

    def release(self) -> None:
        """Keep the message's effects, and end its savepoint; a no-op if there is none.

        It may raise for lack of room, since full-text indexes write here.
        """
        if self.has_savepoint:
            self._execute(text.RELEASE)
            self.has_savepoint = False

    def rollback_to(self) -> None:
        """Roll back the message's effects and end its savepoint; a no-op if there is none.

        There is none either if SQLite has ended the transaction by itself.
        """
        if self.has_savepoint and self._driver.in_transaction:
            self._execute(text.ROLLBACK_TO)
            self._execute(text.RELEASE)
        self.has_savepoint = False

    def flush_indexes(self) -> None:
        """Write out what full-text indexes have buffered. It may raise for lack of room."""
        self._execute(text.SAVEPOINT)
        self._execute(text.RELEASE)

    @property
    def in_transaction(self) -> bool:
        """False after an error means that SQLite has rolled back the whole turn."""
        return self._driver.in_transaction

    @property
    def has_partial_write(self) -> bool:
        """Whether a statement of the function that ran last has failed and may have left something."""
        return self._guard.partial_write

    @property
    def changes(self) -> int:
        """Rows written since the file was opened, triggers included."""
        return self._driver.total_changes

    # ------------------------------------------------------------ functions

    def function_scope(
        self,
        params: Mapping[str, Any],
        deadline: float,
        *,
        read_only: bool,
        allowed_sql: AllowedSql | None = None,
    ) -> FunctionScope:
        """`with database.function_scope(...) as db:` lends it to one function, and takes it back.

        `params` are the message's; `deadline` is in seconds of time.monotonic(); `known` is the text of the
        code that runs, or else that of all loaded code.
        """
        if not self._driver.in_transaction:
            raise DatabaseProblem(f"{self.path}: begin() comes before a function")
        self._guard.enter(allowed_sql or self.allowed_sql, params, deadline, not read_only)
        return self._function_scope

    @contextmanager
    def trace(self, statements: list[str]) -> Iterator[None]:
        """Append every statement that runs inside to `statements`, its values filled in."""
        self._driver.set_trace_callback(statements.append)
        try:
            yield
        finally:
            self._driver.set_trace_callback(None)

    # ------------------------------------------------------------ the engine's own tables

    def add_dead_letter(self, caller: str, request: Request, reason: str, now: float) -> None:
        """Set a request aside among the dead letters, without its token. `now` is time.time()."""
        content = to_json(fit_map(request.model_dump(exclude={"token"})))
        about = (caller, request.id, request.action, content, fit_text(reason), int(now))
        self._execute(text.INSERT_DEAD_LETTER, about)

    # ------------------------------------------------------------ the quota

    def limit_size(self, most: int) -> None:
        """Let the file grow to `most` bytes; see `limit_size` below. Between two messages."""
        limit_size(self._driver, most)

    # ------------------------------------------------------------ the end

    def classify(self, error: BaseException) -> Refusal | None:
        """Return the refusal of an expected error, or None if the error is the function's own."""
        refusal = errors.classify(error)
        return self._no_space() if refusal is errors.NO_SPACE else refusal

    def _no_space(self) -> Refusal:
        """Of the quota or of the disk; of one of them where neither says how much it has."""
        try:
            return errors.no_space(quota_left(self._driver), disk.free_bytes(self.path.parent))
        except (sqlite3.Error, OSError):
            return errors.NO_SPACE

    def checkpoint(self) -> None:
        """Checkpoint all commits into the file, synced.

        Ends a transaction. Raises sqlite3.Error or OSError.
        """
        self._guard.leave()
        self.rollback()
        checkpoint(self._driver, self.path)

    def checkpoint_and_close(self) -> None:
        """Bring everything into the file and close it: no -wal stays beside it."""
        try:
            self.checkpoint()
        finally:
            self.close()

    def close(self) -> None:
        """Close without a checkpoint. Uncommitted effects are lost; a second close is a no-op."""
        self._guard.leave()
        if not self._connection.closed:
            with self.file_identity.while_closing():
                self._connection.close()


def limit_size(driver: sqlite3.Connection, most: int) -> None:
    """Let a file grow to `most` bytes, from the next write on; it holds until the connection closes.

    A file that is larger already keeps its size and does not grow: what it has can be read and removed, and
    room that becomes free within it can be used (sqlite.org/pragma.html#pragma_max_page_count).
    """
    (page_size,) = driver.execute(text.PAGE_SIZE).fetchone()
    driver.execute(text.max_page_count(max(1, most // page_size))).fetchone()


def quota_left(driver: sqlite3.Connection) -> int:
    """Return the bytes by which the file may still grow."""
    size, count, most = (
        driver.execute(each).fetchone()[0]
        for each in (text.PAGE_SIZE, text.PAGE_COUNT, text.MAX_PAGE_COUNT)
    )
    return int(size * (most - count))


class Savepoint:
    """A savepoint around one message. If SQLite has ended the transaction, nothing is left to undo."""

    __slots__ = ("_database",)

    def __init__(self, database: TenantDatabase) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.begin_savepoint()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._database.release()
        else:
            self._database.rollback_to()


class FunctionScope:
    """Scope of one function: it gets the database, and loses it however it ends."""

    __slots__ = ("functions", "leave")

    def __init__(self, functions: FunctionDatabase, guard: Guard) -> None:
        self.functions = functions
        """The database as the function may use it, until `leave`."""
        self.leave = guard.leave
        """Takes it back."""

    def __enter__(self) -> FunctionDatabase:
        return self.functions

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()
