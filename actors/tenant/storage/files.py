"""Files of tenants: where they are; creation, backups and archiving.

The last backup of a deleted tenant is made, checked and on disk before its file is removed. The order is the
promise: copy, check, sync, rename, and only then remove. After a crash at any point, the tenant's file or a
whole backup exists, and a repetition succeeds.

A new tenant's file is a copy of the template, stamped with its id, and synced before it gets its name.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from actors.errors import DatabaseProblem
from actors.host.disk import sync
from actors.host.files import private_directory, private_file
from actors.messages import TENANT_ID, TenantRecord
from actors.tenant.database.authorizer import SchemaInfo
from actors.tenant.database.connection import (
    SharedEngine,
    StorageLimits,
    check_stamp,
    connect,
    open_tenant,
    problem,
    remove_draft,
)
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.durability import checkpoint
from actors.tenant.storage.migrations import Migrations
from actors.tenant.storage.outbox_marker import OutboxFlag, due_flags, remove_flag
from actors.tenant.storage.upgrades import (
    NEWEST,
    Revisions,
    Upgraded,
    UpgradePlan,
    is_unchanged,
    mark_of,
    put_back,
    read_plan,
    revisions_of,
    settle,
    try_upgrade,
)

SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""Files that SQLite keeps beside a database. They are removed after it: without it they have no owner."""


def archive_tenant(path: Path, backups: Path, tenant_id: str) -> Path:
    """Move a tenant's file, open nowhere, into a backup, and return the backup's path.

    If the file is gone and a backup exists, that is returned: the tenant was archived before. Raises
    DatabaseProblem if the file cannot be archived (no room, a damaged file, another tenant's); it then stays.
    """
    try:
        found = _make_backup if path.exists() else _newest_backup
        backup = found(path, backups, tenant_id)
        _remove(pre_migration_path(backups, tenant_id))
        _remove(path)
        sync(path.parent)
    except OSError as error:
        raise DatabaseProblem(f"{path} could not be moved into {backups}: {error}") from error
    return backup


def copy_before_migration(path: Path, backups: Path, tenant_id: str) -> Path:
    """Copy a tenant's file, checked and on disk, in place of the copy before the last migration.

    Uncommitted effects of another connection are not in it. Raises DatabaseProblem if it cannot be made; the
    older copy then stays.
    """
    kept = pre_migration_path(backups, tenant_id)
    _make_copy(path, kept.with_suffix(".new"), kept, tenant_id)
    return kept


def pre_migration_path(backups: Path, tenant_id: str) -> Path:
    """Return the path of the copy from before the tenant's last migration."""
    return backups / "before-migration" / f"{tenant_id}.db"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    for end in SIDE_FILES:
        path.with_name(path.name + end).unlink(missing_ok=True)


def _newest_backup(path: Path, backups: Path, tenant_id: str) -> Path:
    found = sorted(backups.glob(f"{tenant_id}-*.db"))  # the time in the name sorts as text
    if not found:
        raise DatabaseProblem(
            f"{path} is missing, and {backups} has no backup of it: restore it from elsewhere, or see "
            "who removed it"
        )
    return found[-1]


def _make_backup(path: Path, backups: Path, tenant_id: str) -> Path:
    backup = backups / f"{tenant_id}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.db"
    # One draft for each tenant: a failure leaves no heap of them.
    _make_copy(path, backups / f"{tenant_id}.new", backup, tenant_id)
    return backup


def _make_copy(path: Path, draft: Path, copy: Path, tenant_id: str) -> None:
    """Make a copy that gets its name once it is whole, checked and on disk. Raises DatabaseProblem."""
    try:
        private_directory(copy.parent)
        _remove(draft)
        _copy(path, draft, tenant_id)
        sync(draft)
        draft.rename(copy)
        sync(copy.parent)
    except (OSError, sqlite3.Error, DatabaseProblem) as error:
        _remove(draft)
        raise _copy_failed(path, draft, error) from error


