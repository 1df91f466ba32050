"""The outbox relay of a tenant: attempts at deliveries, their outcomes, and callbacks to `then` actions.

The order is the promise. A delivery leaves after the commit that it is part of. Its outcome is on disk before
any action is notified. The effects of the notified action and the removal of the row are one commit. After a
crash at any point, the rest is repeated: an attempt with the same key, a notification with the same id.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Final

from actors.messages import CallConnector, Delivered, OutboxDue, TenantRecord
from actors.runtime.clock import DeadlineTimer
from actors.runtime.mailbox import Mailbox
from actors.tenant.database.outbox_table import WAITING, OutboxRow, OutboxTable
from actors.tenant.outbox.attempt import DeliveryAttempt, outcome_of
from actors.tenant.outbox.outcome_writer import OutcomeWriter
from actors.tenant.request.callback import CallbackResult, CallbackSink, callback_request
from actors.tenant.request.connector_calls import start_call
from actors.tenant.request.sends import OutboxWriter
from actors.tenant.request.unit_of_work import UnitOfWork
from actors.tenant.resources import TenantResources

MAX_IN_FLIGHT: Final = 16
"""Deliveries and notifications of one tenant in flight at once, so that no tenant occupies a connector."""


class OutboxRelay:
    """Relays one tenant's outbox while the tenant is resident. Belongs to its turn alone."""

    def __init__(
        self,
        record: TenantRecord,
        mailbox: Mailbox,
        unit_of_work: UnitOfWork,
        outbox: OutboxWriter,
        given: TenantResources,
    ) -> None:
        """`mailbox` is the tenant's, which is sent Delivered, CallbackResult and Due."""
        self._record = record
        self._mailbox = mailbox
        self._unit_of_work = unit_of_work
        self._outbox = outbox
        self._connectors = given.connectors
        self._profiles = given.profiles
        self._snapshot = given.snapshot
        self._outcomes = OutcomeWriter(record, unit_of_work)
        self._callback_sink = CallbackSink(mailbox)
        self._attempts: dict[int, DeliveryAttempt] = {}
        self._notifications: set[int] = set()
        self._answered_attempts: deque[DeliveryAttempt] = deque()  # by the threads that answer
        self._waits = False
        self._alarm = DeadlineTimer(given.clock, mailbox, lambda: self._waits, OutboxDue())

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
            self._outcomes.write(outcomes)
        self.run()

    def on_notified(self, message: CallbackResult) -> None:
        """Handle the result of a callback.

        If the action accepted, its own transaction has removed the row.
        """
        self._notifications.discard(message.row)
        row = self._table.get(message.row)
        if row is not None and row.outcome is not None and row.next_at is not None:
            self._outcomes.write_notified(row, message.refusal)
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
        is_paused = time.monotonic() < self._outcomes.paused_until
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

    # Time

    def _arm_timer(self, now: float) -> None:
        """Arm the timer for the next due row, for a missing reply, and for the end of a pause."""
        later, moment = self._table.first_after(now), time.monotonic()
        self._waits = later is not None or self._table.first() is not None
        times = [attempt.given_up_at for attempt in self._attempts.values()]
        if later is not None:
            times.append(moment + max(0.0, later - now))
        if self._waits and self._outcomes.paused_until > moment:
            times.append(self._outcomes.paused_until)
        closing = self._mailbox.closing
        if closing is not None and self._attempts:
            times.append(closing)
        if times:
            self._alarm.set(min(times))
