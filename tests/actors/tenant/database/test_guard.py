"""Values of a message reach SQL as bound parameters, or not at all."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from sqlalchemy import (
    Column,
    Executable,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    table,
    text,
    values,
)
from sqlalchemy.exc import CompileError, DBAPIError, StatementError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement, quoted_name
from sqlalchemy.types import UserDefinedType

from actors.errors import StatementRefused
from actors.index.code import load, unload
from actors.tenant.database.constants import SEEN, forget_unloaded, static_fragments
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.dialect import TenantDialect
from tests.actors.tenant.database import test_guard
from tests.actors.tenant.library_application import Library, books, function_scope, shelves

HOSTILE: Final = [
    "' OR '1'='1",
    "'; DROP TABLE books; --",
    "x' UNION SELECT id, reply FROM tenantry_replies --",
    "1 OR 1=1",
    "1; DELETE FROM shelves",
    "Robert'); DROP TABLE shelves;--",
    "name) VALUES ('x'); COMMIT; --",
    "id FROM sqlite_master --",
    "(SELECT group_concat(sql) FROM sqlite_master)",
    "CASE WHEN 1=1 THEN 1 ELSE load_extension('x') END",
    "1 UNION ALL SELECT 1",
    "name COLLATE nocase DESC",
    "0x41",
    "-1",
    "1e309",
    "admin'--",
    "admin' /*",
    "' || (SELECT hex(randomblob(100000000))) || '",
    "%' ESCAPE '",
    '" OR ""="',
    "`; ATTACH DATABASE 'x' AS y",
    "\\'; SELECT 1",
    "ʼ; DROP TABLE books",
    "＇; DROP TABLE books",
    "a' AND randomblob(1000000000) --",
    "rowid",
    "id, title",
    ":title",
    "?1",
    "@x",
    "$x",
    "[books]",
    "x'4142'",
    "NULL",
    "*",
    "1",
    "'",
    '"',
    ";",
    "--",
    "/*",
    " ",
    "\t\r\n",
    "%s %(x)s {} {0} $1 \\g<0>",
    "O'Brien",
    "¯\\_(ツ)_/¯",
    "\u202e\ufeff",
    "SELECT",
    "a" * 5_000,
]


class Odd(UserDefinedType[Any]):
    """A type whose name is taken from a message."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


class Wrapped(TypeDecorator[str]):
    """A type that writes its own literals."""

    impl = Text
    cache_ok = True


WAYS: Final[dict[str, Callable[[str], Executable]]] = {
    "text": lambda v: text(f"SELECT id FROM books WHERE title = '{v}'"),
    "text of nothing else": lambda v: text(f"{v} "),
    "where": lambda v: select(books.c.id).where(text(f"title = '{v}'")),
    "order": lambda v: select(books.c.id).order_by(text(f"{v} DESC")),
    "group": lambda v: select(books.c.id).group_by(text(f"{v}, id")),
    "from": lambda v: select(text("*")).select_from(text(f"books, {v}")),
    "literal column": lambda v: select(literal_column(f"'{v}'")),
    "literal table": lambda v: select(column("id")).select_from(text(f"({v})")),
    "operator": lambda v: select(books.c.id).where(books.c.title.op(f"{v} =")("x")),
    "boolean operator": lambda v: select(books.c.id).where(books.c.title.bool_op(f"= {v} =")("x")),
    "prefix": lambda v: select(books.c.id).prefix_with(f"{v},"),
    "suffix": lambda v: select(books.c.id).suffix_with(f"LIMIT {v}"),
    "prefix of an insert": lambda v: insert(shelves).prefix_with(f"OR {v}").values(name="x"),
    "hint": lambda v: select(books.c.id).with_statement_hint(f"LIMIT {v}"),
    "type": lambda v: select(cast(books.c.title, Odd(f"TEXT) , ({v}"))),
    "collation of a type": lambda v: select(cast(books.c.title, Text(collation=f'x" {v}'))),
    "literal value": lambda v: select(bindparam("v", f"{v}.", literal_execute=True)),
    "literal value of its own type": lambda v: select(
        bindparam("v", f"{v}.", type_=Wrapped, literal_execute=True)
    ),
    "literal in a list": lambda v: select(books.c.id).where(
        books.c.title.in_(bindparam("v", [f"{v}."], expanding=True, literal_execute=True))
    ),
    "compiled with literals": lambda v: text(
        str(
            select(books.c.id)
            .where(books.c.title == f"{v}.")
            .compile(compile_kwargs={"literal_binds": True})
        ).replace(":", r"\:")
    ),
    "a default of a table": lambda v: insert(
        table("shelves", column("name"))
    ).values(name=text(f"'{v}'")),
    "within a with": lambda v: select(
        select(literal_column(f"'{v}'").label("a")).cte("c").c.a
    ),
    "within a subquery": lambda v: select(books.c.id).where(
        books.c.id.in_(select(literal_column(f"({v})")))
    ),
}  # fmt: skip

