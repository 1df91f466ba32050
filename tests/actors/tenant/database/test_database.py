"""The turn's side of a tenant's database: one transaction, and a savepoint for each message."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing, suppress
from threading import Thread

import pytest
from sqlalchemy import bindparam, func, insert, literal, select, text
from sqlalchemy.exc import DBAPIError

from actors.errors import DatabaseProblem, StatementRefused
from actors.host import disk
from actors.tenant.database.connection import StorageLimits
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.errors import DISK_FULL, QUOTA_REACHED, no_space
from tests.actors.tenant.database import test_database
from tests.actors.tenant.library_application import Library, function_scope, shelves, titles
from transport.request.model import Request

ADD = insert(shelves).values(name=bindparam("name"))
INDEX = insert(titles).values(title=bindparam("words"))
COUNT = select(func.count()).select_from(shelves)
UNENDING = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"
)
UNENDING_WRITE = text(
    "INSERT INTO shelves(name) "
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
)


def add(database: TenantDatabase, *names: str) -> None:
    with function_scope(database) as db:
        for name in names:
            db.run(ADD, {"name": name})


def names(database: TenantDatabase) -> list[str]:
    with function_scope(database) as db:
        return [row.name for row in db.all(select(shelves.c.name).order_by(shelves.c.name))]


def fill(database: TenantDatabase) -> None:
    with function_scope(database) as db:
        for number in range(10_000):
            db.run(ADD, {"name": f"{number:>3000}"})


def index_until_full(database: TenantDatabase) -> None:
    """Messages that give the full-text index sixty new words each."""
    for message in range(2_000):
        database.begin_savepoint()
        with function_scope(database) as db:
            db.run(INDEX, {"words": " ".join(f"w{message}x{word}" for word in range(60))})
        database.release()


def small(library: Library) -> TenantDatabase:
    """A tenant with room for twenty pages, in a turn."""
    tenant_id = library.create()
    size = library.path(tenant_id).stat().st_size
    database = library.open(tenant_id, test_database, limits=StorageLimits(size + 20 * 4096))
    database.begin()
    return database


# ---------------------------------------------------------------- the transaction


def test_what_is_committed_is_there_after_opening_again(library: Library) -> None:
    tenant_id = library.create()
    database = library.open(tenant_id)
    database.begin()
    add(database, "poems")
    database.commit()
    database.close()
    again = library.open(tenant_id)
    again.begin()
    assert names(again) == ["poems"]


def test_what_is_not_committed_is_gone_after_close(library: Library) -> None:
    tenant_id = library.create()
    database = library.open(tenant_id)
    database.begin()
    add(database, "poems")
    database.close()
    again = library.open(tenant_id)
    again.begin()
    assert names(again) == []


def test_a_message_can_be_taken_back_without_the_others(tenant: TenantDatabase) -> None:
    tenant.begin_savepoint()
    add(tenant, "first")
    tenant.release()
    tenant.begin_savepoint()
    add(tenant, "second")
    tenant.rollback_to()
    tenant.begin_savepoint()
    add(tenant, "third")
    tenant.release()
    tenant.commit()
    tenant.begin()
    assert names(tenant) == ["first", "third"]


def test_rollback_takes_the_turn_back_and_is_nothing_outside_of_one(tenant: TenantDatabase) -> None:
    add(tenant, "poems")
    tenant.rollback()
    assert not tenant.in_transaction
    tenant.rollback()
    tenant.begin()
    assert names(tenant) == []


def test_changes_tell_a_read_that_wrote(tenant: TenantDatabase) -> None:
    before = tenant.changes
    names(tenant)
    assert tenant.changes == before
    add(tenant, "poems")
    assert tenant.changes > before


def test_a_function_needs_the_turns_transaction(library: Library) -> None:
    with pytest.raises(DatabaseProblem, match="begin"):
        function_scope(library.open(library.create()))


def test_after_its_call_a_function_has_no_database(tenant: TenantDatabase) -> None:
    with function_scope(tenant) as db:
        db.run(ADD, {"name": "poems"})
    for _ in range(3):
        with pytest.raises(StatementRefused, match="that call has ended"):
            db.run(ADD, {"name": "late"})


# ---------------------------------------------------------------- errors that end the transaction


def test_a_full_quota_on_one_row_ends_the_whole_turn(library: Library) -> None:
    """SQLITE_FULL on a statement without a statement journal: sqlite.org/lang_transaction.html."""
    database = small(library)
    add(database, "before")
    database.begin_savepoint()
    with pytest.raises(DBAPIError) as caught:
        fill(database)
    refusal = database.classify(caught.value)
    assert refusal == QUOTA_REACHED
    assert not database.in_transaction
    database.begin()
    assert names(database) == []


def test_of_a_quota_and_a_full_disk_the_nearer_one_is_told(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one code for both, and has given back by then what the statement had taken."""
    database = small(library)
    with pytest.raises(DBAPIError) as caught:
        fill(database)
    monkeypatch.setattr(disk, "free_bytes", lambda _: 4096)
    refusal = database.classify(caught.value)
    assert refusal == DISK_FULL
    assert refusal.retry_after_ms is not None
    assert no_space(0, 0) == QUOTA_REACHED


