"""Opening a tenant's file: everything that makes the connection safe, in the order that makes it so.

Settings first, then whose file it is and how new, then what is left in the -wal, then limits and the
deadline, and last the authorizer, which would deny what comes before it.

One SQLAlchemy Engine for every tenant of the process, and the plans that belong to it.

An Engine of its own would cost each tenant 1 ms and 26 KB, and compile the same statements again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.dialects import registry

from actors.errors import DatabaseProblem, MigrationNeeded
from actors.host.disk_errors import is_full, result_code
from actors.tenant.database.authorizer import (
    FileVersion,
    SchemaInfo,
    authorizer,
    read_revisions,
    require_same_application,
)
from actors.tenant.database.database import TenantDatabase, limit_size
from actors.tenant.database.dialect import GUARD, MAX_VARIABLES, TenantDialect
from actors.tenant.database.durability import CheckpointBusy, checkpoint, wal_of
from actors.tenant.database.guard import Guard
from actors.tenant.database.plans import Plans

QUERY_CACHE_SIZE: Final = 2_000
"""Compiled statements that SQLAlchemy keeps for the process; about 10 KB each."""

_handed_over: ContextVar[sqlite3.Connection | None] = ContextVar("_handed_over", default=None)
"""The driver's connection that SQLAlchemy is about to take, in this thread."""


class SharedEngine:
    """Turns the driver's connections into SQLAlchemy's. Made once; used by every tenant's turn."""

    def __init__(self) -> None:
        registry.register("sqlite.tenantry", TenantDialect.__module__, TenantDialect.__name__)
        self._engine = create_engine(
            "sqlite+tenantry://",
            poolclass=NullPool,
            creator=_take_handed_over,
            hide_parameters=True,  # errors are logged, and parameters are customers' data
            query_cache_size=QUERY_CACHE_SIZE,
        )
        self._engine.connect().close()  # the first connection of an Engine asks it questions
        assert isinstance(self._engine.dialect, TenantDialect)
        self.plans = Plans(self._engine.dialect)

    def connection(self, driver: sqlite3.Connection, guard: Guard) -> Connection:
        """A Connection over this one of the driver, which shows its statements to the Guard."""
        token = _handed_over.set(driver)
        try:
            return self._engine.connect().execution_options(**{GUARD: guard})
        finally:
            _handed_over.reset(token)


def _take_handed_over() -> sqlite3.Connection:
    """What the pool calls for a connection: it cannot pass anything, hence the variable."""
    return _handed_over.get() or sqlite3.connect(":memory:")


STATEMENT_CACHE_SIZE: Final = 256
"""Prepared statements that the driver keeps for a connection."""

BUSY_SECONDS: Final = 1.0
"""How long to wait for another process that holds the file; it should not be there at all."""

STEPS_BETWEEN_CHECKS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the clock: about 0.2 ms."""

SETTINGS: Final = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
PRAGMA foreign_keys=ON;
PRAGMA trusted_schema=OFF;
PRAGMA cell_size_check=ON;
PRAGMA mmap_size=0;
"""
"""Run as a script: the driver keeps no statement of it."""

LEAN: Final = """
PRAGMA cache_size=2;
PRAGMA shrink_memory;
PRAGMA user_version;
PRAGMA cache_size=-2000;
"""
"""Gives the page cache back that opening has filled. SQLite takes room for 20 pages (87 KB) when it puts the
first page into an empty cache, unless that may hold fewer than 3: here it finds the first page there."""

LIMITS: Final = (
    (sqlite3.SQLITE_LIMIT_LENGTH, 4_000_000),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (sqlite3.SQLITE_LIMIT_COLUMN, 200),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 10),
    (sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 16),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, MAX_VARIABLES),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 5),
)
"""sqlite.org/c3ref/c_limit_attached.html; bytes, columns, levels and counts."""


class StorageLimits(NamedTuple):
    """What one tenant may take."""

    database_bytes: int = 1024**3
    """Size of the database file. Not kept in the file, so set at each opening; the -wal is not counted."""


DEFAULT_LIMITS: Final = StorageLimits()


def bound_caches(most: int) -> None:
    """Bound the memory of all databases of the process together, in bytes; 0 for no bound.

    Past it a cache uses its own pages again instead of growing, so that little is cached and nothing fails.
    """
    with closing(sqlite3.connect(":memory:")) as any_connection:
        any_connection.execute(f"PRAGMA soft_heap_limit={most:d}").fetchone()