NAMES: Final[dict[str, Callable[[str], Executable]]] = {
    "column": lambda v: select(column(v)).select_from(books),
    "unquoted column": lambda v: select(column(quoted_name(v, quote=False))).select_from(books),
    "table": lambda v: select(column("id")).select_from(table(v)),
    "unquoted table": lambda v: select(column("id")).select_from(
        table(quoted_name(v, quote=False))
    ),
    "function": lambda v: select(getattr(func, v)(books.c.id)),
    "package": lambda v: select(getattr(getattr(func, v), "lower")(books.c.id)),  # noqa: B009
    "collation": lambda v: select(books.c.id).order_by(books.c.title.collate(v)),
    "order by name": lambda v: select(books.c.id).order_by(v),
    "schema": lambda v: select(column("id")).select_from(table("books", schema=v)),
}


@pytest.fixture
def stocked(library: Library) -> TenantDatabase:
    database = library.open(library.create(), test_guard)
    database.begin()
    with function_scope(database) as db:
        db.run(insert(shelves), {"name": "fiction"})
        db.run(insert(books), {"title": "Ada"})
    return database


TRIPS = (CompileError, ValueError, KeyError)
"""What SQLAlchemy raises by itself: no such column to order by, and a % in a function's name."""


def is_quoted(statement: Any, name: str) -> bool:
    """Whether SQL has the name in quotes, or it is a plain word that needs none."""
    quoted = '"' + name.replace('"', '""') + '"'
    sql = str(statement.compile(dialect=TenantDialect()))
    return quoted in sql or re.fullmatch(r"[\w$*]+", name) is not None


def untouched(database: TenantDatabase) -> bool:
    with function_scope(database) as db:
        counts = [db.scalar(select(func.count()).select_from(t)) for t in (shelves, books)]
    return database.in_transaction and counts == [1, 1]


@pytest.mark.parametrize("way", WAYS)
def test_text_that_holds_a_value_is_refused_where_it_is_executed(
    stocked: TenantDatabase, way: str
) -> None:
    for value in HOSTILE:
        statement = WAYS[way](value)
        with function_scope(stocked, given=value) as db:
            for _ in range(3):
                for method in (db.all, db.run):
                    with pytest.raises((StatementRefused, StatementError)) as caught:
                        method(statement)
                    assert not isinstance(caught.value, DBAPIError), value  # it never got to SQLite
    assert untouched(stocked)


@pytest.mark.parametrize("way", NAMES)
def test_a_value_as_a_name_is_quoted_and_so_only_a_name(stocked: TenantDatabase, way: str) -> None:
    """Names may be chosen, as from a list of columns to sort by; they cannot break out."""
    for value in HOSTILE:
        statement = NAMES[way](value)
        with suppress(*TRIPS):
            assert is_quoted(statement, value), value
            with function_scope(stocked, given=value) as db, suppress(StatementRefused, DBAPIError):
                assert len(db.all(statement)) <= 1
                assert len(db.all(statement)) <= 1
    assert untouched(stocked)


