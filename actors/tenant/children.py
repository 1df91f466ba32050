"""How the actors of tenants are started: the Migrator, the OutboxWaker, and a Tenant when mail comes."""

from __future__ import annotations

from collections.abc import Callable

from actors.messages import PublishAll, TenantRecord
from actors.registry.shared import Shared
from actors.runtime.lifecycle import StartChild, supervised
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken
from actors.tenant.actor import Tenant
from actors.tenant.outbox.waker import TICK_SECONDS, OutboxWaker, Tick
from actors.tenant.resources import TenantResources
from actors.tenant.storage.files import Storage
from actors.tenant.storage.migrator import Migrator


def children(shared: Shared, storage: Storage) -> list[StartChild]:
    """Return the Migrator, and the OutboxWaker."""
    actors = shared.actors
    return [
        supervised(actors.migrator, lambda box: Migrator.start(box, storage)),
        supervised(
            actors.waker,
            lambda box: OutboxWaker.start(
                box,
                actors.supervisor,
                storage.due_flags,
                read_directory=lambda: actors.directory.tell(PublishAll(box)),
            ),
            (TICK_SECONDS, Tick()),
        ),
    ]


def starter(
    shared: Shared, storage: Storage, compute: ComputeToken
) -> Callable[[TenantRecord, Mailbox], object]:
    """Return a function that starts a tenant; `compute` lets one of them compute at a time."""
    actors = shared.actors

    def start(record: TenantRecord, mailbox: Mailbox) -> object:
        given = TenantResources(
            storage,
            shared.snapshot,
            shared.profiles,
            actors.connectors,
            actors.clock,
            actors.intent_monitor,
            shared.request_log(),
            compute,
            shared.now,
        )
        return Tenant.start(mailbox, record, given)

    return start
