"""Tenants on their way out: their files closed for good, then archived, then forgotten.

Nothing here is kept: what a restart interrupts is begun again by the next sweep, from what the file says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import structlog

from actors.messages import Retire, TenantRecord
from actors.runtime.futures import Answer
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

Archiving = Callable[[str], Answer]
"""Begin the last backup of the tenant of this id, after which its file goes; the answer is its Path."""


class Archived(NamedTuple):
    """To the Directory: what came of a tenant's last backup is there."""

    tenant: TenantRecord
    backup: Answer


class Retirements:
    """Those under way, for one incarnation of the Directory: it alone begins and ends them."""

    def __init__(self, mailbox: Mailbox, supervisor: Mailbox, archive: Archiving) -> None:
        self._mailbox = mailbox
        self._supervisor = supervisor
        self._archive = archive
        self._under_way: set[str] = set()

    def begin(self, tenants: Iterable[TenantRecord]) -> None:
        """Have their files closed; each is answered by Retired. Not twice while one is under way."""
        for tenant in tenants:
            if tenant.id not in self._under_way:
                self._under_way.add(tenant.id)
                self._supervisor.tell(Retire(tenant, self._mailbox))

    def archive(self, tenant: TenantRecord) -> None:
        """Its file is closed: have it archived, which may take long. Archived says when that has ended."""
        if tenant.id not in self._under_way:
            return  # begun by an incarnation before: the next sweep begins it again
        answer = self._archive(tenant.id)
        answer.listen(lambda: self._mailbox.tell(Archived(tenant, answer)))

    def end(self, message: Archived) -> Path | None:
        """The backup; None where it failed (the next sweep tries again), and where it was heard before."""
        tenant = message.tenant
        if tenant.id not in self._under_way:
            return None
        self._under_way.discard(tenant.id)
        try:
            backup: Path = message.backup.get(timeout=0)
        except Exception as error:  # no disk, say: the tenant stays until there is
            log.error("a deleted tenant was not archived", tenant=tenant.name, exc_info=error)
            return None
        return backup