@pytest.mark.parametrize("value", HOSTILE)
def test_the_same_values_bound_come_back_as_they_went_in(
    stocked: TenantDatabase, value: str
) -> None:
    add = insert(books).values(title=bindparam("t")).returning(books.c.title)
    by_bind = select(books.c.title).where(books.c.title == bindparam("t"))
    with function_scope(stocked, given=value) as db:
        for _ in range(3):
            assert db.scalar(add, {"t": value}) == value
            assert db.first(by_bind, {"t": value}).title == value
            assert db.scalar(select(books.c.title).where(books.c.title == value)) == value
            assert db.scalar(select(literal(value).label("v"))) == value
            assert db.scalar(select(books.c.title).where(books.c.title.in_([value, "x"]))) == value
            like = books.c.title.contains(value, autoescape=True)
            if len(value) < 400:
                assert value in {row.title for row in db.all(select(books.c.title).where(like))}


def test_the_refusal_names_the_field_and_not_the_value(stocked: TenantDatabase) -> None:
    params = {"filter": {"words": ["one", "secret' OR 1=1"]}, "limit": 5}
    with stocked.function_scope(params, float("inf"), read_only=True) as db:
        with pytest.raises(StatementRefused, match=r"params\.filter\.words\.1") as caught:
            db.all(text(f"SELECT id FROM books WHERE title = '{params['filter']['words'][1]}'"))  # type: ignore[index]  # a nested map
        assert "secret" not in str(caught.value)
        with pytest.raises(StatementRefused, match=r"params\.limit"):
            db.all(select(books.c.id).suffix_with(f"LIMIT {params['limit']}"))
        with pytest.raises(StatementRefused, match="put together at run time"):
            db.all(text("SELECT id " + "FROM books".upper()))


# ---------------------------------------------------------------- text that is code

AT_THE_TOP = text("SELECT count(*) AS n FROM books")
WITHIN = select(books.c.id).where(text("title GLOB :pattern"), books.c.title.op("NOT GLOB")("z*"))
DAYS = 7
COMPUTED: Executable = select(literal_column(f"date('2026-02-11', '-{DAYS} days')").label("then"))


class Queries:
    """Text in a class and in collections."""

    ORDERS = {"newest": text("id DESC"), "oldest": text("id ASC")}  # noqa: RUF012  # as people write it


def _own_text() -> Executable:
    return select(literal_column("1 + 1").label("two"), cast("4", Integer).label("four"))


def _suffixed(suffix: str) -> Callable[[], Executable]:
    return lambda: select(books.c.id).suffix_with(suffix)


LIMITED = _suffixed("LIMIT 10")


WRITTEN: list[tuple[Callable[[], Executable], dict[str, Any]]] = [
    (lambda: AT_THE_TOP, {}),
    (lambda: WITHIN, {"pattern": "A*"}),
    (lambda: COMPUTED, {}),
    (lambda: select(books.c.id).order_by(Queries.ORDERS["newest"]), {}),
    (_own_text, {}),
    (LIMITED, {}),
    (lambda: select(books.c.id).where(func.length(books.c.title) > 1), {}),
    (lambda: text("SELECT title FROM books"), {}),
]


@pytest.mark.parametrize(("make", "binds"), WRITTEN)
def test_text_that_is_written_in_the_code_runs(
    stocked: TenantDatabase, make: Callable[[], Executable], binds: dict[str, Any]
) -> None:
    for _ in range(3):
        with function_scope(stocked, given="Ada") as db:
            assert len(db.all(make(), binds)) == 1


def test_code_that_is_not_loaded_lends_its_text_to_nobody(library: Library) -> None:
    database = library.open(library.create())
    database.begin()
    for _ in range(3):
        with function_scope(database) as db, pytest.raises(StatementRefused):
            db.all(AT_THE_TOP)


