"""A desk to test: real tables in a real file, called through the index as the tenant calls it."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Executable, NullPool, create_engine, event

from actors.messages import Principal
from actors.schema import Schema
from actors.tenant.context import Binds, Context, Row
from actors.tenant.rows import row_maker

ROOT = Path(__file__).parents[4]
INDEX: dict[str, Any] = tomllib.loads((ROOT / "registry.toml").read_text())
MEMBER = Principal(id="t_4f1c", tenant="acme", role="member")
BEGIN = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)

HOSTILE = (
    "'; DROP TABLE contacts; --",
    '" OR ""="',
    'say "hello"',
    '"',
    '""',
    "'",
    "`contacts`",
    "\\",
    "%_",
    "*",
    "ada*",
    "^ada",
    "name:ada",
    "- ada",
    "NOT ada",
    "ada NEAR hopper",
    "NEAR(ada hopper, 2)",
    "ada AND",
    "OR",
    "(",
    "ada)",
    "{name email}: ada",
    "+",
    "a + b",
    ":contact_id",
    "?1",
    "%(name)s",
    "{0.__class__}",
    "${jndi:ldap://localhost/a}",
    "<script>alert(1)</script>",
    "\r\nBcc: everyone@example.com",
    "\t\x0b\x7f\x1b[2J",
    "\u202egnp.exe",
    "\ufeffada",
    "e\u0301",
    "👩‍🚀🏳️‍🌈",
    "\U0010ffff",
    "ﬁ",
    "İstanbul",
    "ß",
)
"""Text that means something to SQL, to FTS5, to a template, a terminal or a mail header."""


class ConnectionDatabase:
    """The four calls of ctx.db over a plain connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Every row."""
        result = self._run(statement, binds)
        make = row_maker(tuple(map(str, result.keys())))
        return [make(each) for each in result]

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        return next(iter(self.all(statement, binds)), None)

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None."""
        return self._run(statement, binds).scalar()

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """How many rows it changed."""
        changed: int = self._run(statement, binds).rowcount
        return changed

    def _run(self, statement: Executable, binds: Any) -> Any:
        return self._connection.execute(statement, binds)


class Action:
    """One action of the index, ready to be called."""

    def __init__(self, name: str) -> None:
        entry = INDEX["actions"][name]
        self.params = Schema.build(f"{name}.params", entry["params"])
        self.result = Schema.build(f"{name}.result", entry["result"])
        module, _, function = entry["versions"][-1]["code"].partition(":")
        self.function = getattr(importlib.import_module(module), function)


IMPLEMENTED = {
    name: Action(name) for name, entry in INDEX["actions"].items() if entry.get("versions")
}


class Desk:
    """A tenant's desk: each call is one message, begun a second after the one before."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now = BEGIN
        self._ran: list[tuple[str, Any]] = []

    @property
    def statements(self) -> list[str]:
        """The SQL that the calls sent to SQLite, in its order."""
        return [sql for sql, _ in self._ran]

    def __call__(self, name: str, /, **params: Any) -> dict[str, Any]:
        """Call an action; what it writes is undone where it raises, as in a tenant's turn."""
        action = IMPLEMENTED[name]
        self.now += timedelta(seconds=1)
        ctx = Context(ConnectionDatabase(self.connection), "acme", MEMBER, name, self.now, "0" * 32)
        with self.connection.begin_nested(), self._watching():
            result: Mapping[str, Any] = action.function(ctx, action.params.parse(params))
        action.result.check(result)
        return dict(result)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a statement of the test itself returns."""
        return [tuple(row) for row in self.connection.exec_driver_sql(sql).all()]

    def pages(self, name: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """Every page of a listing, the first one first."""
        page = self(name, **params)
        yield page
        while page["next"] is not None:
            page = self(name, **params, after=page["next"])
            yield page

    def plan(self) -> str:
        """How SQLite ran the last statement (sqlite.org/eqp.html)."""
        sql, binds = self._ran[-1]
        steps = self.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", binds)
        return "\n".join(step[3] for step in steps)

    def check_search_index(self) -> None:
        """Raise where the full-text index and the contacts disagree."""
        check = "INSERT INTO contacts_fts(contacts_fts, rank) VALUES ('integrity-check', 1)"
        self.connection.exec_driver_sql(check)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        def note(*seen: Any) -> None:
            self._ran.append((seen[2], seen[3]))

        event.listen(self.connection, "before_cursor_execute", note)
        yield
        event.remove(self.connection, "before_cursor_execute", note)


def engine_of(file: Path) -> Engine:
    """An engine that begins transactions itself and enforces foreign keys, as a tenant's does."""
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring a database to a revision, up or down."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / INDEX["storage"]["migrations"]))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table="migrations")
    move = command.downgrade if revision == "base" else command.upgrade
    move(config, revision)


@contextmanager
def open_desk(file: Path) -> Iterator[Desk]:
    """The desk in a file that has its tables; nothing is committed, so the file stays as it was."""
    with engine_of(file).connect() as connection:
        yield Desk(connection)
