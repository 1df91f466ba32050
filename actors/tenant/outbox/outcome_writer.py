"""Writes what became of deliveries, and of the actions that were notified of it.

While the disk takes nothing there are pauses, each twice as long, so that nothing is repeated at once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from typing import Final

import structlog

from actors.messages import TenantRecord
from actors.tenant.database.outbox_table import OutboxRow, OutboxTable
from actors.tenant.outbox.attempt import (
    MAX_ATTEMPTS,
    MAX_NOTIFICATIONS,
    RETRYABLE,
    DeliveryOutcome,
    backoff,
    error_text,
)
from actors.tenant.request.unit_of_work import UnitOfWork
from transport.message import ABORTED, INTERNAL, UNAVAILABLE, Refusal

log = structlog.get_logger()

FIRST_PAUSE: Final = 1.0
"""Seconds of pause after an outcome that could not be written, for a full or broken disk; each further pause
is twice as long."""

LONGEST_PAUSE: Final = 30.0

NEEDS_OPERATOR: Final = frozenset({*RETRYABLE, INTERNAL, ABORTED})
"""Refusals of a notified action that has not processed the outcome. ABORTED: it was cut off halfway."""


class OutcomeWriter:
    """Writes outcomes of one tenant's deliveries, in its turn."""

    def __init__(self, record: TenantRecord, unit_of_work: UnitOfWork) -> None:
        self._record = record
        self._unit_of_work = unit_of_work
        self.paused_until = -inf
        """time.monotonic() in seconds, until when nothing is to be begun that would have to be written."""
        self._pause_seconds = FIRST_PAUSE

    def write(self, outcomes: list[tuple[OutboxRow, DeliveryOutcome]]) -> None:
        """Write outcomes. If there is no room for them, the attempts count as failed and are repeated."""
        try:
            self._unit_of_work.run_alone(lambda: self._store_outcomes(outcomes))
        except sqlite3.Error as error:
            self._pause(error)
            late = Refusal(UNAVAILABLE, f"the outcome could not be written ({error})")
            with suppress(sqlite3.Error):
                self._unit_of_work.run_alone(
                    lambda: self._postpone_all([row for row, _ in outcomes], late)
                )
        else:
            self._pause_seconds = FIRST_PAUSE

    def write_notified(self, row: OutboxRow, refusal: Refusal | None) -> None:
        """Write what a notified action answered, in a transaction of its own."""
        try:
            self._unit_of_work.run_alone(lambda: self._store_notified(row, refusal))
        except sqlite3.Error as error:
            self._pause(error)
        else:
            self._pause_seconds = FIRST_PAUSE

    def _store_outcomes(self, outcomes: Iterable[tuple[OutboxRow, DeliveryOutcome]]) -> None:
        for row, outcome in outcomes:
            self._store_outcome(row, outcome)

    def _postpone_all(self, rows: Iterable[OutboxRow], refusal: Refusal) -> None:
        for row in rows:
            until = time.time() + backoff(row.attempts + 1, refusal)
            self._table.postpone(row.id, until, error_text(refusal))

    def _store_outcome(self, row: OutboxRow, outcome: DeliveryOutcome) -> None:
        now, attempts, refusal = time.time(), row.attempts + 1, outcome.refusal
        if refusal is not None and outcome.is_retryable and attempts < MAX_ATTEMPTS:
            self._table.postpone(row.id, now + backoff(attempts, refusal), error_text(refusal))
            return
        if refusal is not None:
            self._log_given_up(row, refusal)
        if refusal is None and row.then_action is None:
            self._table.remove(row.id)
        else:
            tell_at = None if row.then_action is None else now
            error = refusal and error_text(refusal)
            self._table.finish(row.id, outcome.as_map(), tell_at=tell_at, error=error)
        if row.ordered:
            self._table.release_next(row.operation, now)

    def _store_notified(self, row: OutboxRow, refusal: Refusal | None) -> None:
        """Store what a notified action answered. Its refusal is in the tenant's log."""
        if refusal is None or refusal.code not in NEEDS_OPERATOR:
            self._table.mark_notified(row.id)
        elif refusal.code == ABORTED or row.tellings + 1 >= MAX_NOTIFICATIONS:
            self._log_given_up(row, refusal)
            self._table.mark_dead(row.id, f"{row.then_action}: {error_text(refusal)}")
        else:
            until = time.time() + backoff(row.tellings + 1, refusal)
            self._table.retry_notification(
                row.id, until, f"{row.then_action}: {error_text(refusal)}"
            )

    def _log_given_up(self, row: OutboxRow, refusal: Refusal) -> None:
        log.warning(
            "delivery given up",
            tenant=self._record.name,
            tenant_id=self._record.id,
            operation=row.operation,
            delivery=row.id,
            trace_id=row.trace_id,
            error=error_text(refusal),
        )

    def _pause(self, error: sqlite3.Error) -> None:
        """Pause after a failed write. Deliveries are repeated with the same keys, but not at once."""
        self.paused_until = time.monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE)
        log.error(
            "delivery outcomes not written",
            tenant=self._record.name,
            tenant_id=self._record.id,
            exc_info=error,
        )

    @property
    def _table(self) -> OutboxTable:
        return self._unit_of_work.database.outbox
