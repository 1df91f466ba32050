"""The tables: made, unmade, and the same as the functions see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from actors.tenant.functions.tables import metadata
from tests.actors.tenant.functions.desk import Desk, engine_of, migrate

OBJECTS = "SELECT type, name FROM sqlite_schema WHERE tbl_name <> 'migrations' ORDER BY name"


def _ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Leave out what Alembic and FTS5 keep for themselves."""
    return kind != "table" or not str(name).startswith(("contacts_fts", "migrations"))


def test_the_functions_see_the_tables_that_the_migrations_make(desk: Desk) -> None:
    """Columns, types, keys and indexes."""
    context = MigrationContext.configure(desk.connection, opts={"include_object": _ours})

    assert compare_metadata(context, metadata) == []


def test_migrations_go_up_and_down_and_up_again(tmp_path: Path) -> None:
    """And leave nothing behind on the way down."""
    with engine_of(tmp_path / "tenant.db").begin() as connection:
        migrate(connection)
        up = connection.exec_driver_sql(OBJECTS).all()
        migrate(connection, "base")
        assert connection.exec_driver_sql(OBJECTS).all() == []
        migrate(connection)
        assert connection.exec_driver_sql(OBJECTS).all() == up


def test_migrations_run_within_the_callers_transaction(tmp_path: Path) -> None:
    """A failure after them takes them back: the status and the tables move together."""
    with engine_of(tmp_path / "tenant.db").connect() as connection:
        with connection.begin() as transaction:
            migrate(connection)
            transaction.rollback()
        assert connection.exec_driver_sql("SELECT * FROM sqlite_schema").all() == []


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
    with pytest.raises(IntegrityError):
        desk.connection.exec_driver_sql(statement)


def test_the_search_index_is_checked_for_real(desk: Desk) -> None:
    """The check that other tests rely on does notice a difference."""
    desk("contacts.add", name="Ada Lovelace")
    desk.check_search_index()
    desk.connection.exec_driver_sql("UPDATE contacts SET name = 'Augusta King'")
    with pytest.raises(Exception, match="malformed"):
        desk.check_search_index()
