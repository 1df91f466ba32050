"""ctx.db gives the same rows, counts and errors by either way, and nothing but the tenant's own tables."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from weakref import ref

import pytest
from sqlalchemy import (
    Column,
    Executable,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.schema import CreateTable, DropTable

from actors.errors import StatementRefused
from actors.tenant.database.connection import SharedEngine
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.dialect import GUARD, TenantDialect
from actors.tenant.database.plans import make_plan
from actors.tenant.database.statements import FunctionDatabase
from tests.actors.tenant.database import test_statements
from tests.actors.tenant.library_application import (
    Library,
    books,
    function_scope,
    readers,
    shelves,
    titles,
)

DAY = datetime(2026, 2, 11, 9, 30, 0, 125_000)
BOOKS: list[dict[str, Any]] = [
    {"id": 1, "shelf_id": 1, "title": "Ada", "price": Decimal("9.50"), "bought": DAY, "lent": True,
     "notes": {"tags": ["a", "ß"]}, "cover": b"\x00\xff"},
    {"id": 2, "shelf_id": 1, "title": "Bob's; DROP TABLE books--", "price": None, "bought": None,
     "lent": False, "notes": None, "cover": None},
    {"id": 3, "shelf_id": 2, "title": "Çelik %s ?", "price": Decimal("0.01"), "bought": DAY, "lent": None,
     "notes": [1, 2.5, None], "cover": b""},
]  # fmt: skip

with_default = Table(
    "readers",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Text, default="nobody", onupdate="renamed"),
)
b = books.c
TOP = select(b.id, b.title).where(b.id <= bindparam("top")).cte("top")

READS: list[tuple[str, Executable, Mapping[str, Any], bool]] = [
    ("by key", select(books).where(b.id == bindparam("book_id")), {"book_id": 1}, True),
    ("nothing found", select(books).where(b.id == bindparam("book_id")), {"book_id": 99}, True),
    ("all, every type", select(books).order_by(b.id), {}, True),
    ("one column with a type", select(b.bought).order_by(b.id), {}, True),
    ("a value in the statement", select(b.title).where(b.lent == False), {}, True),  # noqa: E712
    ("a value and a bind", select(b.id).where(b.id > 1, b.title != bindparam("t")), {"t": "Ada"}, True),
    ("a bind used twice", select(b.id).where((b.id == bindparam("n")) | (b.shelf_id == bindparam("n"))),
     {"n": 2}, True),
    ("a bind with a type", select(b.id).where(b.bought == bindparam("day", type_=b.bought.type)),
     {"day": DAY}, True),
    ("a bind with a default", select(b.id).where(b.id == bindparam("n", 3)), {}, True),
    ("a default overridden", select(b.id).where(b.id == bindparam("n", 3)), {"n": 1}, True),
    ("an aggregate", select(func.count(), func.max(b.price)), {}, True),
    ("labels", select(b.id.label("count"), b.title.label("a title"), b.lent.label("class")), {}, True),
    ("two tables", select(b.id, shelves.c.id, shelves.c.name).join_from(books, shelves)
     .order_by(b.id), {}, True),
    ("with", select(func.count()).select_from(TOP), {"top": 2}, True),
    ("union", union_all(select(b.id), select(shelves.c.id)).order_by("id"), {}, True),
    ("case", select(case((b.lent.is_(None), "?"), else_="known").label("how")).order_by(b.id), {}, True),
    ("exists", select(shelves.c.name).where(exists().where(b.shelf_id == shelves.c.id)), {}, True),
    ("contains", select(b.id).where(b.title.contains(bindparam("part"))), {"part": "da"}, True),
    ("limit", select(b.id).order_by(b.id.desc()).limit(bindparam("most")), {"most": 2}, True),
    ("full text", select(titles.c.rowid).where(titles.c.titles.match(bindparam("q"))), {"q": "bob*"}, True),
    ("json", select(b.id, b.notes["tags"][0].label("tag")).where(b.id == 1), {}, True),
    ("a window", select(b.id, func.row_number().over(order_by=b.title).label("place")), {}, True),
    ("in a list", select(b.id).where(b.id.in_(bindparam("ids", expanding=True))), {"ids": [1, 3]}, False),
    ("in a constant list", select(b.id).where(b.id.in_([1, 2])), {}, False),
    ("text", text("SELECT id, title FROM books ORDER BY id"), {}, False),
    ("text with columns", text("SELECT bought, id FROM books WHERE id = :n").columns(b.bought, b.id),
     {"n": 1}, True),
    ("odd names", text("SELECT count(*), max(id) AS _id FROM books"), {}, False),
    ("more binds than asked for", select(b.id).where(b.id == bindparam("n")), {"n": 1, "m": 2}, False),
]  # fmt: skip

WRITES: list[tuple[str, Executable, Any, int, bool]] = [
    ("insert", insert(shelves), {"name": "new"}, 1, True),
    ("insert with values", insert(shelves).values(name=bindparam("n")), {"n": "new"}, 1, True),
    ("insert typed", insert(books), {**BOOKS[0], "id": 9}, 1, True),
    ("insert with a server's default", insert(books), {"title": "x"}, 1, True),
    ("insert with Python's default", insert(with_default), {}, 1, False),
    ("update with Python's default", update(with_default).where(with_default.c.id == 1), {"id": 2}, 1, False),
    ("insert many", insert(shelves), [{"name": f"n{i}"} for i in range(1_500)], 1_500, True),
    ("insert many typed", insert(books), [{**book, "id": book["id"] + 50} for book in BOOKS], 3, True),
    ("insert a list of one", insert(shelves), [{"name": "one"}], 1, True),
    ("insert nothing", insert(shelves), [], 0, False),
    ("insert returning", insert(shelves).returning(shelves.c.id), {"name": "new"}, 1, True),
    ("insert many returning", insert(shelves).returning(shelves.c.id),
     [{"name": f"n{i}"} for i in range(1_500)], 1_500, False),
    ("insert from select", insert(readers).from_select(["name"], select(b.title)), {}, 3, True),
    ("upsert", upsert(shelves).values(id=1, name=bindparam("n")).on_conflict_do_update(
        index_elements=["id"], set_={"name": bindparam("n")}), {"n": "again"}, 1, True),
    ("upsert nothing", upsert(shelves).on_conflict_do_nothing(), {"name": "fiction"}, 0, True),
    ("update", update(books).where(b.id == bindparam("n")).values(lent=True), {"n": 2}, 1, True),
    ("update none", update(books).where(b.id == bindparam("n")).values(lent=True), {"n": 99}, 0, True),
    ("update by a key's name", update(books).where(b.id == 1), {"title": "Adele"}, 1, True),
    ("update returning", update(books).values(lent=True).returning(b.id), {}, 3, True),
    ("update with", update(books).where(b.id.in_(select(TOP.c.id))).values(lent=True), {"top": 2}, 2, True),
    ("update many", update(books).where(b.id == bindparam("n")).values(title=bindparam("t")),
     [{"n": 1, "t": "A"}, {"n": 3, "t": "C"}, {"n": 99, "t": "?"}], 2, True),
    ("delete and its children", delete(shelves).where(shelves.c.id == bindparam("n")), {"n": 1}, 1, True),
    ("delete returning", delete(books).returning(b.title), {}, 3, True),
    ("text", text("UPDATE books SET lent = 1 WHERE id > :n"), {"n": 1}, 2, False),
    ("text with", text("WITH n AS (SELECT 1 AS i) UPDATE books SET lent = 1 WHERE id IN (SELECT i FROM n)"),
     {}, 1, False),
]  # fmt: skip


CHANGING: list[Executable] = [
    insert(shelves).values(name="x"),
    update(books).values(lent=True),
    delete(books),
    insert(shelves).values(name="x").returning(shelves.c.id),
    text("DELETE FROM books"),
    text("REPLACE INTO shelves(id, name) VALUES (1, 'x')"),
]

REFUSED: list[tuple[Any, str]] = [
    ("SELECT 1", "plain str"),
    (CreateTable(books), "migrations"),
    (DropTable(books), "migrations"),
    (func.now(), "select"),
    (books, "select"),
    (lambda_stmt(lambda: select(books)), "select"),
    (None, "select"),
    (text("COMMIT"), "raise an ActionError"),
    (text("ROLLBACK"), "raise an ActionError"),
    (text("BEGIN"), "raise an ActionError"),
    (text("END TRANSACTION"), "raise an ActionError"),
    (text("SAVEPOINT mine"), "raise an ActionError"),
    (text("RELEASE message"), "raise an ActionError"),
    (text("ROLLBACK TO message"), "raise an ActionError"),
    (text("  commit  "), "raise an ActionError"),
    (text("ATTACH DATABASE 'x' AS y"), "its tenant's"),
    (text("DETACH DATABASE main"), "its tenant's"),
    (text("PRAGMA writable_schema=ON"), "the engine"),
    (text("VACUUM"), "maintenance"),
    (text("REINDEX"), "maintenance"),
    (text("ANALYZE"), "maintenance"),
    (text("CREATE TABLE t (a)"), "migrations"),
    (text("DROP TABLE books"), "migrations"),
    (text("ALTER TABLE books ADD COLUMN a"), "migrations"),
    (text("EXPLAIN SELECT 1"), "console"),
    (text(""), "empty"),
    (text("/* a comment */ COMMIT"), "begins with"),
    (text("SELECT 1 AS a; DROP TABLE books"), "more than one"),
    (text("SELECT 1 AS a; COMMIT"), "more than one"),
    (insert(shelves).prefix_with("OR ROLLBACK").values(name="x"), "OR ROLLBACK"),
    (text("INSERT or   rollback INTO shelves(name) VALUES ('x')"), "OR ROLLBACK"),
]  # fmt: skip


@pytest.fixture
def stocked(library: Library) -> TenantDatabase:
    """An open tenant with two shelves and three books, in a turn."""
    database = library.open(library.create(), test_statements)
    database.begin()
    with function_scope(database) as db:
        db.run(insert(shelves), [{"id": 1, "name": "fiction"}, {"id": 2, "name": "science"}])
        for book in BOOKS:
            db.run(insert(books), book)
        db.run(insert(readers), {"id": 1, "name": "Ada"})
        for book in BOOKS:
            db.run(insert(titles).values(rowid=bindparam("n"), title=bindparam("t")),
                   {"n": book["id"], "t": book["title"]})  # fmt: skip
    return database


@pytest.fixture
def db(stocked: TenantDatabase) -> Iterator[FunctionDatabase]:
    """What a function gets."""
    with function_scope(stocked) as lent:
        yield lent


def ids(cases: Sequence[tuple[Any, ...]]) -> list[str]:
    return [case[0] for case in cases]


def dump(db: FunctionDatabase) -> list[Any]:
    return [db.all(select(table)) for table in (shelves, books, readers)]


# ---------------------------------------------------------------- the same by either way


@pytest.mark.parametrize(("_name", "statement", "binds", "planned"), READS, ids=ids(READS))
def test_a_read_gives_the_same_by_either_way(
    db: FunctionDatabase,
    shared: SharedEngine,
    _name: str,
    statement: Executable,
    binds: Mapping[str, Any],
    planned: bool,
) -> None:
    shared.plans.forget(statement)
    ways: list[tuple[Any, ...]] = [
        (db.all(statement, binds), db.first(statement, binds), db.scalar(statement, binds))
    ]
    assert (shared.plans.find(statement, binds) is not None) is planned
    ways += [(db.all(statement, binds), db.first(statement, binds), db.scalar(statement, binds))]
    shared.plans.forget(statement)
    ways += [(db.all(statement, binds),)]
    assert repr(ways[0]) == repr(ways[1])
    assert [row._asdict() for row in ways[0][0]] == [row._asdict() for row in ways[1][0]]
    assert ways[0][0] == ways[2][0]


def test_the_rows_are_those_of_sqlalchemy(stocked: TenantDatabase, db: FunctionDatabase) -> None:
    connection = stocked._connection
    for _name, statement, binds, _ in READS:
        for _ in range(3):
            theirs = connection.execute(statement, dict(binds)).fetchall()
            mine: Sequence[Any] = db.all(statement, binds)
            assert mine == [tuple(row) for row in theirs]
            assert [row._asdict() for row in mine] == [row._asdict() for row in theirs]


@pytest.mark.parametrize(
    ("_name", "statement", "binds", "count", "planned"), WRITES, ids=ids(WRITES)
)
def test_a_write_does_and_counts_the_same_by_either_way(
    stocked: TenantDatabase,
    shared: SharedEngine,
    _name: str,
    statement: Executable,
    binds: Any,
    count: int,
    planned: bool,
) -> None:
    shared.plans.forget(statement)
    outcomes = []
    for _ in range(3):
        stocked.begin_savepoint()
        with function_scope(stocked) as db:
            changed = db.run(statement, binds)
            outcomes.append((changed, dump(db)))
        stocked.rollback_to()
    assert outcomes[0][0] == count
    assert outcomes[0] == outcomes[1] == outcomes[2]
    one = binds[0] if isinstance(binds, list) and binds else binds
    plan = shared.plans.find(statement, one) if one or one == {} else None
    takes_it = plan is not None and not (isinstance(binds, list) and plan.returns_rows)
    assert takes_it is planned


def test_values_that_come_back_are_those_that_went_in(db: FunctionDatabase) -> None:
    statement = select(books).order_by(b.id)
    for _ in range(3):
        rows = db.all(statement)
        assert [row._asdict() for row in rows] == [{**book, "source": "bought"} for book in BOOKS]


def test_returning_gives_the_new_rows_key(db: FunctionDatabase) -> None:
    statement = insert(shelves).values(name=bindparam("n")).returning(shelves.c.id)
    assert [db.scalar(statement, {"n": str(n)}) for n in range(4)] == [3, 4, 5, 6]


def test_a_new_rows_key_is_the_number_that_sqlite_keeps_anyway(
    stocked: TenantDatabase, db: FunctionDatabase
) -> None:
    """RETURNING has a savepoint of its own, at which full-text indexes are written out."""
    statement = insert(shelves).values(name=bindparam("n")).returning(shelves.c.id)
    assert db.scalar(statement, {"n": "planned from now on"}) == 3
    ran: list[str] = []
    with stocked.trace(ran):
        assert db.scalar(statement, {"n": "x"}) == 4
        assert [row.id for row in db.all(statement, {"n": "y"})] == [5]
        assert getattr(db.first(statement, {"n": "z"}), "id", None) == 6
    assert not any("RETURNING" in sql for sql in ran)
    assert db.scalar(select(shelves.c.id).where(shelves.c.name == "z")) == 6


def test_a_key_that_is_not_the_rows_number_is_asked_for(
    stocked: TenantDatabase, db: FunctionDatabase
) -> None:
    """The code says INTEGER PRIMARY KEY, and the file has something else."""
    stocked._driver.set_authorizer(None)
    stocked._driver.execute("CREATE TEMP TABLE coded (id INTEGER DEFAULT 7, name TEXT)")
    coded = Table(
        "coded", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text)
    )
    statement = insert(coded).values(name=bindparam("n")).returning(coded.c.id)
    assert [db.scalar(statement, {"n": "x"}) for _ in range(9)] == [7] * 9


def test_no_key_comes_back_where_a_trigger_left_the_row_out(
    stocked: TenantDatabase, db: FunctionDatabase
) -> None:
    statement = insert(shelves).values(name=bindparam("n")).returning(shelves.c.id)
    assert [db.scalar(statement, {"n": f"kept {n}"}) for n in range(3)] == [3, 4, 5]
    stocked._driver.set_authorizer(None)
    stocked._driver.execute(
        "CREATE TRIGGER leave_out BEFORE INSERT ON shelves WHEN new.name = 'left out' "
        "BEGIN SELECT RAISE(IGNORE); END"
    )
    assert db.scalar(statement, {"n": "left out"}) is None
    assert db.scalar(statement, {"n": "kept"}) == 6


@pytest.mark.parametrize(
    "statement",
    [
        insert(books).values(title=bindparam("n")).returning(b.title),
        insert(books).values(id=bindparam("n")).returning(b.id),
        insert(books).values(title=bindparam("n")).returning(b.id, b.title),
        insert(books).values(title=bindparam("n")).returning((b.id + 1).label("id")),
        insert(books).values(title=func.lower(bindparam("n"))).returning(b.id),
        insert(books).values(title=bindparam("n")).prefix_with("OR REPLACE").returning(b.id),
        upsert(books).values(title=bindparam("n")).on_conflict_do_nothing().returning(b.id),
        insert(books).from_select(["title"], select(bindparam("n"))).returning(b.id),
    ],
)
def test_what_returns_more_than_a_new_rows_key_is_left_as_it_is(statement: Executable) -> None:
    plan = make_plan(statement, {"n": "1"}, TenantDialect())
    assert plan is None or not plan.key


def test_the_first_of_a_write_that_returns_many_rows_still_writes_them_all(
    db: FunctionDatabase,
) -> None:
    statement = update(books).values(title="same").returning(b.id)
    for _ in range(3):
        assert db.scalar(statement) == 1
        assert {row.title for row in db.all(select(b.title))} == {"same"}


def test_an_insert_takes_the_columns_it_is_given_each_time(db: FunctionDatabase) -> None:
    statement = insert(books)
    given: list[dict[str, Any]] = [
        {"title": "a"},
        {"title": "b", "lent": True},
        {"title": "c", "source": "gift"},
    ]
    for _ in range(3):
        for binds in given:
            db.run(statement, binds)
    found: Any = db.all(select(b.title, b.lent, b.source).where(b.id > 3).order_by(b.id))
    once = [("a", None, "bought"), ("b", True, "bought"), ("c", None, "gift")]
    assert found == once * 3


# ---------------------------------------------------------------- the same errors


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_broken_constraint_is_sqlalchemys_error_by_either_way(
    db: FunctionDatabase, times: int
) -> None:
    statement = insert(shelves).values(name=bindparam("n"))
    for n in range(times - 1):
        db.run(statement, {"n": str(n)})
    with pytest.raises(IntegrityError, match="UNIQUE constraint failed"):
        db.run(statement, {"n": "fiction"})


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_missing_bind_is_named_by_either_way(db: FunctionDatabase, times: int) -> None:
    statement = select(b.id).where(b.id == bindparam("book_id"))
    for _ in range(times - 1):
        db.all(statement, {"book_id": 1})
    for binds in ({}, {"other": 1}):
        with pytest.raises(StatementError, match="book_id"):
            db.all(statement, binds)


def test_a_missing_bind_in_one_of_many_rows_is_named(db: FunctionDatabase) -> None:
    statement = insert(shelves).values(name=bindparam("n"))
    for _ in range(3):
        with pytest.raises(StatementError, match="'n'"):
            db.run(statement, [{"n": "x"}, {"m": "y"}])


def test_no_error_repeats_a_value(db: FunctionDatabase) -> None:
    """Errors are logged, and values are customers' data."""
    statement = insert(shelves).values(id=bindparam("k"), name=bindparam("n"))
    for _ in range(3):
        with pytest.raises(IntegrityError) as caught:
            db.run(statement, {"k": 1, "n": "a secret"})
        assert "secret" not in str(caught.value)


