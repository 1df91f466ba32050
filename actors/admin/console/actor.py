"""The AdminConsole: reads the admin channel and does what is asked there, one record in the log for each.

It never waits: what a call needs from other actors it asks, and it goes on with other calls until the
answer is there. How one call is served stands in serving.py; here is only who is told what, and when.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import structlog

from actors.admin.console.audit import RETRY_MS, AuditWriter
from actors.admin.console.call import AdminCall, LocalCall
from actors.admin.console.handler import (
    INTERNAL_ERROR,
    AdminCallHandler,
    Forwarded,
    Outcome,
    Refused,
    Succeeded,
)
from actors.admin.console.in_flight import DeadlinePassed, InFlightCall, InFlightCalls
from actors.admin.console.throttle import WINDOW_SECONDS, AttemptLog, PersonRateLimits
from actors.edge.authentication import unauthenticated
from actors.edge.channel import Channel, ChannelInputs, ChannelMailbox, Draining, FlushUses
from actors.edge.rejections import OTHERS, Attempt, AttemptCounter
from actors.errors import ActionError
from actors.intent.signals import OK
from actors.log.messages import Append, AuditEntry
from actors.log.redaction import normalise_names
from actors.messages import ANYONE, DirectoryChanged, Replies, TenantRequest
from actors.registry.shared import Actors
from actors.replies import encode_refusal, localise
from actors.runtime.clock import Once
from actors.runtime.futures import (
    Awaiting,
    CoroutineDriver,
    Raised,
    ReplyFuture,
    Returned,
    resolve,
    resolve_with_error,
)
from actors.runtime.in_flight import ReplyArrived
from actors.runtime.mailbox import Mailbox
from transport.message import RESOURCE_EXHAUSTED, UNAUTHENTICATED, Refusal, Request
from transport.router_socket import RouterSocket

log = structlog.get_logger()


class FinishCalls(NamedTuple):
    """From the wiring, after Draining: `done` is set once every call under way has ended."""

    done: ReplyFuture


class RetryBacklog(NamedTuple):
    """From the Clock: try again to have written what could not be recorded."""


class FlushAttempts(NamedTuple):
    """From the Clock: record how many tries of strangers have no record."""


class ConsoleMailbox(ChannelMailbox):
    """The admin socket as a mailbox."""

    __slots__ = ("backlog",)

    def __init__(self, name: str, socket: RouterSocket, supervisor: Mailbox | None) -> None:
        super().__init__(name, socket, supervisor)
        self.backlog: deque[AuditEntry] = deque()
        """What has happened and is not recorded yet. Kept here because it outlives an incarnation."""


class AdminConsole(Channel):
    """The actor of the admin channel."""

    mailbox: ConsoleMailbox

    def __init__(
        self,
        mailbox: ConsoleMailbox,
        given: ChannelInputs,
        actors: Actors,
        hide: Iterable[str] = (),
    ) -> None:
        """`hide` are names of params that no log may show, in addition to those that look secret."""
        super().__init__(mailbox, given)
        self._actors = actors
        self._audit = AuditWriter(actors.audit_log, mailbox.backlog)
        self._handler = AdminCallHandler(actors, given.snapshot, self._authenticator, self._audit)
        self._in_flight = InFlightCalls(mailbox)
        self._attempts = AttemptLog()
        self._rates = PersonRateLimits()
        self._rate_refusals = AttemptCounter("faster than one person may", RESOURCE_EXHAUSTED)
        self._queued: deque[LocalCall] = deque()
        self._finishing: deque[ReplyFuture] = deque()
        self._is_timer_set = False
        self._hide = normalise_names(hide)
        self._add_handlers(
            {
                ReplyArrived: self._on_reply,
                DeadlinePassed: self._on_deadline,
                LocalCall: self._on_local_call,
                TenantRequest: self._on_forwarded,
                RetryBacklog: self._retry_backlog,
                FlushAttempts: self._flush_attempts,
                FinishCalls: self._finish_calls,
            }
        )

    def on_start(self) -> None:
        """What an incarnation before could not record is recorded by this one."""
        super().on_start()
        self._arm_timer()

    def on_stop(self) -> None:
        """What could not be recorded is the log's now, which stops later and says what it lost."""
        self._abandon("the server stopped")
        self._append_entries(self.mailbox.backlog)
        super().on_stop()

    def on_failure(self, *info: Any) -> None:
        """Refuse the requests that wait for the end of what is under way: there will be none."""
        super().on_failure(*info)
        self._abandon("the admin console failed")
        for message in self._queued:
            resolve_with_error(message.reply_to, INTERNAL_ERROR)
        for done in self._finishing:
            resolve(done, True)

    def _abandon(self, cause: str) -> None:
        """Callers of what was under way hear what is known of it, and so does the log."""
        for running in self._in_flight:
            running.driver.close()
            if running.call is not None:
                error = running.call.abandoned(cause)
                self._refuse_call(running.call, error)
                self.mailbox.backlog.append(running.call.backlog_entry(error))

    # Calls

    def _admit(self, work: TenantRequest) -> None:
        """A caller without a token reaches nothing here, also if an index lets anyone call an action."""
        if work.principal is ANYONE:
            raise unauthenticated()
        self._check_rate(work)
        self._start_call(AdminCall.of_work(work, self._hide))

    def _on_forwarded(self, work: TenantRequest) -> None:
        """From the Router: a tenant's call of an action that both channels serve."""
        try:
            self._require_open()
            self._check_rate(work)
            self._start_call(AdminCall.of_work(work, self._hide))
        except ActionError as error:
            self._refuse(work, self._after_refusal(work, error).refusal)

    def _check_rate(self, work: TenantRequest) -> None:
        """Who is too fast is refused before anything is looked at, and counted: no record each."""
        caller = work.principal
        try:
            self._rates.charge(caller, work.received)
        except ActionError:
            attempt = Attempt(caller, OTHERS, self._authenticator.tenant(caller.tenant))
            self._append_entries(self._rate_refusals.add(attempt, work.received))
            raise

    def _on_unauthenticated(self, request: Request, trace_id: str) -> None:
        self._append_entries(self._attempts.record(request, trace_id, time.monotonic()))
        if self._attempts.pending == 1:
            self._schedule(WINDOW_SECONDS, FlushAttempts())

    def _on_local_call(self, message: LocalCall) -> None:
        if not self._authenticator.informed:
            self._queued.append(message)
            return
        try:
            self._require_open()
            self._start_call(AdminCall.of_local_call(message, self._hide))
        except ActionError as error:
            resolve_with_error(message.reply_to, error)

    def _start_call(self, call: AdminCall) -> None:
        self._in_flight.require_capacity(call.caller)
        self._resume(InFlightCall(CoroutineDriver(self._handler.handle(call)), call))

    # Calls in flight

    def _on_reply(self, message: ReplyArrived) -> None:
        found = self._in_flight.resume(message)
        if found is not None:
            self._resume(*found)

    def _resume(self, running: InFlightCall, arrived: ReplyFuture | None = None) -> None:
        step = running.driver.step(arrived)
        if isinstance(step, Awaiting):
            self._suspend(running, step.awaited)
        else:
            self._finish(running, step)

    def _suspend(self, running: InFlightCall, answer: ReplyFuture) -> None:
        if running.call is not None and running not in self._in_flight:
            self._schedule(running.call.deadline - time.monotonic(), DeadlinePassed(running))
        self._in_flight.suspend(running, answer)

    def _finish(self, running: InFlightCall, step: Returned | Raised) -> None:
        self._in_flight.end(running)
        if isinstance(step, Raised):
            log.error("admin console failed", action=running.action, exc_info=step.error)
        if running.call is not None:
            self._answer_call(
                running.call, step.value if isinstance(step, Returned) else Refused(INTERNAL_ERROR)
            )
        self._arm_timer()
        self._confirm_finished()

    def _on_deadline(self, message: DeadlinePassed) -> None:
        running = message.call
        if running in self._in_flight and running.call is not None:
            self._refuse_call(running.call, running.call.overdue())

    # Answers

    def _answer_call(self, call: AdminCall, outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            self._refuse_call(call, outcome.error)
        elif not call.answered:
            call.answered = True
            self._send_result(call, outcome)

    def _send_result(self, call: AdminCall, outcome: Succeeded | Forwarded) -> None:
        """What a tenant has answered, it has counted itself."""
        if call.work is not None:
            if isinstance(outcome, Succeeded) and call.is_watched and not outcome.replayed:
                self._suspect(call.work, OK)
            self._send_to(call.work, outcome.body)
        elif isinstance(outcome, Succeeded):
            resolve(call.reply_to, outcome.result)

    def _refuse_call(self, call: AdminCall, error: ActionError) -> None:
        """Unless its caller has received a reply already."""
        if call.answered:
            return
        call.answered = True
        if call.work is None:
            resolve_with_error(call.reply_to, error)
        else:
            error = self._after_refusal(call.work, error)
            self._refuse(call.work, self._localise(call, error.refusal))

    def _refuse(self, work: TenantRequest, refusal: Refusal) -> None:
        self._send_to(work, encode_refusal(work, refusal))

    def _send_to(self, work: TenantRequest, body: bytes) -> None:
        """Reply by the socket that the request came through."""
        if work.outlet is self.mailbox:
            self._reply(work.peer, body)
        else:
            work.outlet.tell(Replies([(work.peer, body)]))

    def _localise(self, call: AdminCall, refusal: Refusal) -> Refusal:
        """A tenant's people are refused in their tenant's words, as on the data channel."""
        if call.about is None or call.caller.tenant is None or refusal.code == UNAUTHENTICATED:
            return refusal
        return localise(refusal, self._profiles.of(call.about.id).config)

    # Records that could not be written, and those of strangers

    def _arm_timer(self) -> None:
        """A record that could not be written is tried again also when no request comes."""
        if self._audit.has_backlog and not self._is_timer_set:
            self._is_timer_set = True
            self._schedule(RETRY_MS / 1000, RetryBacklog())

    def _retry_backlog(self, _: RetryBacklog) -> None:
        self._is_timer_set = False
        self._resume(InFlightCall(CoroutineDriver(self._audit.retry_backlog())))

    def _flush_attempts(self, _: FlushAttempts) -> None:
        self._append_entries(self._attempts.flushed())

    def _append_entries(self, entries: Iterable[AuditEntry]) -> None:
        for entry in entries:
            self._actors.audit_log.tell(Append(entry))

    # From inside

    def _schedule(self, seconds: float, message: Any) -> None:
        self._actors.clock.tell(Once(max(0.0, seconds), self.mailbox, message))

    def _directory_changed(self, change: DirectoryChanged) -> None:
        super()._directory_changed(change)
        while self._queued and self._authenticator.informed:
            self._on_local_call(self._queued.popleft())

    def _flush(self, message: FlushUses | Draining) -> None:
        super()._flush(message)
        self._append_entries(self._rate_refusals.drain(time.monotonic()))
        self._rates.drop_idle(time.monotonic())

    def _finish_calls(self, message: FinishCalls) -> None:
        self._flush_attempts(FlushAttempts())
        self._finishing.append(message.done)
        self._retry_backlog(RetryBacklog())

    def _confirm_finished(self) -> None:
        while self._finishing and not self._in_flight:
            resolve(self._finishing.popleft(), True)