def test_a_full_quota_on_many_rows_at_once_may_leave_the_turn_alive(library: Library) -> None:
    database = small(library)
    add(database, "before")
    database.begin_savepoint()
    many = select(literal(1).label("i")).cte("many", recursive=True)
    many = many.union_all(select(many.c.i + 1).where(many.c.i < 5_000))
    with pytest.raises(DBAPIError, match="full"), function_scope(database) as db:
        db.run(insert(shelves).from_select(["name"], select(func.printf("%3000d", many.c.i))))
    assert database.in_transaction
    database.rollback_to()
    database.commit()
    database.begin()
    assert names(database) == ["before"]


def test_the_full_text_index_may_find_no_room_only_at_release(library: Library) -> None:
    """FTS5 writes what it has gathered when a savepoint begins or ends."""
    database = small(library)
    with pytest.raises(sqlite3.OperationalError) as caught:  # the driver's own: not of the function
        index_until_full(database)
    refusal = database.classify(caught.value)
    assert refusal is not None
    assert refusal.code == "resource_exhausted"
    assert not database.in_transaction


def test_a_function_that_swallows_such_an_error_cannot_go_on(library: Library) -> None:
    """Its next statement would commit by itself, outside of any transaction."""
    database = small(library)
    with function_scope(database) as db:
        with suppress(DBAPIError):
            for number in range(10_000):
                db.run(ADD, {"name": f"{number:>3000}"})
        for _ in range(3):
            with pytest.raises(StatementRefused, match="the transaction has ended"):
                db.run(ADD, {"name": "on its own"})
            with pytest.raises(StatementRefused, match="the transaction has ended"):
                db.scalar(COUNT)
    database.begin()
    assert names(database) == []


@pytest.mark.parametrize(("statement", "goes_on"), [(UNENDING, True), (UNENDING_WRITE, False)])
def test_a_statement_past_its_deadline_is_interrupted(
    library: Library, statement: object, goes_on: bool
) -> None:
    database = library.open(library.create(), test_database)
    database.begin()
    add(database, "before")
    database.begin_savepoint()
    deadline = time.monotonic() + 0.05
    with pytest.raises(DBAPIError) as caught:  # noqa: SIM117  # the loan ends inside
        with database.function_scope({}, deadline, read_only=False) as db:
            db.scalar(statement) if goes_on else db.run(statement)  # type: ignore[arg-type]
    refusal = database.classify(caught.value)
    assert refusal is not None
    assert refusal.code == "deadline_exceeded"
    assert database.in_transaction is goes_on


def test_the_engines_own_work_is_not_interrupted_by_a_functions_deadline(
    tenant: TenantDatabase,
) -> None:
    with tenant.function_scope({}, time.monotonic() - 1, read_only=False):
        pass
    for number in range(2_000):
        tenant.replies.store("t_1", str(number), b"d", b"r", number)
    assert tenant.replies.delete_before(10_000, most=10_000) == 2_000
    tenant.commit()


