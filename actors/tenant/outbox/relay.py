"""The outbox relay of a tenant: attempts at deliveries, their outcomes, and callbacks to `then` actions.

The order is the promise. A delivery leaves after the commit that it is part of. Its outcome is on disk before
any action is notified. The effects of the notified action and the removal of the row are one commit. After a
crash at any point, the rest is repeated: an attempt with the same key, a notification with the same id.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import inf
from typing import Final

import structlog

from actors.messages import CallConnector, Delivered, OutboxDue, TenantRecord
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.clock import DeadlineTimer
from actors.runtime.mailbox import Mailbox
from actors.tenant.database.outbox_table import WAITING, OutboxRow, OutboxTable
from actors.tenant.outbox.attempt import (
    MAX_ATTEMPTS,
    MAX_NOTIFICATIONS,
    RETRYABLE,
    DeliveryAttempt,
    DeliveryOutcome,
    backoff,
    error_text,
    outcome_of,
)
from actors.tenant.request.callback import CallbackResult, CallbackSink, callback_request
from actors.tenant.request.connector_calls import start_call
from actors.tenant.request.sends import OutboxWriter
from actors.tenant.request.unit_of_work import UnitOfWork
from transport.message import ABORTED, INTERNAL, UNAVAILABLE, Refusal

log = structlog.get_logger()

MAX_IN_FLIGHT: Final = 16
"""Deliveries and notifications of one tenant in flight at once, so that no tenant occupies a connector."""

FIRST_PAUSE: Final = 1.0
"""Seconds of pause after an outcome that could not be written, for a full or broken disk; each further pause
is twice as long."""

LONGEST_PAUSE: Final = 30.0

NEEDS_OPERATOR: Final = frozenset({*RETRYABLE, INTERNAL, ABORTED})
"""Refusals of a notified action that has not processed the outcome. ABORTED: it was cut off halfway."""


class OutboxRelay:
    """Relays one tenant's outbox while the tenant is resident. Belongs to its turn alone."""

    def __init__(
        self,
        record: TenantRecord,
        mailbox: Mailbox,
        unit_of_work: UnitOfWork,
        outbox: OutboxWriter,
        connectors: Mapping[str, Mailbox],
        clock: Mailbox | None,
        profiles: Profiles,
        snapshot: RoutingSnapshot,
    ) -> None:
        """`mailbox` is the tenant's, which is sent Delivered, CallbackResult and Due."""
        self._record = record
        self._mailbox = mailbox
        self._unit_of_work = unit_of_work
        self._outbox = outbox
        self._connectors = connectors
        self._profiles = profiles
        self._snapshot = snapshot
        self._callback_sink = CallbackSink(mailbox)
        self._attempts: dict[int, DeliveryAttempt] = {}
        self._notifications: set[int] = set()
        self._answered_attempts: deque[DeliveryAttempt] = deque()  # by the threads that answer
        self._paused_until = -inf
        self._pause_seconds = FIRST_PAUSE
        self._waits = False
        self._alarm = DeadlineTimer(clock, mailbox, lambda: self._waits, OutboxDue())

    def __len__(self) -> int:
        """Deliveries that connectors work on."""
        return len(self._attempts)

    def open(self) -> None:
        """Start what was left, once the database is open. Set the flag, since a backup has none."""
        if self._table.first() is not None:
            self._outbox.flag.set()
            self.run()

    def close(self) -> None:
        """Stop, since the tenant leaves.

        Later replies are dropped, and the deliveries retried with the same key.
        """
        self._attempts.clear()
        first = self._table.first()
        self._waits = first is not None
        self._outbox.flag.clear(first)

    def abandon(self) -> None:
        """Stop without the database."""
        self._attempts.clear()

    def run(self) -> None:
        """Start what is due, up to MAX_IN_FLIGHT, and arm the timer for the rest."""
        self._outbox.has_new = False
        now = time.time()
        if self._may_send():
            for row in self._table.due(now, 2 * MAX_IN_FLIGHT):
                if len(self._attempts) + len(self._notifications) >= MAX_IN_FLIGHT:
                    break
                if row.id not in self._attempts and row.id not in self._notifications:
                    self._start(row)
        self._arm_timer(now)

    def on_due(self) -> None:
        """Handle OutboxDue from the timer or the OutboxWaker: fail overdue attempts, start what is due."""
        now = time.monotonic()
        for attempt in self._attempts.values():
            if attempt.given_up_at <= now:
                attempt.give_up()
        self.on_reply()

    def on_reply(self) -> None:
        """Write the outcomes of all replies in one transaction."""
        outcomes = []
        while self._answered_attempts:
            attempt = self._answered_attempts.popleft()  # it may be in there twice
            if self._attempts.get(attempt.row.id) is attempt:
                del self._attempts[attempt.row.id]
                outcomes.append((attempt.row, outcome_of(attempt)))
        if outcomes:
            self._write(outcomes)
        self.run()

    def on_notified(self, message: CallbackResult) -> None:
        """Handle the result of a callback.

        If the action accepted, its own transaction has removed the row.
        """
        self._notifications.discard(message.row)
        row = self._table.get(message.row)
        if row is not None and row.outcome is not None and row.next_at is not None:
            try:
                self._unit_of_work.run_alone(lambda: self._on_outcome(row, message.refusal))
            except sqlite3.Error as error:
                self._backoff(error)
            else:
                self._pause_seconds = FIRST_PAUSE
        self.run()

    # Beginning

    @property
    def _table(self) -> OutboxTable:
        return self._unit_of_work.database.outbox

    def _may_send(self) -> bool:
        """Whether deliveries and notifications may start.

        Not while the tenant is suspended or the server stops.
        """
        is_active = self._profiles.of(self._record.id).is_active
        is_paused = time.monotonic() < self._paused_until
        return is_active and not is_paused and self._mailbox.closing is None

    def _start(self, row: OutboxRow) -> None:
        if row.state == WAITING:
            self._start_attempt(row)
        else:
            self._notifications.add(row.id)
            self._mailbox.tell(callback_request(row, self._record, self._callback_sink))

    def _start_attempt(self, row: OutboxRow) -> None:
        attempt = DeliveryAttempt(row, self._snapshot.current.operations.get(row.operation))
        self._attempts[row.id] = attempt
        attempt.answer.add_callback(lambda: self._answered(attempt))
        start_call(
            self._connectors,
            CallConnector(
                operation=row.operation,
                params=json.loads(row.params),
                tenant=self._record,
                trace_id=row.trace_id,
                key=row.key,
                at=row.created_at,
                deadline=attempt.deadline,
                reply_to=attempt.answer,
            ),
        )

    def _answered(self, attempt: DeliveryAttempt) -> None:
        """Runs on the thread that replies. The tenant is not woken for an attempt that has ended."""
        if self._attempts.get(attempt.row.id) is attempt:
            self._answered_attempts.append(attempt)
            self._mailbox.tell(Delivered())

    # What came of it

    def _write(self, outcomes: list[tuple[OutboxRow, DeliveryOutcome]]) -> None:
        """Write outcomes. If there is no room for them, the attempts count as failed and are repeated."""
        try:
            self._unit_of_work.run_alone(lambda: self._store_outcomes(outcomes))
        except sqlite3.Error as error:
            self._backoff(error)
            late = Refusal(UNAVAILABLE, f"the outcome could not be written ({error})")
            with suppress(sqlite3.Error):
                self._unit_of_work.run_alone(
                    lambda: self._postpone_all([row for row, _ in outcomes], late)
                )
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

    def _on_outcome(self, row: OutboxRow, refusal: Refusal | None) -> None:
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

    def _backoff(self, error: sqlite3.Error) -> None:
        """Pause after a failed write. Deliveries are repeated with the same keys, but not at once."""
        self._paused_until = time.monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE)
        log.error(
            "delivery outcomes not written",
            tenant=self._record.name,
            tenant_id=self._record.id,
            exc_info=error,
        )

    # Time

    def _arm_timer(self, now: float) -> None:
        """Arm the timer for the next due row, for a missing reply, and for the end of a pause."""
        later, moment = self._table.first_after(now), time.monotonic()
        self._waits = later is not None or self._table.first() is not None
        times = [attempt.given_up_at for attempt in self._attempts.values()]
        if later is not None:
            times.append(moment + max(0.0, later - now))
        if self._waits and self._paused_until > moment:
            times.append(self._paused_until)
        closing = self._mailbox.closing
        if closing is not None and self._attempts:
            times.append(closing)
        if times:
            self._alarm.set(min(times))
