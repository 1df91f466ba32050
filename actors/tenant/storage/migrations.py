"""Bringing tenants' files to head with Alembic: the engine's own tables first, then the application's.

Alembic keeps its context in module globals, so one actor alone may call what is here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, StaticPool, create_engine

from actors.errors import CodeProblem, DatabaseProblem
from actors.host.disk import sync
from actors.host.files import private_directory, private_file
from actors.tenant.database.authorizer import (
    INTERNAL,
    FileVersion,
    SchemaInfo,
    read_revisions,
    read_schema,
    require_same_application,
)
from actors.tenant.database.connection import check_stamp, connect, problem, remove_draft
from actors.tenant.database.durability import checkpoint
from actors.tenant.storage.revisions import RevisionHistory, read_history

ENGINE_MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
"""The folder of the engine's own."""

TRANSACTION_ENDS: Final = frozenset({"COMMIT", "ROLLBACK"})

NAMES_SINCE: Final = 3
"""Engine revisions from which on a file says by name which of the application's it has been through."""

WRITES: Final = frozenset(
    getattr(sqlite3, f"SQLITE_{name}")
    for name in (
        *("INSERT", "UPDATE", "DELETE", "ALTER_TABLE", "CREATE_VTABLE", "DROP_VTABLE"),
        *(
            f"{how}_{what}"
            for how in ("CREATE", "DROP")
            for what in ("TABLE", "INDEX", "TRIGGER", "VIEW")
        ),
    )
)
"""What the authorizer is asked of every change."""


@cache
def engine_history(folder: Path) -> RevisionHistory:
    """Read the engine's own, which does not change while a process runs; as `read_history`."""
    return read_history(folder, "engine", "tenantry_alembic")


