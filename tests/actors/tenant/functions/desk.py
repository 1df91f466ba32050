"""A desk to test: a tenant's own file, opened as the server opens it, called through the index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite

from actors.index.code import Codebase, Loaded
from actors.index.entries import Operation
from actors.index.parser import read_index
from actors.messages import Principal
from actors.profiles import Config
from actors.routing.table import RoutingTable
from actors.tenant.context import Binds, Context, Database, Row
from actors.tenant.database.connection import SharedEngine, open_tenant
from actors.tenant.database.constants import static_fragments
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.guard import AllowedSql
from actors.tenant.database.outbox_table import OutboxMessage
from actors.tenant.functions.search_index import words
from actors.tenant.request.connector_calls import NotEntitled
from actors.tenant.request.sends import Sends
from actors.tenant.storage.files import create_tenant
from actors.tenant.storage.migrations import Migrations

INDEX = read_index(Path(__file__).parents[4] / "registry.toml")
TABLE = RoutingTable.build(INDEX, "local-dev")
CODE = Codebase(INDEX.root)
FUNCTIONS: dict[str, Loaded] = {
    action.name: CODE.load(version.code)
    for action in INDEX.actions.values()
    for version in action.versions[:1]
    if version.code
}
"""Of every action that is implemented, the newest version."""

MIGRATIONS = Migrations(INDEX.storage.migrations)
KNOWN = AllowedSql(static_fragments({each.module for each in FUNCTIONS.values()}))
SHARED = SharedEngine()
TENANT_ID = "0" * 32
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


class Recorded:
    """ctx.db, with a record of what went through it."""

    def __init__(self, database: Database, ran: list[tuple[Executable, Any]]) -> None:
        self._database = database
        self._ran = ran

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Every row."""
        self._ran.append((statement, binds))
        return self._database.all(statement, binds)

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        self._ran.append((statement, binds))
        return self._database.first(statement, binds)

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None."""
        self._ran.append((statement, binds))
        return self._database.scalar(statement, binds)

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """How many rows it changed."""
        self._ran.append((statement, binds))
        return self._database.run(statement, binds)


class Desk:
    """A tenant's desk: each call is one message, begun a second after the one before."""

    def __init__(self, database: TenantDatabase) -> None:
        self._database = database
        self._ran: list[tuple[Executable, Any]] = []
        self.now = BEGIN
        self.subscriptions: set[str] = set()
        """Connectors that may be used; what is sent to them goes to `sent`, and no further."""
        self.sent: list[OutboxMessage] = []

    def __call__(self, name: str, /, **params: Any) -> dict[str, Any]:
        """Call an action; what it writes is undone where it raises, as in a tenant's turn."""
        parsed = INDEX.actions[name].params.parse(params)
        self.now += timedelta(seconds=1)
        self._database.begin_savepoint()
        try:
            result = self._run(name, params, parsed)
        except BaseException:
            self._database.rollback_to()
            raise
        self._database.release()
        return dict(result)

    def _run(self, name: str, params: Mapping[str, Any], parsed: Any) -> Mapping[str, Any]:
        action = INDEX.actions[name]
        read_only = action.effect == "read"
        with self._database.function_scope(
            params, math.inf, read_only=read_only, allowed_sql=KNOWN
        ) as database:
            recorded = Recorded(database, self._ran)
            sends = Sends(action, TABLE, self._require_subscribed)
            ctx = Context(recorded, "acme", MEMBER, name, self.now, "0" * 32, Config(), sends=sends)
            result: Mapping[str, Any] = FUNCTIONS[name].function(ctx, parsed)
            self.sent += sends.take() or []
        action.result.check(result)
        return result

    def _require_subscribed(self, operation: Operation) -> None:
        if operation.name.partition(".")[0] not in self.subscriptions:
            raise NotEntitled(operation.name)

    def pages(self, name: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """Every page of a listing, the first one first."""
        page = self(name, **params)
        yield page
        while page["next"] is not None:
            page = self(name, **params, after=page["next"])
            yield page

    @property
    def statements(self) -> list[str]:
        """The statements that the functions ran, in their order."""
        return [_written(statement)[0] for statement, _ in self._ran]

    def plan(self) -> str:
        """How SQLite runs the last statement (sqlite.org/eqp.html)."""
        statement, binds = self._ran[-1]
        sql, defaults = _written(statement)
        return "\n".join(row[3] for row in self.rows(f"EXPLAIN QUERY PLAN {sql}", defaults | binds))

    def rows(self, sql: str, binds: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement of the test itself, past everything that functions are held to."""
        return self._database._driver.execute(sql, binds or {}).fetchall()

    def check_search_index(self) -> None:
        """Raise where the full-text index and the contacts disagree."""
        self.rows("INSERT INTO contacts_fts(contacts_fts, rank) VALUES ('integrity-check', 1)")
        for name, email, company, known_by in self.rows(
            "SELECT name, email, company, words FROM contacts"
        ):
            known = words({"name": name, "email": email, "company": company})
            assert known_by == known, f"the words are not those of {name}"


def _written(statement: Any) -> tuple[str, dict[str, Any]]:
    """A statement as SQL with named parameters, and the values it brings itself."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    return str(compiled), dict(compiled.params)


def make_file(directory: Path) -> Path:
    """A tenant's file with the desk's tables and nothing in them."""
    file = directory / "tenant.db"
    create_tenant(MIGRATIONS.template(directory).read_bytes(), file, TENANT_ID)
    return file


@contextmanager
def open_desk(file: Path) -> Iterator[Desk]:
    """The desk in that file, for one transaction; it is not committed, so the file stays as it was."""
    schema = MIGRATIONS.schema_info()
    database = open_tenant(file, TENANT_ID, shared=SHARED, schema=schema)
    try:
        database.begin()
        yield Desk(database)
        database.rollback()
    finally:
        database.close()
