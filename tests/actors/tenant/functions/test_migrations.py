"""The tables: made, unmade, and the same as the functions see them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, NullPool, create_engine, event

from actors.tenant.functions.tables import metadata
from tests.actors.tenant.functions.desk import INDEX, Desk

OBJECTS = "SELECT type, name FROM sqlite_schema WHERE tbl_name <> 'noted' ORDER BY name"


@contextmanager
def connected(file: Path) -> Iterator[Connection]:
    """A connection in a transaction that nothing but its end commits."""
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _prepare(driver: sqlite3.Connection, _: Any) -> None:
        driver.isolation_level = None

    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        yield connection
        connection.exec_driver_sql("COMMIT")


def config(connection: Connection) -> Config:
    """What the engine hands to Alembic."""
    made = Config()
    made.set_main_option("script_location", str(INDEX.storage.migrations))
    made.attributes.update(connection=connection, version_table="noted")
    return made


def _ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Leave out what Alembic, FTS5 and the engine keep for themselves."""
    others = ("contacts_fts", "alembic", "tenantry")
    return kind != "table" or not str(name).startswith(others)


def test_the_functions_see_the_tables_that_the_migrations_make(empty_file: Path) -> None:
    """Columns, types, keys and indexes."""
    with connected(empty_file) as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _ours})

        assert compare_metadata(context, metadata) == []


def test_migrations_go_up_and_down_and_up_again(tmp_path: Path) -> None:
    """And leave nothing behind on the way down."""
    with connected(tmp_path / "tenant.db") as connection:
        command.upgrade(config(connection), "head")
        up = connection.exec_driver_sql(OBJECTS).all()
        command.downgrade(config(connection), "base")
        assert connection.exec_driver_sql(OBJECTS).all() == []
        command.upgrade(config(connection), "head")
        assert connection.exec_driver_sql(OBJECTS).all() == up


def test_migrations_run_within_the_callers_transaction(tmp_path: Path) -> None:
    """What the caller takes back is gone: the status and the tables move together."""
    with connected(tmp_path / "tenant.db") as connection:
        command.upgrade(config(connection), "head")
        connection.exec_driver_sql("ROLLBACK")
        assert connection.exec_driver_sql("SELECT * FROM sqlite_schema").all() == []
        connection.exec_driver_sql("BEGIN")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO notes (contact_id, body, author, created_at) VALUES (9, 'b', 'a', 't')",
        "UPDATE tickets SET state = 'lost'",
        "DELETE FROM contacts",
        "INSERT INTO ticket_replies (ticket_id, author, sent_by, body, created_at) "
        "VALUES (1, 'nobody', 's', 'b', 't')",
    ],
)
def test_the_tables_themselves_refuse_what_no_function_does(desk: Desk, statement: str) -> None:
    """Orphans, unknown states, contacts taken from under their tickets."""
    desk("contacts.add", name="Ada Lovelace")
    desk("tickets.open", contact_id=1, subject="s", body="b")
    with pytest.raises(sqlite3.IntegrityError):
        desk.rows(statement)


def test_the_search_index_is_checked_for_real(desk: Desk) -> None:
    """The check that other tests rely on does notice a difference."""
    desk("contacts.add", name="Ada Lovelace")
    desk.check_search_index()
    desk.rows("UPDATE contacts SET name = 'Augusta King'")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        desk.check_search_index()
