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