class Migrations:
    """The engine's and an application's migrations, read once.

    `application` is a folder as Alembic has it (versions/, and an env.py like the engine's own), or None
    where a backend has no tables. CodeProblem where a folder cannot be used.
    """

    def __init__(
        self,
        application: Path | None,
        *,
        engine: Path = ENGINE_MIGRATIONS,
        until: int | None = None,
    ) -> None:
        """`until` leaves out the application's revisions after the first so many; None for all of them."""
        own = engine_history(engine)
        theirs = read_history(application, "application", "alembic_version").until(until)
        self._histories = (own, theirs)
        self.version = FileVersion(len(own.revisions), len(theirs.revisions))
        self._schema: SchemaInfo | None = None

    @property
    def head(self) -> int:
        """`PRAGMA user_version` of a file at head."""
        return self.version.user_version

    @property
    def folder(self) -> Path | None:
        """The application's folder."""
        return self._histories[1].folder

    @property
    def names(self) -> tuple[str, ...]:
        """The application's revisions, each with the name of its file, from the first to the head."""
        return self._histories[1].names

    def version_of(self, path: Path) -> FileVersion:
        """Return how far a file is, which may be open elsewhere. DatabaseProblem as `upgrade` raises it."""
        with _opened(path) as driver:
            return self._version_of(path, driver)

    def schema_info(self) -> SchemaInfo:
        """The schema at head: the template's, or that of a database in memory, which is migrated for it."""
        if self._schema is None:
            with closing(self.in_memory()) as driver:
                self._schema = read_schema(driver)
        return self._schema

    def in_memory(self) -> sqlite3.Connection:
        """Return a database in memory that is at head and empty."""
        driver = sqlite3.connect(":memory:", isolation_level=None)
        self._run(driver)
        return driver

    def upgrade(
        self, path: Path, tenant_id: str | None = None, before: Callable[[], object] | None = None
    ) -> None:
        """Bring a tenant's file, open nowhere else, to head: wholly or not at all.

        `before` is called when all migrations have run and none is committed: to copy the file as it was.
        DatabaseProblem where it is damaged, not that tenant's, another application's, or newer than the
        code, and where a migration or the copy fails, which leaves the file as it was.
        """
        with _opened(path) as driver:
            if tenant_id is not None:
                check_stamp(path, driver, tenant_id)
            if self._version_of(path, driver) == self.version:
                return
            driver.execute(
                "PRAGMA journal_mode=WAL"
            )  # or `before` could not read beside the writer
            try:
                self._run(driver, before)
            except CodeProblem as error:
                raise DatabaseProblem(f"{path} is as it was: {error}") from error
            checkpoint(driver, path)

    def template(self, directory: Path) -> Path:
        """An empty file at head in this directory, from which tenants are copied; made once for each head.

        Its name holds a digest of the migrations, so that an edited one makes another template.
        """
        private_directory(directory)
        path = directory / f"template-{self.head}-{self._digest()}.db"
        if not self._is_template(path):
            draft = path.with_suffix(".new")
            self._make_template(draft)
            draft.rename(path)
            sync(directory)
        return path

    def _is_template(self, path: Path) -> bool:
        """Whether it is there, whole and at head: a full disk may have cut one short."""
        if not path.exists():
            return False
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as driver:
                found = driver.execute("PRAGMA quick_check").fetchall()
                if found != [("ok",)] or self._version_of(path, driver) != self.version:
                    return False
                self._schema = read_schema(driver)
                return True
        except (sqlite3.Error, DatabaseProblem):
            return False

    def _make_template(self, draft: Path) -> None:
        """Whole, checked and on disk when this returns; DatabaseProblem."""
        remove_draft(draft)
        try:
            os.close(private_file(draft))
            with closing(connect(draft)) as driver:
                driver.execute("PRAGMA journal_mode=WAL")
                self._run(driver)
                checkpoint(driver, draft)
            sync(draft)
        except (sqlite3.Error, OSError) as error:
            found = problem(draft, error)
            remove_draft(draft)
            raise found from error
        if not self._is_template(draft):
            raise DatabaseProblem(f"{draft} is not what was written: look at the disk")

    def _digest(self) -> str:
        digest = sha256()
        for history in self._histories:
            for file in history.files():
                digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def _version_of(self, path: Path, driver: sqlite3.Connection) -> FileVersion:
        driver.execute("SELECT id FROM tenantry_tenant").fetchall()  # or it is no tenant's
        at = FileVersion.of(driver.execute("PRAGMA user_version").fetchone()[0])
        self._require_ours(path, driver, at)
        if at.is_newer_than(self.version):
            raise DatabaseProblem(
                f"{path} has {at}, and this code knows {self.version}: it was used by newer code; run "
                "that, or restore an older backup"
            )
        return at

    def _require_ours(self, path: Path, driver: sqlite3.Connection, at: FileVersion) -> None:
        """DatabaseProblem where the file has been through another application's migrations."""
        history = self._histories[1]
        if at.engine >= NAMES_SINCE:
            require_same_application(path, read_revisions(driver), history.names)
        elif at.application:
            known = history.revisions[at.application - 1 : at.application]
            require_same_application(path, tuple(_recorded_revisions(history, driver)), known)

    def _run(self, driver: sqlite3.Connection, before: Callable[[], object] | None = None) -> None:
        """Run what is pending in one transaction, and write the new number and names in it."""
        engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: driver)
        with engine.connect() as connection:
            driver.execute(
                "PRAGMA foreign_keys=OFF"
            )  # rebuilding a table would take its children along
            driver.execute("BEGIN IMMEDIATE")
            with connection.begin():
                own, application = self._histories
                _upgrade(own, driver, connection, _deny_transaction_end)
                internal = _engine_tables(driver)
                _upgrade(application, driver, connection, _deny_engine_tables)
                _require_engine_tables_unchanged(application, internal, driver)
                _check_references(driver)
                _record_revisions(application, driver)
                driver.execute(f"PRAGMA user_version={self.head}")
                if before is not None:
                    before()