def test_each_loaned_text_is_checked_for_the_code_that_runs(library: Library) -> None:
    """Two versions share a tenant and SQLAlchemy's cache of statements, not their texts."""
    database = library.open(library.create(), test_guard)
    database.begin()
    known = database.allowed_sql
    nobody = library.open(library.create()).allowed_sql
    for _ in range(3):
        with database.function_scope({}, float("inf"), read_only=True, allowed_sql=known) as db:
            assert db.scalar(WITHIN, {"pattern": "A*"}) is None
        with (
            database.function_scope({}, float("inf"), read_only=True, allowed_sql=nobody) as db,
            pytest.raises(StatementRefused),
        ):
            db.scalar(WITHIN, {"pattern": "A*"})


IMPORTED = "from sqlalchemy import text; T = text('an imported text')"
LOADED = """
import json
def f(): return 'in a function'
async def g(): return 'in a coroutine'
"""


def test_text_is_found_in_imported_modules_and_not_in_libraries() -> None:
    imported, module = ModuleType("imported"), ModuleType("loaded")
    exec("from sqlalchemy import text\nT = text('an imported text')", vars(imported))
    exec(
        "import json\ndef f(): return 'in a function'\nasync def g(): return 'in a coroutine'",
        vars(module),
    )
    vars(module)["imported"] = imported
    found = static_fragments([module])
    assert {"an imported text", "in a function", "in a coroutine"} <= found
    assert "Expecting value" not in found  # of json


# ---------------------------------------------------------------- text that users leave behind

SIBLING = "MEMO = {}\nASKED = []\nKEPT = 'SELECT id FROM books'\n"
VERSION = """
from sqlalchemy import text
from {package}.sibling import ASKED, MEMO
OWN = 'SELECT title FROM books'
LAST = None
def f(ctx, params):
    global LAST
    MEMO[params] = LAST = params
    ASKED.append(params)
    f.last = params
"""


def package(root: Path, name: str) -> Path:
    """Beside an index: two versions of a function, and what they share."""
    folder = root / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "sibling.py").write_text(SIBLING)
    for version in (1, 2):
        text = VERSION.replace("{package}", name) + f"# {version}\n"
        (folder / f"v{version}.py").write_text(text)
    return folder


def test_what_users_leave_in_memory_is_no_text_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the version that keeps it, nor of one that is loaded later and shares the memo."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package(tmp_path, "leaving")
    first = load("leaving.v1:f", tmp_path)
    known = static_fragments([first.module])
    assert {"SELECT title FROM books", "SELECT id FROM books"} <= known | static_fragments(
        [sys.modules["leaving.sibling"]]
    )
    hostile = "(SELECT group_concat(secret) FROM people)"
    first.function(None, hostile)

    assert hostile not in static_fragments([first.module])
    again = load("leaving.v1:f", tmp_path)
    assert hostile not in static_fragments([again.module])
    second = load("leaving.v2:f", tmp_path)
    assert hostile not in static_fragments([first.module, second.module])
    unload(first.module)
    unload(again.module)
    del first, again
    forget_unloaded()
    third = load("leaving.v2:f", tmp_path)
    assert hostile not in static_fragments([third.module])


def test_what_only_an_unloaded_module_had_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a developer reloads; what is beside it stays as it was seen."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package(tmp_path, "reloading")
    kept = load("reloading.v1:f", tmp_path)
    static_fragments([kept.module])
    forget_unloaded()
    before = len(SEEN)
    for _ in range(3):
        loaded = load("reloading.v2:f", tmp_path)
        static_fragments([loaded.module])
        assert len(SEEN) > before
        unload(loaded.module)
        del loaded
        gc.collect()
        forget_unloaded()
    assert len(SEEN) == before


# ---------------------------------------------------------------- text that is a value and a constant

