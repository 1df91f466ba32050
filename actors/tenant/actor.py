"""The Tenant: one actor, one database, one transaction a turn.

A turn serves the requests that wait (actors/tenant/request/turn.py) and holds their replies. At its end
there is one COMMIT, synced (`synchronous=FULL`), and only then do the held replies leave: that is the output
gate. If the commit fails, every message in it is answered with an error and none of its effects stay.

A function that may wait has a transaction of its own for each of its steps
(actors/tenant/request/coroutine_steps.py), and what it calls leaves through the same gate. While it waits,
other mail is served.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from actors.expectations import ShowDigest
from actors.intent.suspicions import SuspicionClient
from actors.messages import (
    DeadLetter,
    Delivered,
    DryRun,
    ListDeliveries,
    OutboxDue,
    Passivate,
    PassivationDeclined,
    Redeliver,
    TenantRecord,
    TenantRequest,
)
from actors.replies import INTERNAL_REFUSAL
from actors.runtime.actor import Actor
from actors.runtime.clock import DeadlinePassed
from actors.runtime.in_flight import ReplyArrived
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken
from actors.supervision.rejecting import tenant_deleted
from actors.tenant.outbox.queries import digest_of_dead, list_deliveries, redeliver
from actors.tenant.outbox.relay import OutboxRelay
from actors.tenant.passivation import Decision, decide, decide_again
from actors.tenant.request.callback import CallbackResult
from actors.tenant.request.coroutine_steps import STOPPING, AsyncExecution
from actors.tenant.request.dry_run import DryRunner
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.handler import RequestHandler
from actors.tenant.request.outcome import NeedsOwnTransaction
from actors.tenant.request.pending import is_request
from actors.tenant.request.sends import OutboxWriter
from actors.tenant.request.suspended import SuspendedCalls
from actors.tenant.request.turn import SavepointPolicy, Turn
from actors.tenant.request.unit_of_work import CLOSE_ERRORS, UnitOfWork
from actors.tenant.resources import TenantResources

TURN_SECONDS = 0.02
"""A turn that has taken so long is committed and makes room for other actors; about 500 messages' work."""

MAY_END_WAITS = frozenset({ReplyArrived, DeadlinePassed, Delivered, CallbackResult, OutboxDue})
"""After which of its mail a tenant looks whether it can leave, where it was asked to."""