def _upgrade(
    history: RevisionHistory,
    driver: sqlite3.Connection,
    connection: Connection,
    rule: Callable[..., int],
) -> None:
    if not history.revisions or _recorded_revisions(history, driver) == [history.revisions[-1]]:
        return  # Alembic would load the whole folder to find that out
    from alembic import command  # where something is to migrate: it takes a sixth of a start

    driver.set_authorizer(rule)
    try:
        command.upgrade(history.config(connection), history.revisions[-1])
    except Exception as error:  # a migration is foreign code: whatever it raises is its failure
        denied = f"; the engine's tables ({INTERNAL}…) are not theirs" * (
            "not authorized" in str(error)
        )
        raise CodeProblem(
            f"the {history.name}'s migrations in {history.folder} failed in "
            f"{history.after(_recorded_revisions(history, driver))} ({type(error).__name__}: {error}"
            f"{denied}): mend them and try again"
        ) from error
    finally:
        driver.set_authorizer(None)
    _check_applied(history, driver)


def _deny_transaction_end(action: int, first: str | None, *_: str | None) -> int:
    """Keeps a migration from ending the transaction, which would leave half of it behind."""
    ends = action == sqlite3.SQLITE_TRANSACTION and first in TRANSACTION_ENDS
    return sqlite3.SQLITE_DENY if ends else sqlite3.SQLITE_OK


def _deny_engine_tables(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Keeps an application's migration away from the engine's tables, too: they are not its own."""
    named = [name.lower() for name in (first, second) if name]
    if action in WRITES and any(name.startswith(INTERNAL) for name in named):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and named == ["writable_schema", "on"]:
        return sqlite3.SQLITE_DENY
    return _deny_transaction_end(action, first)


def _engine_tables(driver: sqlite3.Connection) -> list[tuple[str, str]]:
    """The engine's tables as they are, and whose file it is."""
    tables = driver.execute("SELECT name, sql FROM sqlite_master WHERE name GLOB 'tenantry_*'")
    return [*sorted(tables), *driver.execute("SELECT id, created_at FROM tenantry_tenant")]


def _require_engine_tables_unchanged(
    history: RevisionHistory, before: list[tuple[str, str]], driver: sqlite3.Connection
) -> None:
    """By whichever way an application's migration may have come to them."""
    if _engine_tables(driver) != before:
        raise CodeProblem(
            f"the migrations in {history.folder} change the engine's own tables ({INTERNAL}…): let them be"
        )


def _record_revisions(history: RevisionHistory, driver: sqlite3.Connection) -> None:
    driver.execute("DELETE FROM tenantry_revisions")
    driver.executemany(
        "INSERT INTO tenantry_revisions (name) VALUES (?)", [(n,) for n in history.names]
    )


def _check_applied(history: RevisionHistory, driver: sqlite3.Connection) -> None:
    """Alembic is content when env.py did nothing at all."""
    if _recorded_revisions(history, driver) != [history.revisions[-1]]:
        raise CodeProblem(
            f"{history.folder}/env.py did not bring the database to {history.revisions[-1]}: it has to run "
            "on config.attributes['connection'] with the table config.attributes['version_table']"
        )


def _recorded_revisions(history: RevisionHistory, driver: sqlite3.Connection) -> list[str]:
    """The revisions that Alembic has written down in the file."""
    table = history.version_table
    if not driver.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
        return []
    query = f"SELECT version_num FROM {table}"  # noqa: S608  # one of two names of ours
    return [revision for (revision,) in driver.execute(query)]


def _check_references(driver: sqlite3.Connection) -> None:
    broken = driver.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise CodeProblem(
            f"the migrations leave rows of {broken[0]} that refer to missing rows of {broken[2]}"
        )


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, with the driver's errors in words."""
    try:
        with closing(connect(path)) as driver:
            yield driver
    except sqlite3.Error as error:
        raise problem(path, error) from error
