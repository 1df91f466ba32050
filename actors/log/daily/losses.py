"""Counts the lines that a disk did not take, and reports them to the ErrorLog once it takes more."""

from __future__ import annotations

from typing import Any

import structlog

from actors.log.daily.budget import SOURCE
from actors.log.error_record import LossCounter
from actors.log.messages import Count, ErrorEvent
from actors.messages import TenantRecord
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()


class LossReporter:
    """Lost lines by tenant; false while none are counted."""

    def __init__(self, stats: Mailbox | None, error_log: Mailbox | None) -> None:
        """`stats` gets the counts; without an `error_log` reports go to standard error."""
        self._stats = stats
        self._error_log = error_log
        self._losses: dict[str, tuple[TenantRecord, LossCounter]] = {}

    def __bool__(self) -> bool:
        return bool(self._losses)

    def add(self, tenant: TenantRecord, first: float, last: float, count: int) -> None:
        """Count lines of a tenant that were lost; the times are in seconds since the epoch."""
        _, loss = self._losses.setdefault(tenant.id, (tenant, LossCounter()))
        loss.add(first, last, count)
        if self._stats is not None:
            self._stats.tell(Count("log.lost", count))

    def send_all(self, now: float) -> None:
        """Report what every tenant has lost."""
        for tenant_id in list(self._losses):
            self.send(tenant_id, now)

    def send(self, tenant_id: str, now: float) -> None:
        """Report what one tenant has lost, if anything."""
        if tenant_id not in self._losses:
            return
        tenant, loss = self._losses.pop(tenant_id)
        about = {"source": SOURCE, "tenant": tenant.name, "tenant_id": tenant.id}
        self._report(loss.record(now, **about))

    def _report(self, record: dict[str, Any]) -> None:
        if self._error_log is None:
            log.error(**record)
        else:
            self._error_log.tell(ErrorEvent(record))
