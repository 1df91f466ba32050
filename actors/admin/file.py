"""directory.db as a file: made, brought to head, opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, event, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from actors.admin.tables import connector_settings
from actors.errors import DatabaseProblem

MIGRATIONS = Path(__file__).with_name("migrations")

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

    By the wiring, before any actor runs: Alembic keeps its context in module globals.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with open_directory(path) as connection, connection.begin():
            config.attributes["connection"] = connection
            config.attributes["version_table"] = "alembic_version"
            command.upgrade(config, "head")
    except (OSError, SQLAlchemyError, CommandError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseProblem(
            f"{path}, which lists the tenants, cannot be used ({cause}): it is damaged, of newer code, or "
            "not to be written; restore it from a backup"
        ) from error


def holds_sealed(path: Path) -> bool:
    """Whether anything in the file is encrypted; by the wiring, after prepare_directory."""
    query = select(connector_settings.c.revision).where(connector_settings.c.settings.is_not(None))
    with open_directory(path) as connection, connection.begin():
        return connection.execute(query.limit(1)).first() is not None


def open_directory(path: Path) -> Connection:
    """The one connection to directory.db; every use is in a `with connection.begin()`."""

    def connect() -> sqlite3.Connection:
        driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for setting in SETTINGS:
            driver.execute(setting)
        return driver

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    # The driver left to itself begins with the first change, and not for DDL at all.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine.connect()