class Tenant(Actor):
    """One tenant's incarnation: owns the connection from on_start until it leaves."""

    def __init__(self, mailbox: Mailbox, record: TenantRecord, given: TenantResources) -> None:
        super().__init__(mailbox)
        self._record = record
        self._suspended_calls = suspended_calls = SuspendedCalls(
            record, mailbox, given.connectors, given.clock
        )
        self._outbox = outbox = OutboxWriter(given.storage.outbox_flag(record.id))

        def make_handler() -> RequestHandler:
            database = given.storage.open(record)
            environment = TenantEnvironment(
                record, given.storage, given.snapshot, given.profiles, database, given.now
            )
            return RequestHandler(environment, mailbox, suspended_calls, outbox)

        suspicions = SuspicionClient(given.monitor, lambda: given.snapshot.current.described.intent)
        self._unit_of_work = UnitOfWork(
            record, make_handler, given.compute or ComputeToken(), given.request_log, suspicions
        )
        self._execution = AsyncExecution(mailbox, self._unit_of_work, suspended_calls)
        self._relay = OutboxRelay(record, mailbox, self._unit_of_work, outbox, given)
        self._savepoint_policy = SavepointPolicy()
        self._departure: Passivate | None = None
        self._more_mail = False
        self._add_handlers(
            {
                DryRun: lambda message: DryRunner(self._unit_of_work.handler.environment).run(
                    message
                ),
                ListDeliveries: lambda message: list_deliveries(self._unit_of_work, message),
                Redeliver: self._redeliver,
                ShowDigest: lambda message: digest_of_dead(self._unit_of_work, message),
                ReplyArrived: self._execution.on_reply,
                DeadlinePassed: lambda _: self._execution.on_deadline(),
                Delivered: lambda _: self._relay.on_reply(),
                CallbackResult: self._relay.on_notified,
                OutboxDue: lambda _: self._relay.on_due(),
                Passivate: self._on_passivate,
            }
        )

    # Life

    def on_start(self) -> None:
        """Open the database; raises MigrationNeeded where its tables are older than the code."""
        self._unit_of_work.open()
        self._relay.open()

    def on_stop(self) -> None:
        """Checkpoint and close, so that the file stands alone."""
        try:
            self._execution.cancel(STOPPING)
            self._relay.close()
        except CLOSE_ERRORS as error:
            self._unit_of_work.log_close_failure(error)
        finally:
            self._unit_of_work.checkpoint_and_close()

    def on_failure(self, *_: Any) -> None:
        """Close without ceremony: what was not committed is gone, the mail will be served again.

        Functions that wait are not: their callers hear what is on disk of them.
        """
        self._execution.abandon("the tenant has failed")
        self._relay.abandon()
        self._unit_of_work.close()

    def snapshot(self) -> dict[str, Any]:
        """What is under way; no row of the tenant's."""
        return {
            "tenant": self._record.name,
            "waiting_functions": len(self._suspended_calls),
            "deliveries_under_way": len(self._relay),
            "is_leaving": self._departure is not None,
            "mailbox_limit": self.mailbox.limit,
        }

    def on_receive(self, message: Any) -> Any:
        """Mail that is not a request."""
        answer = super().on_receive(message)
        if self._departure is not None and type(message) in MAY_END_WAITS:
            self._stop_if_due()
        return answer

    def dead_letter(self, message: Any, error: BaseException) -> list[Any]:
        """A deadly request goes to the dead letters; where even that kills, it is only answered."""
        if isinstance(message, TenantRequest):
            return [DeadLetter(message, repr(error))]
        if isinstance(message, DeadLetter):
            self._unit_of_work.gate.refuse(message.work, INTERNAL_REFUSAL)
            return []
        return super().dead_letter(message, error)

    # A turn

    def handle(self, mail: deque[Any]) -> None:
        """Serve runs of requests, each run in one transaction; other mail between them."""
        ends = time.monotonic() + TURN_SECONDS
        while mail and not self.actor_stopped.is_set() and time.monotonic() < ends:
            if is_request(mail[0]):
                self._serve_run(mail, ends)
            else:
                self.at = 0
                self._more_mail = len(mail) > 1
                self._handle(mail[0])
                mail.popleft()
            if self._outbox.has_new and not self.actor_stopped.is_set():
                self._relay.run()

    def _serve_run(self, mail: deque[Any], ends: float) -> None:
        turn = Turn(self._unit_of_work, self._savepoint_policy, mail, ends)
        try:
            pending = turn.serve()
        except NeedsOwnTransaction as signal:
            self.at = 0
            step_result = self._execution.begin(signal)
            mail.popleft()
            self.at = len(mail)
            self._execution.finish(step_result)
            return
        except BaseException:
            self.at = turn.at
            raise
        for _ in pending:
            mail.popleft()
        self.at = len(mail)  # what fails from here on is no message's fault
        self._unit_of_work.commit(pending)

    def _redeliver(self, message: Redeliver) -> int:
        count = redeliver(self._unit_of_work, self._outbox, message)
        self._relay.run()
        return count

    # Leaving

    def _on_passivate(self, message: Passivate) -> None:
        """Leave, decline, or drain first (actors/tenant/passivation.py)."""
        if message.cancel:
            self._execution.cancel(tenant_deleted(self._record).message, None)
        self._carry_out(
            message,
            decide(
                message,
                has_mail=bool(self._more_mail) or not self.mailbox.empty(),
                waits=bool(self._suspended_calls),
                delivers=bool(self._relay),
                is_closing=self.mailbox.closing is not None,
            ),
        )

    def _stop_if_due(self) -> None:
        """Decide again, after something has ended that it drained for."""
        departure, closing = self._departure, self.mailbox.closing
        if departure is None:
            return
        decision = decide_again(
            departure,
            waits=bool(self._suspended_calls),
            delivers=bool(self._relay),
            is_over=closing is not None and closing <= time.monotonic(),
        )
        if decision is not Decision.DRAIN:
            self._departure = None
            self._carry_out(departure, decision)

    def _carry_out(self, asked: Passivate, decision: Decision) -> None:
        if decision is Decision.LEAVE:
            self._stop()
        elif decision is Decision.DRAIN:
            self._departure = asked
            self._suspended_calls.is_closed = asked.patient
            self._suspended_calls.arm_timer()
            self._relay.run()  # nothing leaves any more; it has to be woken at the end
        elif decision is Decision.ASK_AGAIN:
            self.mailbox.tell(asked)
        else:
            self._send_to_supervisor(PassivationDeclined(self.mailbox))

    def _send_to_supervisor(self, message: Any) -> None:
        if self.mailbox.supervisor is not None:
            self.mailbox.supervisor.tell(message)