def test_a_statement_without_rows_says_which_method_to_use(db: FunctionDatabase) -> None:
    statement = insert(readers).values(name="x")
    for method in (db.all, db.first, db.scalar):
        with pytest.raises(StatementRefused, match=r"ctx\.db\.run"):
            method(statement)


def test_a_select_is_not_run(db: FunctionDatabase) -> None:
    statement = select(books)
    for _ in range(3):
        with pytest.raises(StatementRefused, match=r"ctx\.db\.all"):
            db.run(statement)


def test_two_columns_of_one_name_are_refused(db: FunctionDatabase) -> None:
    with pytest.raises(StatementRefused, match=r"called id.*\.label"):
        db.all(text("SELECT books.id, shelves.id FROM books, shelves"))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("statement", "why"), REFUSED)
def test_what_is_no_statement_for_a_function_is_refused_each_time(
    stocked: TenantDatabase, db: FunctionDatabase, statement: Any, why: str
) -> None:
    for _ in range(3):
        for method in (db.all, db.first, db.scalar, db.run):
            with pytest.raises(StatementRefused, match=why):
                method(statement)
    assert stocked.in_transaction
    assert db.scalar(select(func.count()).select_from(books)) == 3


def test_a_prepared_text_of_the_engine_is_not_lent_to_functions(library: Library) -> None:
    """SQLite asks the authorizer only when it prepares; the driver had prepared COMMIT before."""
    database = library.open(library.create(), test_statements)
    database._driver.execute("BEGIN")
    database._driver.execute("COMMIT")
    for _ in range(2):
        database.begin()
        database.replies.find("t_1", "a")
        with function_scope(database) as db, pytest.raises(StatementRefused):
            db.first(
                text("SELECT digest, reply FROM tenantry_replies WHERE caller = :a AND id = :b"),
                {"a": "t_1", "b": "a"},
            )
        database.commit()