def _copy(path: Path, draft: Path, tenant_id: str) -> None:
    """Copy all pages, including those in a -wal, into one file that needs no -wal."""
    os.close(private_file(draft))
    with closing(connect(path)) as source, closing(connect(draft)) as target:
        check_stamp(path, source, tenant_id)
        source.backup(target, progress=_no_busy_wait)
        target.execute("PRAGMA journal_mode=DELETE")
        found = [row[0] for row in target.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise DatabaseProblem(f"{path} is damaged ({found[0]}): repair it, or restore it")


def _no_busy_wait(status: int, _remaining: int, _total: int) -> None:
    """Fail at once: the driver would retry for ever, and no process may hold a deleted tenant's file."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise DatabaseProblem("another process holds the file: stop that one")


def _copy_failed(path: Path, draft: Path, error: Exception) -> DatabaseProblem:
    if isinstance(error, sqlite3.Error):
        error = problem(path, error)
    return DatabaseProblem(f"{draft} could not be made, so {path} stays: {error}")


def tenant_path(directory: Path, tenant_id: str) -> Path:
    """Return the path of a tenant's database, from its generated id: no name ever becomes part of a path."""
    if not TENANT_ID.fullmatch(tenant_id):
        raise DatabaseProblem(f"{tenant_id!r} is no tenant's id: that is 32 hexadecimal digits")
    return directory / f"{tenant_id}.db"


def create_tenant(template: bytes, path: Path, tenant_id: str) -> None:
    """Make the tenant's file from a template's content (Migrations.template); on disk when this returns.

    Raises DatabaseProblem if it exists already or cannot be written. A crash halfway leaves a `.new` file,
    which the next start removes.
    """
    if path.exists():
        raise DatabaseProblem(f"{path} is there already: a tenant's file is made once")
    private_directory(path.parent)
    draft = path.with_suffix(".new")
    remove_draft(draft)
    try:
        _write(template, draft)
        _stamp(draft, tenant_id)
        sync(draft)
        draft.rename(path)
        sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        found = problem(draft, error)
        for left in (draft, path):  # it is not in use yet
            remove_draft(left)
        raise found from error


def remove_drafts(directory: Path) -> None:
    """Remove the drafts of a process that died, while no other process makes any. Errors are ignored."""
    for draft in directory.glob("*.new"):
        with suppress(OSError):
            remove_draft(draft)


def _write(template: bytes, draft: Path) -> None:
    with os.fdopen(private_file(draft), "wb") as target:
        target.write(template)


def _stamp(draft: Path, tenant_id: str) -> None:
    with closing(connect(draft)) as driver:
        driver.execute(
            "PRAGMA synchronous=OFF"
        )  # the file is synced as a whole, and then gets its name
        driver.execute(
            "INSERT INTO tenantry_tenant (id, created_at) VALUES (?, ?)",
            (tenant_id, datetime.now(UTC).isoformat(timespec="milliseconds")),
        )
        checkpoint(driver, draft)  # closing says nothing where that fails


class ServedRevisions(NamedTuple):
    """Which files are opened: those at any of the application's revisions from the first to the last.

    New tenants are made at the first, and older ones are brought to it. There are several while the tenants
    of a running server are migrated one by one, and the code works with all of them.
    """

    lines: tuple[Migrations, ...]
    schemas: tuple[SchemaInfo, ...]
    """Of the lines, the newest first."""
    template: bytes
    """Content of the file that new tenants are copied from."""


class Storage:
    """Access to tenants' files.

    Tenants call `open` and the flags in their turn; the Migrator calls the rest. What is served is replaced
    as a whole, by one reference.
    """

    def __init__(
        self,
        data: Path,
        application: Path | None,
        database_bytes: int,
        age: Callable[[], float] = time.time,
        revisions: Revisions = NEWEST,
    ) -> None:
        """`age` returns seconds since the epoch; replies expire by it. Files at `revisions` are served."""
        self._age = age
        self._tenants = data / "tenants"
        self._backups = data / "backups"
        self._flags = data / "outbox"
        self._templates = data / "templates"
        self._releases = data / "release"
        self._scratch = data / "scratch"
        for directory in (self._tenants, self._templates):
            remove_drafts(directory)
        shutil.rmtree(self._scratch, ignore_errors=True)  # of a dry run that was cut short
        self._served = self._serving(application, revisions)
        self.database_bytes = database_bytes
        """Largest database of a tenant with no limit of its own, in bytes."""
        self._shared = SharedEngine()

    def path(self, tenant_id: str) -> Path:
        """Return the path of the tenant's file."""
        return tenant_path(self._tenants, tenant_id)

    def open(self, tenant: TenantRecord) -> TenantDatabase:
        """Open the tenant's file. Raises MigrationNeeded or DatabaseProblem."""
        newest, *older = self._served.schemas
        database = open_tenant(
            self.path(tenant.id),
            tenant.id,
            shared=self._shared,
            schema=newest,
            older=tuple(older),
            limits=StorageLimits(self.database_bytes),
        )
        database.age = self._age
        return database

    def create(self, tenant_id: str) -> None:
        """Make the tenant's file, on disk when this returns. Raises DatabaseProblem."""
        create_tenant(self._served.template, self.path(tenant_id), tenant_id)

    def migrate(self, tenant_id: str) -> None:
        """Bring the tenant's file, open nowhere, to what is served: wholly or not at all.

        The copy in backups/before-migration is replaced by one of the file before this migration. Raises
        DatabaseProblem.
        """
        lines = self._served.lines
        known = revisions_of(self.path(tenant_id)) or 0
        self._upgrade(
            tenant_id, next((e for e in lines if e.version.application >= known), lines[-1])
        )

    def _upgrade(self, tenant_id: str, line: Migrations) -> None:
        path = self.path(tenant_id)
        line.upgrade(path, tenant_id, lambda: copy_before_migration(path, self._backups, tenant_id))

    # Migrations of a running server

    def index_of(self, registry: Path, release: str | None) -> Path:
        """Return the path of the index of a release, or this one with None."""
        return registry if release is None else self._releases / release / registry.name

    def plan(self, folder: Path | None) -> UpgradePlan:
        """Read a folder's migrations. Raises CodeProblem."""
        return read_plan(folder, self._served.lines[0])

    def revisions(self, tenant_ids: Iterable[str]) -> dict[str, int | None]:
        """Return how many of the application's revisions each file has; None if it cannot be read."""
        return {id_: revisions_of(self.path(id_)) for id_ in tenant_ids}

    def try_upgrade(self, tenant_id: str, plan: UpgradePlan) -> None:
        """Migrate a copy of the tenant's file, which may be open. Raises DatabaseProblem."""
        try_upgrade(self.path(tenant_id), tenant_id, plan, self._scratch)

    def upgrade(self, tenant_id: str, plan: UpgradePlan) -> Upgraded:
        """Bring the tenant's file, open nowhere, to the head of the plan: wholly or not at all.

        Raises DatabaseProblem.
        """
        path = self.path(tenant_id)
        origin = plan.migrations.version_of(path).application
        self._upgrade(tenant_id, plan.migrations)
        settle(path)
        return Upgraded(origin, mark_of(path) if origin < plan.head else None)

    def is_unchanged(self, tenant_id: str, mark: str | None) -> bool:
        """Return whether a tenant's file is known to be as the migration left it."""
        return is_unchanged(self.path(tenant_id), mark)

    def put_back(self, tenant_id: str, mark: str, head: int) -> None:
        """Replace the tenant's file, open nowhere, by the copy from before its migration.

        `head` is the number of revisions that it has since. Raises DatabaseProblem, with nothing changed, if
        the file was written to since.
        """
        backup = pre_migration_path(self._backups, tenant_id)
        put_back(self.path(tenant_id), backup, tenant_id, mark, head)

    def serve(self, plan: UpgradePlan, revisions: Revisions) -> None:
        """Open files at these of the plan's revisions from now on. Raises CodeProblem."""
        self._served = self._serving(plan.migrations.folder, revisions)

    def _serving(self, folder: Path | None, revisions: Revisions) -> ServedRevisions:
        newest = Migrations(folder, until=revisions.last)
        last = newest.version.application
        first = last if revisions.first is None else min(revisions.first, last)
        older = [Migrations(folder, until=count) for count in range(first, last)]
        lines = (*older, newest)
        template = lines[0].template(self._templates).read_bytes()
        return ServedRevisions(
            lines, tuple(each.schema_info() for each in reversed(lines)), template
        )

    def archive(self, tenant_id: str) -> Path:
        """Move the tenant's file, open nowhere, into a last backup.

        Return its path. Raises DatabaseProblem.
        """
        backup = archive_tenant(self.path(tenant_id), self._backups, tenant_id)
        remove_flag(self._flags, tenant_id)
        return backup

    def outbox_flag(self, tenant_id: str) -> OutboxFlag:
        """Return the flag file of the tenant's outbox."""
        return OutboxFlag(self._flags, tenant_id)

    def due_flags(self, now: float) -> list[str]:
        """Return the ids of tenants whose outbox is due by now, the longest due first."""
        return due_flags(self._flags, now)
