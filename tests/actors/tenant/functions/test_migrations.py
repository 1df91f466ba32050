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
from sqlalchemy import (
    Connection,
    MetaData,
    NullPool,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
)

from actors.tenant.functions.tables import metadata
from tests.actors.tenant.functions.desk import INDEX, Desk

OBJECTS = """SELECT type, name FROM sqlite_schema
    WHERE tbl_name NOT IN ('noted', 'sqlite_sequence') ORDER BY name"""
"""Alembic's notes and SQLite's own counters are left out: neither can be dropped."""

INDEXES = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql > ''"

FILLED = """
INSERT INTO contacts VALUES (3, 'Ada Lovelace', 'ada@analytical.example', NULL, NULL, 't', 't');
INSERT INTO contacts VALUES (9, 'José Núñez', NULL, '+34', 'Faro Ediciones', 't', 'u');
INSERT INTO contacts VALUES (11, 'Łukasz Wójcik', NULL, NULL, NULL, 't', 't');
INSERT INTO contacts_fts (rowid, name, email, company) SELECT id, name, email, company FROM contacts;
INSERT INTO notes VALUES (5, 9, 'calls in the morning', 'p_1', 't');
INSERT INTO tickets VALUES (2, 3, 'Leak', 'It leaks', 'pending', 'p_1', 't', 'u');
INSERT INTO ticket_replies VALUES (7, 2, 'desk', 'p_1', 'We come', 't', 'sent', 'k-1');
INSERT INTO ticket_events VALUES (4, 2, 'reply', 'open', 'pending', NULL, 'p_1', 't');
INSERT INTO ticket_attachments VALUES (6, 2, 'a.png', 'image/png', 12, 'o/1', 'p_1', 't');
"""
"""A desk in use: one row at least in each table, none with the number that comes by itself."""


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


def contents(connection: Connection) -> dict[str, list[Any]]:
    """Every index and every row of the desk, whatever its tables' columns are."""
    there = MetaData()
    there.reflect(connection, only=list(metadata.tables))
    rows = {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(table.c.id))]
        for table in there.sorted_tables
    }
    return rows | {"indexes": sorted(map(tuple, connection.exec_driver_sql(INDEXES)))}


def fill(connection: Connection) -> None:
    """Put the rows into a file at revision 0004, before ids counted on."""
    command.upgrade(config(connection), "0004")
    for statement in filter(str.strip, FILLED.split(";")):
        connection.exec_driver_sql(statement)


def check(connection: Connection) -> None:
    """Raise where a row refers to none, or where the full-text index and its contacts disagree."""
    assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    connection.exec_driver_sql(
        "INSERT INTO contacts_fts(contacts_fts, rank) VALUES ('integrity-check', 1)"
    )


def test_ids_that_count_on_come_into_a_desk_in_use(tmp_path: Path) -> None:
    """Rows, ids, indexes, rules and the full-text index stay as they were, also on the way back."""
    with connected(tmp_path / "tenant.db") as connection:
        fill(connection)
        before = contents(connection)
        for go, goal in (
            (command.upgrade, "0005"),
            (command.downgrade, "0004"),
            (command.upgrade, "0005"),
        ):
            go(config(connection), goal)
            assert contents(connection) == before
            check(connection)


def test_the_contacts_of_a_desk_in_use_are_found_by_plain_letters(tmp_path: Path) -> None:
    """Also those that were there before the search took letters for one another."""
    find = "SELECT rowid FROM contacts_fts WHERE contacts_fts MATCH 'jose'"
    stroke = "SELECT rowid FROM contacts_fts WHERE contacts_fts MATCH 'lukasz'"
    with connected(tmp_path / "tenant.db") as connection:
        fill(connection)
        before = contents(connection)
        command.upgrade(config(connection), "0006")
        check(connection)
        assert connection.exec_driver_sql(stroke).all() == [(11,)]
        assert connection.exec_driver_sql(find).all() == [(9,)]
        command.downgrade(config(connection), "0004")
        check(connection)
        assert contents(connection) == before
        assert connection.exec_driver_sql(stroke).all() == []
        assert connection.exec_driver_sql(find).all() == [(9,)]


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_the_id_of_a_removed_row_is_given_to_no_other(tmp_path: Path, table: Table) -> None:
    """In any table of the desk, also for rows that were there before ids counted on."""
    with connected(tmp_path / "tenant.db") as connection:
        fill(connection)
        command.upgrade(config(connection), "head")
        row = connection.execute(select(table).order_by(table.c.id.desc())).first()
        assert row is not None
        connection.execute(delete(table).where(table.c.id == row.id))
        values = {name: value for name, value in row._mapping.items() if name != "id"}

        assert connection.execute(insert(table).values(values)).inserted_primary_key == (
            row.id + 1,
        )


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
    with pytest.raises(AssertionError, match="not those of Augusta King"):
        desk.check_search_index()
    desk.rows("UPDATE contacts SET name = 'Ada Lovelace', words = 'augusta king'")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        desk.check_search_index()