def test_the_connections_own_commit_is_refused_in_a_function(
    stocked: TenantDatabase, db: FunctionDatabase
) -> None:
    """Even where a function reaches behind what it was given."""
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        stocked._driver.commit()
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        stocked._driver.rollback()
    with pytest.raises(StatementRefused, match="commit is the turn's"):
        stocked._connection.commit()
    assert stocked.in_transaction


@pytest.mark.parametrize("statement", CHANGING)
def test_a_read_action_cannot_write(stocked: TenantDatabase, statement: Executable) -> None:
    before = stocked.changes
    with function_scope(stocked, read_only=True) as db:
        for _ in range(3):
            for method in (db.all, db.first, db.scalar, db.run):
                with pytest.raises(StatementRefused, match="effect is `read`"):
                    method(statement)
    assert stocked.changes == before


def test_a_statement_that_a_write_action_has_run_is_still_refused_to_a_read(
    stocked: TenantDatabase,
) -> None:
    statement = update(books).values(lent=bindparam("l"))
    with function_scope(stocked) as db:
        for _ in range(3):
            db.run(statement, {"l": True})
    with (
        function_scope(stocked, read_only=True) as db,
        pytest.raises(StatementRefused, match="`read`"),
    ):
        db.run(statement, {"l": True})


class Lenient:
    """A guard that a function brings along."""

    def check(self, compiled_sql: object) -> None:
        """Lets everything through."""