def open_tenant(
    path: Path,
    tenant_id: str,
    *,
    shared: SharedEngine,
    schema: SchemaInfo,
    older: tuple[SchemaInfo, ...] = (),
    limits: StorageLimits = DEFAULT_LIMITS,
) -> TenantDatabase:
    """Open the tenant's file, which has to be there; `older` are further schemas that are served.

    MigrationNeeded: migrate it and come again. DatabaseProblem: it is missing, damaged, another tenant's, no
    tenant's at all, or newer than the code; the message names the file and says what to do.
    """
    try:
        driver = connect(path)
    except sqlite3.Error as error:
        raise problem(path, error) from error
    try:
        return _opened(path, driver, tenant_id, shared, (schema, *older), limits)
    except (sqlite3.Error, OSError) as error:
        driver.close()
        raise problem(path, error) from error
    except BaseException:
        driver.close()
        raise


def connect(path: Path) -> sqlite3.Connection:
    """The driver's connection to a file that exists; any thread may use it, one at a time."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENT_CACHE_SIZE,
    )


def _opened(
    path: Path,
    driver: sqlite3.Connection,
    tenant_id: str,
    shared: SharedEngine,
    schemas: tuple[SchemaInfo, ...],
    limits: StorageLimits,
) -> TenantDatabase:
    driver.executescript(SETTINGS)
    limit_size(driver, limits.database_bytes)
    check_stamp(path, driver, tenant_id)
    schema = _served_schema(path, driver, schemas)
    require_same_application(path, read_revisions(driver), schema.revisions)
    busy = _recover_wal(path, driver)
    driver.executescript(LEAN)
    for limit, most in LIMITS:
        driver.setlimit(limit, most)
    guard = Guard()
    driver.set_progress_handler(lambda: monotonic() > guard.deadline, STEPS_BETWEEN_CHECKS)
    connection = shared.connection(driver, guard)
    driver.set_authorizer(authorizer(guard, schema))
    database = TenantDatabase(path, driver, connection, guard, shared.plans, schema.keys)
    if busy is not None:
        database.durability.on_commit_failed(busy)
    return database


def _recover_wal(path: Path, driver: sqlite3.Connection) -> CheckpointBusy | None:
    """Put a -wal into the file that a process left which died, perhaps between a write and its sync.

    Where one lives and is in the way, that: what it commits can be read, and nothing be written.
    """
    try:
        if wal_of(path).stat().st_size:
            checkpoint(driver, path)
    except CheckpointBusy as busy:
        return busy
    return None


def _served_schema(
    path: Path, driver: sqlite3.Connection, schemas: tuple[SchemaInfo, ...]
) -> SchemaInfo:
    """The one of the served schemas, the newest first, that the file has."""
    (found,) = driver.execute("PRAGMA user_version").fetchone()
    for schema in schemas:
        if found == schema.user_version:
            return schema
    at, known = FileVersion.of(found), FileVersion.of(schemas[0].user_version)
    if at.is_newer_than(known):
        raise DatabaseProblem(
            f"{path} has {at}, and this code knows {known}: it was used by newer code; run that, or "
            "restore an older backup"
        )
    raise MigrationNeeded(f"{path} has {at}, and this code needs {known}: it has to be migrated")


def check_stamp(path: Path, driver: sqlite3.Connection, tenant_id: str) -> None:
    """DatabaseProblem unless the file says that it is this tenant's."""
    found = [row[0] for row in driver.execute("SELECT id FROM tenantry_tenant")]
    if found != [tenant_id]:
        whose = f"tenant {found[0]}" if found else "no tenant"
        raise DatabaseProblem(
            f"{path} belongs to {whose}, and tenant {tenant_id} was asked for: files have been mixed up; "
            "put the right one in its place"
        )


ADVICE: Final = {
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database; restore it from a backup",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
    sqlite3.SQLITE_ERROR: "it is not a tenant's database; restore it from a backup",
    sqlite3.SQLITE_BUSY: "another process has it open; stop that one",
    sqlite3.SQLITE_READONLY: "it cannot be written; look at the rights of the file and its directory",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
}


def problem(path: Path, error: sqlite3.Error | OSError) -> DatabaseProblem:
    """What an error while opening or migrating means, in words."""
    code = sqlite3.SQLITE_FULL if is_full(error) else result_code(error)
    advice = ADVICE.get(
        code, "look at the disk, the rights of the file and the limit of open files"
    )
    if not path.exists():
        advice = "it is missing; restore it from a backup"
    return DatabaseProblem(f"{path} cannot be used ({error}): {advice}")


def remove_draft(draft: Path) -> None:
    """With what SQLite keeps beside it: another file of that name must not find it."""
    for end in ("", "-wal", "-shm", "-journal"):
        draft.with_name(draft.name + end).unlink(missing_ok=True)
