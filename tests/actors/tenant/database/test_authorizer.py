"""What SQLite itself denies a function, whatever the checks before it let through."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import (
    Executable,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError

from actors.errors import StatementRefused
from actors.tenant.database.database import TenantDatabase
from tests.actors.tenant.database import test_authorizer
from tests.actors.tenant.library_application import (
    Library,
    books,
    function_scope,
    history,
    readers,
    shelves,
    titles,
)

Execute = Callable[..., sqlite3.Cursor]


@pytest.fixture
def stocked(library: Library) -> TenantDatabase:
    database = library.open(library.create(), test_authorizer)
    database.begin()
    database.replies.store("t_1", "a", b"d", b"r", 0)
    with function_scope(database) as db:
        db.run(insert(shelves), {"id": 1, "name": "fiction"})
        db.run(insert(books), [{"title": "Ada", "shelf_id": 1}, {"title": "Bob", "shelf_id": 1}])
    return database


@pytest.fixture
def execute(stocked: TenantDatabase) -> Iterator[Execute]:
    """The driver itself, as if every check of statements had been passed."""
    with function_scope(stocked):
        yield stocked._driver.execute


DENIALS = "not authorized|prohibited|may not be modified|no such function|cannot VACUUM from within"
"""Where SQLite says no by itself, it does so before it asks the authorizer."""

DENIED = [
    "ATTACH DATABASE ':memory:' AS other",
    "DETACH DATABASE main",
    "PRAGMA writable_schema=ON",
    "PRAGMA writable_schema",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=OFF",
    "PRAGMA foreign_keys=OFF",
    "PRAGMA user_version=1",
    "PRAGMA max_page_count=1000000",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA data_version=1",
    "PRAGMA table_info(books)",
    "SELECT * FROM pragma_table_info('books')",
    "SELECT count(*) FROM pragma_table_list",
    "SELECT sql FROM sqlite_master",
    "SELECT count(*) FROM sqlite_master",
    "SELECT count(*) FROM SQLITE_SCHEMA",
    "SELECT seq FROM sqlite_sequence",
    "SELECT name FROM dbstat",
    "SELECT count(*) FROM DbStat",
    "SELECT sql FROM sqlite_stmt",
    "UPDATE sqlite_master SET sql = ''",
    "INSERT INTO sqlite_master VALUES ('table', 'a', 'a', 1, 'x')",
    "DELETE FROM sqlite_master",
    "CREATE TABLE t (a)",
    "CREATE TEMP TABLE t (a)",
    "CREATE TABLE t AS SELECT 1",
    "CREATE INDEX i ON books (title)",
    "CREATE TRIGGER t AFTER INSERT ON books BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER t AFTER INSERT ON books BEGIN SELECT 1; END",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE VIRTUAL TABLE v USING fts5(a)",
    "CREATE VIRTUAL TABLE temp.v USING fts5vocab('titles', 'row')",
    "ALTER TABLE books RENAME TO stolen",
    "ALTER TABLE books ADD COLUMN extra",
    "DROP TABLE books",
    "DROP TABLE titles",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "ANALYZE",
    "REINDEX",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT mine",
    "RELEASE message",
    "ROLLBACK TO message",
    "SELECT load_extension('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT writefile('x', 'y')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x')",
    "SELECT regexp('a', 'a')",
    "SELECT randomblob(10)",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT sqlite_log(1, 'x')",
    "SELECT id FROM tenantry_tenant",
    "SELECT count(*) FROM tenantry_tenant",
    "SELECT reply FROM tenantry_replies",
    "SELECT 1 FROM TENANTRY_REPLIES",
    'SELECT 1 FROM main."tenantry_replies"',
    "SELECT (SELECT count(*) FROM tenantry_replies)",
    "SELECT title FROM books WHERE EXISTS (SELECT 1 FROM tenantry_dead_letters)",
    "INSERT INTO tenantry_replies(caller, id, digest, reply, at) VALUES (1, 1, 1, 1, 1)",
    "UPDATE tenantry_tenant SET id = 'another'",
    "UPDATE Tenantry_Tenant SET id = 'another'",
    "DELETE FROM tenantry_replies",
    "INSERT INTO history SELECT reply FROM tenantry_replies",
    "SELECT version_num FROM alembic_version",
    "DELETE FROM tenantry_alembic",
]


@pytest.mark.parametrize("sql", DENIED)
def test_a_function_is_denied(stocked: TenantDatabase, execute: Execute, sql: str) -> None:
    before = stocked.changes
    for _ in range(2):
        with pytest.raises(sqlite3.Error, match=DENIALS):
            execute(sql).fetchall()
    assert stocked.in_transaction
    assert stocked.changes == before


ALLOWED = [
    "SELECT id, title FROM books WHERE title LIKE 'A%'",
    "SELECT count(*) FROM books",
    "SELECT count(*) FROM (SELECT 1)",
    "WITH t AS (SELECT 1) SELECT count(*) FROM t",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
    "SELECT name FROM reader_names",
    "SELECT count(*) FROM reader_names",
    "SELECT value FROM json_each('[1, 2]')",
    "SELECT count(*) FROM json_each('[1, 2]')",
    "SELECT '[1]' ->> 0, json_group_array(id) FROM books WHERE json_valid('{}')",
    "SELECT row_number() OVER (ORDER BY id), lag(id) OVER (ORDER BY id) FROM books",
    "SELECT upper(title), coalesce(price, 0), strftime('%Y', 'now'), round(1.5), sqrt(2) FROM books",
    "SELECT id FROM books WHERE title GLOB 'A*' UNION SELECT id FROM shelves",
    "INSERT INTO readers(name) VALUES ('Cleo') RETURNING id",
    "INSERT INTO shelves(id, name) VALUES (1, 'x') ON CONFLICT(id) DO UPDATE SET name = excluded.name",
    "REPLACE INTO shelves(id, name) VALUES (1, 'x')",
    "UPDATE books SET lent = 1 WHERE id IN (SELECT id FROM books)",
    "DELETE FROM shelves",
    "REPLACE INTO titles(rowid, title) VALUES (1, 'words to find')",
    "SELECT rowid, bm25(titles), highlight(titles, 0, '[', ']'), snippet(titles, 0, '', '', '…', 5) "
    "FROM titles WHERE titles MATCH 'words' ORDER BY rank",
    "DELETE FROM titles WHERE rowid = 1",
]  # fmt: skip


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_function_is_allowed(execute: Execute, sql: str) -> None:
    for _ in range(2):
        execute(sql).fetchall()


@pytest.mark.parametrize("sql", ALLOWED)
def test_it_is_allowed_as_the_first_statement_of_a_connection_too(
    library: Library, sql: str
) -> None:
    """A full-text index is connected at its first use, and SQLite asks the authorizer about that."""
    database = library.open(library.create())
    database.begin()
    with function_scope(database):
        database._driver.execute(sql).fetchall()


def test_triggers_cascades_and_full_text_run_as_parts_of_a_statement(
    stocked: TenantDatabase,
) -> None:
    with function_scope(stocked) as db:
        assert db.scalar(select(func.count()).select_from(history)) == 2
        db.run(insert(titles).values(title=bindparam("t")), {"t": "Ada"})
        assert db.all(select(titles.c.rowid).where(titles.c.titles.match("ada")))
        db.run(delete(shelves))
        assert db.scalar(select(func.count()).select_from(books)) == 0


STOLEN: Executable = select(literal_column("reply")).select_from(table("tenantry_replies"))
ATTACHED = select(func.load_extension("x"))
SCHEMA = text("SELECT sql FROM sqlite_master")
REGEXP = select(books.c.id).where(books.c.title.regexp_match("(a+)+$"))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (STOLEN, "reading tenantry_replies is not open to functions"),
        (ATTACHED, r"load_extension\(\) is not open to functions"),
        (SCHEMA, "reading sqlite_master is not open to functions"),
        (REGEXP, r"no such function: REGEXP|regexp\(\) is not open"),
        (delete(table("tenantry_tenant")), "deleting from tenantry_tenant is not open to functions"),
        (insert(table("alembic_version")), "inserting into alembic_version is not open to functions"),
    ],
)  # fmt: skip
def test_the_refusal_says_what_was_denied(
    stocked: TenantDatabase, statement: Any, said: str
) -> None:
    with function_scope(stocked) as db:
        for _ in range(3):
            with pytest.raises((StatementRefused, DBAPIError), match=said):
                db.run(statement) if statement.is_dml else db.all(statement)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT replace(hex(zeroblob(1900000)), '0', 'xx')", "too big"),
        ("SELECT '" + "x" * 100_000 + "'", "too big|too large"),
        ("SELECT " + ", ".join("1" for _ in range(201)), "too many columns"),
        ("SELECT " + "(" * 101 + "1" + ")" * 101 + " + 1" * 101, "too large|overflow|depth"),
        (" UNION ALL ".join("SELECT 1" for _ in range(11)), "too many terms"),
        ("SELECT max(" + ", ".join("1" for _ in range(17)) + ")", "too many arguments"),
        ("SELECT 'x' LIKE '" + "%" * 1_001 + "'", "too complex"),
        ("SELECT ?1001", r"variable number must be between \?1 and \?1000"),
    ],
)
def test_each_limit_refuses_what_is_beyond_it(execute: Execute, sql: str, said: str) -> None:
    with pytest.raises((sqlite3.Error, sqlite3.Warning), match=said):
        execute(sql).fetchall()


def test_no_database_can_be_attached_even_without_the_authorizer(stocked: TenantDatabase) -> None:
    stocked.rollback()
    stocked._driver.set_authorizer(None)
    with pytest.raises(sqlite3.OperationalError, match="too many attached databases - max 0"):
        stocked._driver.execute("ATTACH DATABASE ':memory:' AS other")


def test_triggers_do_not_nest_beyond_five(library: Library) -> None:
    database = library.open(library.create())
    driver = database._driver
    driver.set_authorizer(None)
    driver.execute("PRAGMA recursive_triggers=ON")
    driver.execute(
        "CREATE TRIGGER again AFTER INSERT ON readers WHEN new.id < 7 "
        "BEGIN INSERT INTO readers(id, name) VALUES (new.id + 1, 'x'); END"
    )
    with pytest.raises(sqlite3.OperationalError, match="too many levels of trigger recursion"):
        driver.execute("INSERT INTO readers(id, name) VALUES (1, 'x')")


def test_a_trigger_cannot_write_a_full_text_index(library: Library) -> None:
    """With trusted_schema=OFF, SQLite 3.40 takes FTS5 for unsafe there: functions keep an index in step."""
    tenant_id = library.create()
    with closing(sqlite3.connect(library.path(tenant_id))) as connection:
        connection.execute(
            "CREATE TRIGGER index_it AFTER INSERT ON readers "
            "BEGIN INSERT INTO titles(title) VALUES (new.name); END"
        )
    database = library.open(tenant_id)
    database.begin()
    with (
        function_scope(database) as db,
        pytest.raises(DBAPIError, match="unsafe use of virtual table"),
    ):
        db.run(insert(readers), {"name": "Cleo"})


def test_the_engine_itself_may_do_no_more_than_it_needs(stocked: TenantDatabase) -> None:
    for sql in ("ATTACH ':memory:' AS x", "DROP TABLE books", "PRAGMA synchronous=OFF",
                "SELECT load_extension('x')", "CREATE TABLE t (a)"):  # fmt: skip
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            stocked._driver.execute(sql)


def test_many_rows_returning_fit_into_the_limit_of_variables(stocked: TenantDatabase) -> None:
    statement = insert(readers).returning(readers.c.id)
    with function_scope(stocked) as db:
        assert db.run(statement, [{"id": n, "name": str(n)} for n in range(1, 3_001)]) == 3_000