@pytest.mark.parametrize("options", [{"no_parameters": True}, {GUARD: Lenient()}])
def test_a_statements_options_do_not_lead_around_the_guard(
    db: FunctionDatabase, options: dict[str, Any]
) -> None:
    value = str(DAY.year)
    statement = text(f"SELECT title FROM books LIMIT {value}").execution_options(**options)
    for _ in range(3):
        with pytest.raises(StatementRefused, match="put together at run time"):
            db.all(statement)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_value_of_the_wrong_type_is_sqlalchemys_error_by_either_way(
    db: FunctionDatabase, times: int
) -> None:
    statement = select(b.id).where(b.bought == bindparam("day", type_=b.bought.type))
    for _ in range(times - 1):
        db.all(statement, {"day": DAY})
    with pytest.raises(StatementError, match="datetime"):
        db.all(statement, {"day": "yesterday"})


# ---------------------------------------------------------------- plans


def test_a_plan_ends_with_its_statement(db: FunctionDatabase, shared: SharedEngine) -> None:
    """What a function builds for one message leaves nothing behind, values included."""
    gc.collect()
    before = len(shared.plans)
    for number in range(50):
        statement = select(b.id).where(b.id == number)
        for _ in range(3):
            db.all(statement)
    watched = ref(statement)
    del statement
    gc.collect()
    assert watched() is None
    assert len(shared.plans) <= before + 1


def test_tenants_share_plans_and_not_rows(library: Library, shared: SharedEngine) -> None:
    statement = select(shelves.c.name)
    found = {}
    for name in ("acme", "globex"):
        database = library.open(library.create())
        database.begin()
        with function_scope(database) as db:
            db.run(insert(shelves), {"name": name})
            found[name] = [[row.name for row in db.all(statement)] for _ in range(3)]
    assert found == {"acme": [["acme"]] * 3, "globex": [["globex"]] * 3}


def test_a_cast_and_a_literal_are_bound_not_written(db: FunctionDatabase) -> None:
    for value in ("x'); DROP TABLE books--", b"\x00'"):
        kind = Text if isinstance(value, str) else LargeBinary
        statement = select(cast(literal(value), kind).label("v"))
        assert [db.scalar(statement) for _ in range(3)] == [value] * 3


def test_an_sql_mistake_is_sqlites_error(db: FunctionDatabase) -> None:
    statement = select(func.lower(b.title, b.title))
    for _ in range(3):
        with pytest.raises(OperationalError, match="wrong number of arguments"):
            db.all(statement)
