"""directory.db as a file: made, brought to head, opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, event, select

from actors.admin.tables import connector_settings
from actors.errors import DatabaseProblem
from actors.host.disk import ERRORS, is_passing, result_code, said, sync

MIGRATIONS = Path(__file__).with_name("migrations")

DAMAGED = "it is damaged; restore it from a backup"

ADVICE = {
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database; restore it from a backup",
    sqlite3.SQLITE_READONLY: "it cannot be written; look at the rights of the file and its directory",
}

TRACES = (
    ("tenants", "*.db", "databases"),
    ("backups", "*.db", "databases"),
    ("audit", "*.jsonl", "volumes"),
)
"""What there is below the data directory only after a directory.db."""

SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
)


def prepare_directory(path: Path) -> None:
    """Make the file for the server's user alone, and bring its tables to head; DatabaseProblem.

    It is made where nothing beside it says that there was one. By the wiring, before any actor runs:
    Alembic keeps its context in module globals.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            _require_new(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with open_directory(path) as connection, connection.begin():
            _require_sound(path, connection)
            _upgrade(connection)
    except (*ERRORS, CommandError) as error:
        raise _problem(path, error) from error


def _require_new(path: Path) -> None:
    """An empty directory in place of one that was lost would refuse every token, and take on new tenants."""
    data = path.parent
    traces = [
        f"{place}/ has {count} {what}"
        for place, pattern, what in TRACES
        if (count := sum(1 for each in (data / place).glob(pattern) if each.stat().st_size))
    ]
    if traces:
        raise DatabaseProblem(
            f"{' and '.join(traces)}, and {path}, which lists the tenants, is missing or empty: restore it "
            f"from a backup; to begin anew, move {data} elsewhere"
        )


def _require_sound(path: Path, connection: Connection) -> None:
    """All of it is looked through: damage that a question meets later would stop the server then."""
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_schema").first() is None:
        _require_new(path)
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise DatabaseProblem(_refusal(path, str(found).splitlines()[-1], DAMAGED))


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = "alembic_version"
    command.upgrade(config, "head")


def _problem(path: Path, error: Exception) -> DatabaseProblem:
    return DatabaseProblem(_refusal(path, said(error), _advice(error)))


def _refusal(path: Path, cause: str, advice: str) -> str:
    return f"{path}, which lists the tenants, cannot be used ({cause}): {advice}"


def _advice(error: Exception) -> str:
    if isinstance(error, CommandError):  # a revision that no migration here makes
        return "it was used by newer code; run that, or restore an older backup"
    if is_passing(error):
        return "the disk is full, away or failing; it is used again when that is over"
    if isinstance(error, OSError):
        return "look at the rights and the kind of the file, and of its directory"
    return ADVICE.get(result_code(error), DAMAGED)


def holds_sealed(path: Path) -> bool:
    """Whether anything in the file is encrypted; by the wiring, after prepare_directory."""
    query = select(connector_settings.c.revision).where(connector_settings.c.settings.is_not(None))
    with open_directory(path) as connection, connection.begin():
        return connection.execute(query.limit(1)).first() is not None


def open_directory(path: Path, *, mode: str = "rwc") -> Connection:
    """The one connection to directory.db, settled; every use is in a `with connection.begin()`.

    With mode `rw` it is not made where it is missing. OSError, sqlite3.Error or SQLAlchemyError where it
    cannot be opened or settled.
    """
    engine = create_engine(
        "sqlite://", creator=lambda: _connect(path, mode), poolclass=NullPool, hide_parameters=True
    )
    # The driver left to itself begins with the first change, and not for DDL at all.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine.connect()


def settle(connection: Connection, path: Path) -> None:
    """Put all that was committed into the file, synced: what is read from then on is on disk.

    A commit whose sync failed, here or in a process that was killed, may show in the -wal as long as the
    kernel remembers it, and no later sync of the -wal says anything about it. OSError or sqlite3.Error where
    it cannot be done; between two transactions.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    _settle(driver, path)


def _settle(driver: sqlite3.Connection, path: Path) -> None:
    busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("another process reads or writes the database")
    sync(wal_of(path))


def wal_of(path: Path) -> Path:
    """The -wal beside the file."""
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
        _settle(driver, path)
    except BaseException:
        driver.close()
        raise
    return driver
