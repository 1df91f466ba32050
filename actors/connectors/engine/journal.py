"""The journal of one connector: a row for each call, for a week, in a SQLite file of its own.

Writing never delays an answer: answered calls wait here and are written in batches. Calls that cannot be
written are counted and logged. One connection to the file is open, on the connector's loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import (
    Column,
    Executable,
    Float,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from actors.connectors.engine.calls import OperationCall
from actors.connectors.engine.journal_entry import FORMS, Row, row_of
from actors.errors import Unavailable
from actors.log.redaction import NO_NAMES
from actors.messages import FindCalls

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger()

RETENTION_SECONDS: Final = 7 * 24 * 3600.0

SWEEP_SECONDS: Final = 3600.0
"""Seconds between two deletions of older calls."""

MAX_ROWS: Final = 100_000
"""Rows of one connector; the oldest are deleted first."""

MAX_PAGES: Final = 262_144
"""Of 4,096 bytes in one connector's file: 1 GiB. If it is full, the oldest tenth is deleted."""

MAX_UNWRITTEN: Final = 2000
"""Calls that may wait to be written; further ones are lost, and counted."""

EVICT_FRACTION: Final = 10
"""One call in so many is deleted if the file is full."""

MAX_EVICTIONS: Final = 3
"""Evictions for one transaction: to delete everything does not free a disk that other programs filled."""

MAX_BATCH: Final = 200
"""Rows in one transaction."""

