"""directory.db as a file: it is created, migrated to head and opened here.

Each query and each command of the Directory runs in one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, event, select

from actors.admin.directory import (
    config_history,
    entitlements,
    grants,
    people,
    suspensions,
    tenants,
    tokens,
)
from actors.admin.directory import connector_settings as connectors
from actors.admin.directory import grants as developers
from actors.admin.directory.checks import expectations, idempotency
from actors.admin.directory.checks.authorization import require_still_authorized
from actors.admin.directory.config import require_printable
from actors.admin.directory.ledger import migrations
from actors.admin.directory.repository import CommandEnvironment, DirectoryTransaction, Result
from actors.admin.directory.requests import commands as requests
from actors.admin.directory.tables import connector_settings
from actors.admin.messages import CommandDone, Execute
from actors.errors import DatabaseProblem, Unavailable
from actors.host.disk import OpenPaths, sync
from actors.host.disk_errors import ERRORS, error_text, is_passing, result_code
from actors.messages import Principal
from actors.tenant.storage.revision_files import read_line

MIGRATIONS = Path(__file__).parents[1] / "migrations"

DAMAGED = "it is damaged; restore it from a backup"

NEWER = "it was used by newer code; run that, or restore an older backup"

ADVICE = {
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database; restore it from a backup",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and of its directory",
}

LEFTOVERS = (
    ("tenants", "*.db", "databases"),
    ("backups", "*.db", "databases"),
    ("audit", "*.jsonl", "volumes"),
)
"""Files below the data directory that exist only after a directory.db did: folder, pattern, noun."""

SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
)


def prepare_directory(path: Path) -> None:
    """Create the file, readable by the server's user alone, and migrate its tables to head.

    Raise DatabaseProblem. The file is created only if nothing in the data directory shows that one existed.
    Called by the assembly before any actor runs, because Alembic keeps its context in module globals.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            _require_new(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with open_directory(path) as connection, connection.begin():
            _require_undamaged(path, connection)
            _upgrade(path, connection)
    except ERRORS as error:
        raise _problem(path, error) from error


def _require_new(path: Path) -> None:
    """Raise if a directory.db was lost: an empty one would refuse every token and accept new tenants."""
    data = path.parent
    traces = [
        f"{place}/ has {count} {what}"
        for place, pattern, what in LEFTOVERS
        if (count := sum(1 for each in (data / place).glob(pattern) if each.stat().st_size))
    ]
    if traces:
        raise DatabaseProblem(
            f"{' and '.join(traces)}, and {path}, which lists the tenants, is missing or empty: restore it "
            f"from a backup; to start with no tenants, move {data} elsewhere"
        )


def _require_undamaged(path: Path, connection: Connection) -> None:
    """Check the whole file: damage found later, by a query, would stop the server then."""
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_schema").first() is None:
        _require_new(path)
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise DatabaseProblem(_refusal(path, str(found).splitlines()[-1], DAMAGED))


def _upgrade(path: Path, connection: Connection) -> None:
    """Run what is pending; DatabaseProblem for a revision that no migration here makes."""
    line = read_line(MIGRATIONS)
    if line and _recorded(connection) == [line[-1].revision]:
        return
    from alembic import command  # where something is to migrate: it takes a sixth of a start
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = "alembic_version"
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseProblem(_refusal(path, error_text(error), NEWER)) from error


def _recorded(connection: Connection) -> list[str]:
    table = "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'"
    if connection.exec_driver_sql(table).first() is None:
        return []
    return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def _problem(path: Path, error: Exception) -> DatabaseProblem:
    return DatabaseProblem(_refusal(path, error_text(error), _advice(error)))


def _refusal(path: Path, cause: str, advice: str) -> str:
    return f"{path}, which lists the tenants, cannot be used ({cause}): {advice}"


def _advice(error: Exception) -> str:
    if is_passing(error):
        return "the disk is full, missing or failing; the server uses the file again once the disk works"
    if isinstance(error, OSError):
        return "check the permissions and the type of the file and of its directory"
    return ADVICE.get(result_code(error), DAMAGED)


def has_encrypted_settings(path: Path) -> bool:
    """Return whether the file holds encrypted settings. Called by the assembly after prepare_directory."""
    query = select(connector_settings.c.revision).where(connector_settings.c.settings.is_not(None))
    with open_directory(path) as connection, connection.begin():
        return connection.execute(query.limit(1)).first() is not None


def open_directory(path: Path, *, mode: str = "rwc") -> Connection:
    """Open the one connection to directory.db, with all commits in the synced file.

    Every use is in a `with connection.begin()`. With mode `rw` a missing file is not created. Raise OSError,
    sqlite3.Error or SQLAlchemyError if the file cannot be opened or synced.
    """
    engine = create_engine(
        "sqlite://", creator=lambda: _connect(path, mode), poolclass=NullPool, hide_parameters=True
    )
    # By default the driver begins a transaction with the first write, and none for DDL.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine.connect()


def make_durable(connection: Connection, path: Path) -> None:
    """Move all commits into the file and sync it: whatever is read afterwards is on disk.

    A commit whose sync failed, in this process or in one that was killed, may be visible in the -wal while
    the kernel caches it, and no later sync of the -wal reports it. Call between two transactions. Raise
    OSError or sqlite3.Error.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    _make_durable(driver, path)


def _make_durable(driver: sqlite3.Connection, path: Path) -> None:
    busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("another process reads or writes the database")
    sync(wal_of(path))


def wal_of(path: Path) -> Path:
    """Return the path of the database's -wal file."""
    return path.with_name(f"{path.name}-wal")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    driver = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for setting in SETTINGS:
            driver.execute(setting)
        _make_durable(driver, path)
    except BaseException:
        driver.close()
        raise
    return driver


T = TypeVar("T")

QUERIES: Mapping[type, Callable[[DirectoryTransaction, Any], Result]] = MappingProxyType(
    {
        **tenants.QUERIES,
        **people.QUERIES,
        **developers.DEVELOPER_QUERIES,
        **tokens.QUERIES,
        **suspensions.QUERIES,
        **config_history.QUERIES,
        **entitlements.SUBSCRIPTION_QUERIES,
        **connectors.QUERIES,
        **entitlements.LIMIT_QUERIES,
        **entitlements.QUERIES,
        **grants.QUERIES,
        **requests.QUERIES,
        **migrations.QUERIES,
        **expectations.QUERIES,
    }
)
"""The function that answers each query."""

COMMANDS: Mapping[type, Callable[[DirectoryTransaction, Any, Principal], Result]] = (
    MappingProxyType(
        {
            **tenants.COMMANDS,
            **people.COMMANDS,
            **developers.DEVELOPER_COMMANDS,
            **tokens.COMMANDS,
            **suspensions.COMMANDS,
            **config_history.COMMANDS,
            **entitlements.SUBSCRIPTION_COMMANDS,
            **connectors.COMMANDS,
            **entitlements.LIMIT_COMMANDS,
            **entitlements.COMMANDS,
            **grants.COMMANDS,
            **requests.COMMANDS,
            **migrations.COMMANDS,
        }
    )
)
"""The function that executes each command."""


class DirectoryStore:
    """directory.db, open; for one actor, or for a process that has claimed the data directory."""

    def __init__(self, path: Path, environment: CommandEnvironment) -> None:
        """Open the file. Raise any of ERRORS."""
        self._path = path
        self._connection = open_directory(path, mode="rw")
        self._names = OpenPaths(path, wal_of(path))
        self._environment = environment

    def ask(self, query: Any) -> Result:
        """Answer a query."""
        return self.read(lambda transaction: QUERIES[type(query)](transaction, query))

    def execute(self, message: Execute) -> tuple[CommandDone, DirectoryTransaction]:
        """Execute a command once; the transaction holds the changes. TypeError if it is not a command."""
        if type(message.command) not in COMMANDS:
            raise TypeError(f"{type(message.command).__name__} is no command of the Directory")
        return self.run(lambda transaction: (_execute(transaction, message), transaction))

    def read(self, what: Callable[[DirectoryTransaction], T]) -> T:
        """Call `what` in a transaction that only reads, and return its result."""
        with self._connection.begin():
            return what(self._begin())

    def run(self, what: Callable[[DirectoryTransaction], T]) -> T:
        """Call `what` in one synced transaction, and return its result. A raise rolls it back.

        Raise Unavailable if the file was removed or replaced. After a disk error the outcome is unknown: call
        `make_durable` before anything else.
        """
        with self._connection.begin():
            result = what(self._begin())
            self._require_in_place()
            return result

    def make_durable(self) -> None:
        """Sync earlier commits to disk. Raise OSError or sqlite3.Error if that fails."""
        make_durable(self._connection, self._path)

    def _require_in_place(self) -> None:
        lost = self._names.lost()
        if lost is not None:
            raise Unavailable(
                f"{lost} was removed or replaced while the server was running, so nothing was done: put that "
                "file back, or restart the server, which continues with the files that are there"
            )

    def _begin(self) -> DirectoryTransaction:
        return DirectoryTransaction(self._connection, self._environment)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _execute(transaction: DirectoryTransaction, message: Execute) -> CommandDone:
    require_still_authorized(transaction, message)
    known = idempotency.find_result(transaction, message.receipt)
    if known is not None:
        return CommandDone(known, replayed=True)
    expectations.require_as_expected(transaction, message.expected, message.tenant_id)
    require_printable(message.command)
    result = COMMANDS[type(message.command)](transaction, message.command, message.by)
    idempotency.store_result(transaction, message.receipt, result)
    return CommandDone(result)