def test_a_broken_constraint_is_told_by_what_is_there(tenant: TenantDatabase) -> None:
    add(tenant, "poems")
    with pytest.raises(DBAPIError) as caught:
        add(tenant, "poems")
    refusal = tenant.classify(caught.value)
    assert refusal is not None
    assert refusal.code == "already_exists"
    assert tenant.in_transaction


def test_a_broken_constraint_of_the_engines_own_is_none_of_the_callers(
    tenant: TenantDatabase,
) -> None:
    tenant.replies.store("t_1", "r1", b"d", b"r", 1)
    with pytest.raises(sqlite3.IntegrityError) as caught:
        tenant.replies.store("t_1", "r1", b"d", b"r", 1)
    assert tenant.classify(caught.value) is None


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (sqlite3.SQLITE_IOERR | (13 << 8), "unavailable"),
        (sqlite3.SQLITE_READONLY, "unavailable"),
        (sqlite3.SQLITE_CORRUPT, "unavailable"),
        (sqlite3.SQLITE_CANTOPEN, "unavailable"),
        (sqlite3.SQLITE_BUSY, "unavailable"),
        (sqlite3.SQLITE_FULL, "resource_exhausted"),
        (sqlite3.SQLITE_INTERRUPT, "deadline_exceeded"),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "already_exists"),
        (sqlite3.SQLITE_CONSTRAINT_NOTNULL, "failed_precondition"),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, "failed_precondition"),
        (sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, "failed_precondition"),
    ],
)
def test_extended_result_codes_count_as_their_primary_one(
    tenant: TenantDatabase, code: int, refusal: str
) -> None:
    error = sqlite3.OperationalError("as the driver raises it")
    error.sqlite_errorcode = code
    found = tenant.classify(error)
    assert found is not None
    assert found.code == refusal


def test_errors_of_other_kinds_are_not_the_databases(tenant: TenantDatabase) -> None:
    assert tenant.classify(ValueError("no")) is None


# ---------------------------------------------------------------- the engine's own tables


def test_dead_letters_are_kept_whole_but_for_the_token(library: Library) -> None:
    """And fit to be read: an outcome that a function is told may hold what no request does."""
    params = {"n": 1, "text": "caf\udce9"}
    request = Request(id="a", action="books.add", params=params, token="tnt_x")
    tenant_id = library.create()
    database = library.open(tenant_id)
    database.begin()
    database.add_dead_letter("t_1", request, "it killed twice", 1_700_000_000.5)
    database.commit()
    database.checkpoint_and_close()
    with closing(sqlite3.connect(library.path(tenant_id))) as reader:
        ((*about, content, reason, at),) = reader.execute(
            "SELECT caller, id, action, request, reason, at FROM tenantry_dead_letters"
        ).fetchall()
    assert (about, reason, at) == (["t_1", "a", "books.add"], "it killed twice", 1_700_000_000)
    told = json.loads(content)
    assert told == {**request.model_dump(exclude={"token"}), "params": {"n": 1, "text": "caf?"}}


# ---------------------------------------------------------------- the end


def test_a_closed_database_is_one_file(library: Library) -> None:
    tenant_id = library.create()
    database = library.open(tenant_id)
    database.begin()
    add(database, "poems")
    database.commit()
    assert library.path(tenant_id).with_suffix(".db-wal").stat().st_size > 0
    database.checkpoint_and_close()
    assert [file.name for file in library.path(tenant_id).parent.iterdir()] == [f"{tenant_id}.db"]


def test_closing_takes_an_open_turn_back(tenant: TenantDatabase) -> None:
    add(tenant, "poems")
    tenant.checkpoint_and_close()
    with closing(sqlite3.connect(tenant.path)) as reader:
        assert reader.execute("SELECT count(*) FROM shelves").fetchone() == (0,)


def test_closing_twice_is_nothing(tenant: TenantDatabase) -> None:
    tenant.close()
    tenant.close()


def test_a_connection_moves_between_threads(library: Library) -> None:
    database = library.open(library.create())
    turns = []

    def turn(name: str) -> None:
        database.begin()
        add(database, name)
        turns.append(names(database))
        database.commit()

    for name in ("first", "second"):
        thread = Thread(target=turn, args=[name])
        thread.start()
        thread.join()
    assert turns == [["first"], ["first", "second"]]