CALLS: Final = Table(
    "calls",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("asked_at", Float, nullable=False),
    Column("tenant_id", String(32), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("operation", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("key", String(64), nullable=False, index=True),
    Column("trace_id", String(64), nullable=False, index=True),
    Column("outcome", String(32), nullable=False),
    Column("message", Text),
    Column("attempts", Text, nullable=False),
    Column("queued_ms", Float, nullable=False),
    Column("took_ms", Float, nullable=False),
    *(Column(name, Text, nullable=False) for name in FORMS),
    sqlite_autoincrement=True,
)

Index("calls_of_tenant", CALLS.c.tenant_id, CALLS.c.id)


class CallJournal:
    """Outlives the incarnations of its connector's actor. Use it only on the connector's loop."""

    def __init__(
        self,
        path: Path,
        hide: frozenset[str] = NO_NAMES,
        age: Callable[[], float] = time.time,
    ) -> None:
        """`hide` are further names of secrets; calls expire by the epoch seconds that `age` returns."""
        self._clock = age
        self._path = path
        self._hide = hide
        self._unwritten: deque[OperationCall] = deque()
        self._lost = 0
        self._engine: AsyncEngine | None = None
        self._opening: asyncio.Task[AsyncEngine] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._has_calls = asyncio.Event()
        self._is_closing = False

    def start(self) -> None:
        """Start writing; a second call does nothing."""
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_loop())

    def record(self, call: OperationCall) -> None:
        """Queue this call for writing and return at once."""
        if len(self._unwritten) >= MAX_UNWRITTEN:
            self._lost += 1
            return
        self._unwritten.append(call)
        self._has_calls.set()

    async def find(self, wanted: FindCalls) -> list[Row]:
        """Return the matching calls, newest first; Unavailable if the file cannot be read."""
        rows = await self._read(_query(wanted))
        return [_decoded(row) for row in rows]

    async def close(self) -> None:
        """Write all waiting calls and close the file."""
        if self._writer is not None:
            self._is_closing = True
            self._has_calls.set()
            await self._writer
            self._writer, self._is_closing = None, False
        while self._unwritten:
            await self._write()
        self._log_losses()
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = self._opening = None

    # Writing

    async def _write_loop(self) -> None:
        next_sweep = 0.0
        while not self._is_closing:
            if self._unwritten:
                await self._write()
            self._log_losses()
            if time.monotonic() >= next_sweep:
                await self._sweep()
                next_sweep = time.monotonic() + SWEEP_SECONDS
            if not self._unwritten and not self._is_closing:
                await self._wait_for_calls()

    async def _wait_for_calls(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._has_calls.wait()
        except TimeoutError:
            return
        self._has_calls.clear()

    async def _write(self) -> None:
        some = min(len(self._unwritten), MAX_BATCH)
        calls = [self._unwritten.popleft() for _ in range(some)]
        rows = [row for call in calls if (row := self._row(call)) is not None]
        try:
            if rows:
                await self._insert(rows)
        except Exception as error:
            self._lost += len(rows)
            log.error("calls of a connector could not be recorded", file=self._name, exc_info=error)

    def _row(self, call: OperationCall) -> Row | None:
        """Return the call's row; None if it cannot be made, so that the batch is still written."""
        try:
            return row_of(call, self._hide)
        except Exception as error:
            self._lost += 1
            log.error("a call of a connector could not be told", file=self._name, exc_info=error)
            return None

    async def _insert(self, rows: list[Row]) -> None:
        """Insert rows; if the file or the disk is full, delete the oldest ones and retry."""
        for _ in range(MAX_EVICTIONS):
            try:
                return await self._run(insert(CALLS), rows)
            except OperationalError as error:
                if not _is_full(error):
                    raise
            await self._evict_oldest()
        return await self._run(insert(CALLS), rows)

    async def _evict_oldest(self) -> None:
        oldest, newest = func.min(CALLS.c.id), func.max(CALLS.c.id)
        last = select(oldest + (newest - oldest) / EVICT_FRACTION).scalar_subquery()
        await self._run(delete(CALLS).where(CALLS.c.id <= last))

    async def _run(self, statement: Executable, rows: list[Row] | None = None) -> None:
        """In a transaction of its own."""
        async with (await self._opened()).begin() as connection:
            await connection.execute(statement, rows)

    async def _sweep(self) -> None:
        too_old = CALLS.c.at < self._clock() - RETENTION_SECONDS
        newest = select(func.max(CALLS.c.id)).scalar_subquery()
        try:
            await self._run(delete(CALLS).where(too_old | (CALLS.c.id <= newest - MAX_ROWS)))
        except (SQLAlchemyError, OSError) as error:
            log.error("old calls could not be deleted", file=self._name, exc_info=error)

    def _log_losses(self) -> None:
        if self._lost:
            log.error(
                "calls of a connector were lost to its journal", file=self._name, lost=self._lost
            )
            self._lost = 0

    # The file

    async def _read(self, query: Select[Any]) -> list[Any]:
        try:
            while self._unwritten:  # what was answered before it was asked for is there
                await self._write()
            async with (await self._opened()).connect() as connection:
                return list((await connection.execute(query)).mappings())
        except (SQLAlchemyError, OSError) as error:
            log.error("a journal could not be read", file=self._name, exc_info=error)
            raise Unavailable(f"{self._name} cannot be read: see the error log") from error

    async def _opened(self) -> AsyncEngine:
        """Return the engine. Callers share one opening; after a failure the next caller retries."""
        if self._engine is not None:
            return self._engine
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        opening = self._opening
        try:
            self._engine = await asyncio.shield(opening)
        finally:
            if opening.done():
                self._opening = None
        return self._engine

    async def _open(self) -> AsyncEngine:
        # It brings SQLAlchemy's ORM along, a tenth of a server's start, for which few servers have a use.
        from sqlalchemy.ext.asyncio import create_async_engine

        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{self._path}", pool_size=1, max_overflow=0, hide_parameters=True
        )
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(CALLS.metadata.create_all)
        except BaseException:
            await engine.dispose()
            raise
        return engine

    @property
    def _name(self) -> str:
        return self._path.name


def _set_pragmas(connection: Any, _: Any) -> None:
    """A call that was answered may be missing after a power cut: the outbox has what must not be lost."""
    cursor = connection.cursor()
    pragmas = ("journal_mode=WAL", "synchronous=NORMAL", "trusted_schema=OFF", "mmap_size=0")
    for pragma in (*pragmas, f"max_page_count={MAX_PAGES}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _is_full(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _query(wanted: FindCalls) -> Select[Any]:
    query = select(CALLS).order_by(CALLS.c.id.desc()).limit(wanted.limit)
    for name in ("tenant_id", "trace_id", "key", "outcome"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(CALLS.c[name] == value)
    return query if wanted.id is None else query.where(CALLS.c.id == _number(wanted.id))


def _number(id_: str) -> int:
    """Return 17 for `mail:17`; -1, which no row has, if it is not a number."""
    number = id_.rpartition(":")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1


def _decoded(row: Any) -> Row:
    """Return the row with its JSON decoded and an id that also names the connector."""
    connector = row["operation"].partition(".")[0]
    values = {name: json.loads(row[name]) for name in ("attempts", *FORMS)}
    return {**row, **values, "id": f"{connector}:{row['id']}"}
