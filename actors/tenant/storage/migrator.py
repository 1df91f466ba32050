"""The Migrator: creates, migrates and archives tenants' files, one at a time.

Alembic keeps its context in module globals and is not thread-safe, so one actor alone uses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import structlog

from actors.errors import DatabaseProblem
from actors.messages import Migrate, Migrated
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox
from actors.tenant.storage.files import Storage
from actors.tenant.storage.upgrades import (
    Revisions,
    Upgraded,
    UpgradePlan,
    folder_of,
    require_same_folder,
)

log = structlog.get_logger()


class CreateFile(NamedTuple):
    """Ask: make this tenant's file. The reply comes when it is on disk. Fails with DatabaseProblem."""

    tenant_id: str


class Archive(NamedTuple):
    """Ask: make the last backup of this tenant, whose file is open nowhere, and remove the file.

    The reply is the backup's Path, when it is on disk and the file has gone, also if that was done before.
    Fails with DatabaseProblem if it cannot be done; the file is then as it was.
    """

    tenant_id: str


class ReadFolder(NamedTuple):
    """Ask: read a folder's migrations. Answered by an UpgradePlan; CodeProblem."""

    folder: Path | None
    """None where the application has no tables."""


class ReadIndex(NamedTuple):
    """Ask: read the migrations of an index as it is on disk. Answered by an UpgradePlan; CodeProblem."""

    registry: Path
    release: str | None = None
    """Name of a folder of releases in the data directory, whose index is read instead."""


class CountRevisions(NamedTuple):
    """Ask: how many of the application's revisions each file has been through, by tenant id, as a dict."""

    tenant_ids: tuple[str, ...]


class TryUpgrade(NamedTuple):
    """Ask: migrate a copy of a tenant's file, which may be open. Answered by None; DatabaseProblem."""

    tenant_id: str
    plan: UpgradePlan


class Upgrade(NamedTuple):
    """Ask: bring a tenant's file, which is open nowhere, to the head of the plan. Answered by Upgraded.

    CodeProblem if the plan's folder was edited since it was read; DatabaseProblem if the migration fails. The
    file is then as it was.
    """

    tenant_id: str
    plan: UpgradePlan


class FindChanged(NamedTuple):
    """Ask: which of these tenants' files are not known to be as the migration left them. A tuple of ids."""

    marks: tuple[tuple[str, str | None], ...]
    """Ids of tenants, each with `Upgraded.mark`."""


class PutBack(NamedTuple):
    """Ask: replace a tenant's file, which is open nowhere, by the copy from before its migration.

    Answered by None, when it is on disk. DatabaseProblem if the file was written to since, or if the copy is
    missing or damaged; nothing is changed then.
    """

    tenant_id: str
    mark: str
    head: int
    """Revisions of the application that the file has since the migration."""


class Serve(NamedTuple):
    """Ask: open files at these of the plan's revisions from now on. Answered by None."""

    plan: UpgradePlan
    revisions: Revisions


class Migrator(Actor):
    """Actor with a thread of its own, since a migration may take long."""

    def __init__(self, mailbox: Mailbox, storage: Storage) -> None:
        super().__init__(mailbox)
        self._storage = storage
        self._add_handlers(
            {
                CreateFile: lambda message: self._storage.create(message.tenant_id),
                Migrate: self._migrate,
                Archive: self._archive,
                ReadFolder: lambda message: storage.plan(message.folder),
                ReadIndex: lambda message: storage.plan(folder_of(storage.index_of(*message))),
                CountRevisions: lambda message: storage.revisions(message.tenant_ids),
                TryUpgrade: lambda message: storage.try_upgrade(*message),
                Upgrade: self._upgrade,
                FindChanged: self._find_changed,
                PutBack: lambda message: storage.put_back(*message),
                Serve: lambda message: storage.serve(*message),
            }
        )

    def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        """Send DatabaseProblem to the tenant whose migration crashed the Migrator twice."""
        if isinstance(message, Migrate):
            message.reply_to.tell(Migrated(message.mailbox, DatabaseProblem(repr(error))))
            return []
        return super().dead_letter(message, error)

    def _archive(self, message: Archive) -> Path:
        tenant_id = message.tenant_id
        backup = self._storage.archive(tenant_id)
        log.info("tenant archived", tenant_id=tenant_id, backup=str(backup))
        return backup

    def _upgrade(self, message: Upgrade) -> Upgraded:
        require_same_folder(message.plan)
        return self._storage.upgrade(message.tenant_id, message.plan)

    def _find_changed(self, message: FindChanged) -> tuple[str, ...]:
        return tuple(
            id_ for id_, mark in message.marks if not self._storage.is_unchanged(id_, mark)
        )

    def _migrate(self, message: Migrate) -> None:
        error = self._try_migration(message.tenant.id)
        message.reply_to.tell(Migrated(message.mailbox, error))

    def _try_migration(self, tenant_id: str) -> Exception | None:
        """Migrate a tenant's file; return the error, or None."""
        try:
            self._storage.migrate(tenant_id)
        except Exception as error:  # noqa: BLE001 - a migration is foreign code; the supervisor receives it
            return error
        log.info("tenant migrated", tenant_id=tenant_id)
        return None