REMOVE_ALL = "DELETE FROM books"
ORDERS = {"newest": "id DESC", "title": "title"}


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (lambda: text(REMOVE_ALL), {"a": "DELETE FROM books"}),
        (lambda: text(f" {REMOVE_ALL}".strip()), {"a": ["x", {"b": " DELETE FROM books\n"}]}),
        (lambda: text(REMOVE_ALL), {"a": "DELETE FROM books; and more"}),
        (lambda: text(REMOVE_ALL), {"any": {"DELETE FROM books": 1}}),
        (lambda: select(books.c.id).order_by(text("id DESC")), {"sort": "id DESC"}),
        (lambda: select(literal_column("1 + 1")), {"column": "1 + 1"}),
    ],
)
def test_a_text_that_the_caller_sends_is_refused_even_where_the_code_has_it(
    stocked: TenantDatabase, make: Callable[[], Executable], params: dict[str, Any]
) -> None:
    """What an administrative function may run is not for the one who sends the same words to another one."""
    for _ in range(3):
        with (
            stocked.function_scope(params, float("inf"), read_only=False) as db,
            pytest.raises(StatementRefused, match=r"holds the value of params|at run time"),
        ):
            db.run(make())
    assert untouched(stocked)


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (lambda: select(books.c.id).order_by(text(ORDERS["title"])), {"sort": "title"}),
        (lambda: select(books.c.id).order_by(text(ORDERS["newest"])), {"sort": "newest"}),
        (lambda: select(books.c.id).order_by(text(ORDERS["newest"])), {"body": "it says id DESC"}),
        (lambda: select(books.c.id.op("->>")("$.a")), {"text": "->>"}),
        (lambda: text("SELECT title FROM books"), {"title": "books", "word": "SELECT"}),
        (lambda: select(books.c.id).where(books.c.title == "id DESC"), {"text": "id DESC"}),
    ],
)
def test_sound_functions_are_not_refused_for_what_their_callers_say(
    stocked: TenantDatabase, make: Callable[[], Executable], params: dict[str, Any]
) -> None:
    """Names may be chosen, and a text may speak of SQL."""
    for _ in range(3):
        with stocked.function_scope(params, float("inf"), read_only=True) as db:
            db.all(make())


# ---------------------------------------------------------------- elements that compile themselves


class Raw(ColumnElement[Any]):
    """Says what it is given."""

    inherit_cache = False

    def __init__(self, said: str) -> None:
        self.said = said


@compiles(Raw)
def _raw(element: Raw, compiler: Any, **_: Any) -> str:
    return element.said


class Bare(Raw):
    """Does not even ask for the extension."""

    inherit_cache = False

    def _compiler_dispatch(self, visitor: Any, **_: Any) -> str:
        return self.said


DEFAULTED = Table(
    "shelves", MetaData(), Column("id", Integer), Column("name", Text, default=Raw("1"))
)

HIDING: Final[dict[str, Callable[[], Executable]]] = {
    "column": lambda: select(Raw("title")).select_from(books),
    "of its own": lambda: select(Bare("title")).select_from(books),
    "where": lambda: select(books.c.id).where(books.c.id == Raw("1 OR 1")),
    "order": lambda: select(books.c.id).order_by(Raw("title")),
    "values": lambda: insert(shelves).values(name=Raw("'x'")),
    "many values": lambda: insert(shelves).values([{"name": Raw("'x'")}, {"name": "b"}]),
    "a default": lambda: insert(DEFAULTED).values(id=9),
    "within a values": lambda: select(values(column("x", Text), name="v").data([(Raw("1"),)])),
    "within a with": lambda: select(select(Raw("1").label("q")).cte("c").c.q),
    "limit": lambda: select(books.c.id).limit(Raw("1")),
    "function": lambda: select(func.max(Raw("1"))),
    "returning": lambda: insert(shelves).values(name="x").returning(Raw("1")),
}


@pytest.mark.parametrize("way", HIDING)
def test_an_element_with_a_compiler_of_its_own_is_refused(
    stocked: TenantDatabase, way: str
) -> None:
    """Its text would pass by whatever collects text."""
    for _ in range(3):
        with (
            function_scope(stocked) as db,
            pytest.raises(StatementRefused, match="has a compiler of its own"),
        ):
            db.run(HIDING[way]())
    assert untouched(stocked)
