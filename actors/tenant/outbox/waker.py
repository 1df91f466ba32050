"""The OutboxWaker: wakes tenants with due deliveries, after a start, a resumption, and when a retry is due.

It reads the names of the flag files, one for each tenant with rows in its outbox, and opens no database.
Resident tenants have timers of their own. The others are woken a few at a time, so that callers' tenants stay
resident.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from actors.host.disk_errors import error_text, is_passing
from actors.messages import (
    ACTIVE,
    DirectoryChanged,
    FindTenant,
    OutboxDue,
    TenantAddress,
    TenantRecord,
)
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

TICK_SECONDS: Final = 0.5
"""Seconds between two groups of wake-ups."""

WAKES_AT_ONCE: Final = 10
"""Tenants woken in one tick: 20 a second, while opening one takes a millisecond."""

SCAN_EVERY: Final = 20
"""Ticks between two scans of the flags."""


class Tick(NamedTuple):
    """From the Clock, every TICK_SECONDS."""


class OutboxWaker(Actor):
    """Wakes active tenants whose outbox is due; the Directory publishes which tenants are active."""

    def __init__(
        self,
        mailbox: Mailbox,
        supervisor: Mailbox,
        due_flags: Callable[[float], list[str]],
        read_directory: Callable[[], object],
    ) -> None:
        """`due_flags` returns ids of tenants that are due at a time, in seconds since the epoch."""
        super().__init__(mailbox)
        self._supervisor = supervisor
        self._due_flags = due_flags
        self._read_directory = read_directory
        self._active: dict[str, TenantRecord] = {}
        self._queue: dict[str, None] = {}
        self._changed: set[str] = set()
        """Tenants whose record changed: resident ones are woken, too."""
        self._ticks = 0
        self._scan_failed = False
        """Whether the last scan of the flags failed."""
        self._add_handlers(
            {
                DirectoryChanged: self._on_directory_changed,
                Tick: lambda _: self._tick(),
                TenantAddress: self._wake,
            }
        )

    def on_start(self) -> None:
        """Read the Directory, since a restarted actor has no tenants."""
        self._read_directory()

    def _on_directory_changed(self, change: DirectoryChanged) -> None:
        if change.complete:
            self._active.clear()
        for tenant in (*change.forgotten, *change.tenants):
            self._active.pop(tenant.id, None)
        self._active.update((each.id, each) for each in change.tenants if each.status == ACTIVE)
        if change.tenants:
            self._scan_flags({each.id for each in change.tenants})
            self._changed.update(self._queue)

    def _wake(self, found: TenantAddress) -> None:
        """Wake a tenant. A resident one has its own timer, unless it was suspended until now."""
        tenant, mailbox = found
        is_changed = tenant.id in self._changed
        self._changed.discard(tenant.id)
        if mailbox.closing is None and (is_changed or mailbox.incarnation is None):
            mailbox.tell(OutboxDue())

    def _tick(self) -> None:
        if self._ticks % SCAN_EVERY == 0 or self._scan_failed:
            self._scan_flags()
        self._ticks += 1
        for tenant_id in list(self._queue)[:WAKES_AT_ONCE]:
            del self._queue[tenant_id]
            tenant = self._active.get(tenant_id)
            if tenant is not None:
                self._supervisor.tell(FindTenant(tenant, self.mailbox))

    def _scan_flags(self, only: set[str] | None = None) -> None:
        """Scan the flags of all tenants, or of these tenants only."""
        for tenant_id in self._read_flags():
            if tenant_id in self._active and (only is None or tenant_id in only):
                self._queue[tenant_id] = None

    def _read_flags(self) -> list[str]:
        """Return no ids if the disk or the file descriptors do not allow it now.

        The next tick tries again.
        """
        try:
            found = self._due_flags(time.time())
        except OSError as error:
            if not is_passing(error):
                raise
            if not self._scan_failed:
                log.error("outbox flags not readable", error=error_text(error))
            self._scan_failed = True
            return []
        self._scan_failed = False
        return found
