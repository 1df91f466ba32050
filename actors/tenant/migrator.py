"""The Migrator: makes tenants' files and brings them to head, one at a time.

Alembic keeps its context in module globals, hence is not thread-safe: an actor is exactly the cure.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import structlog

from actors.actor import Actor
from actors.errors import DatabaseProblem
from actors.mailbox import Mailbox
from actors.messages import Migrate, Migrated
from actors.tenant.storage import Storage

log = structlog.get_logger()


class CreateFile(NamedTuple):
    """Ask: make this tenant's file. Answered when it is on disk; DatabaseProblem."""

    tenant_id: str


class Migrator(Actor):
    """Has a thread of its own: a migration may take long."""

    def __init__(self, mailbox: Mailbox, storage: Storage) -> None:
        super().__init__(mailbox)
        self._storage = storage

    def on_receive(self, message: Any) -> None:
        """CreateFile and Migrate."""
        match message:
            case CreateFile(tenant_id):
                self._storage.create(tenant_id)
            case Migrate(tenant, mailbox, reply_to):
                reply_to.tell(Migrated(mailbox, self._migrated(tenant.id)))
            case _:
                raise TypeError(f"the Migrator has no handler for {type(message).__name__}")

    def bury(self, message: Any, error: BaseException) -> list[Any]:
        """A migration that ended the Migrator twice: the tenant that waits for it hears of it."""
        if isinstance(message, Migrate):
            message.reply_to.tell(Migrated(message.mailbox, DatabaseProblem(repr(error))))
            return []
        return super().bury(message, error)

    def _migrated(self, tenant_id: str) -> Exception | None:
        """Why it could not be, or None."""
        try:
            self._storage.migrate(tenant_id)
        except Exception as error:  # noqa: BLE001 - a migration is foreign code; the supervisor hears of it
            return error
        log.info("tenant migrated", tenant_id=tenant_id)
        return None
