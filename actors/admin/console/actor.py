"""The AdminConsole: reads the admin channel and does what is asked there, one record in the log for each.

It never waits: what a call needs from other actors it asks, and it goes on with other calls until the
answer is there. How one call is served stands in handler.py, and how it is stepped in runner.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from actors.admin.console.audit import RETRY_MS, AuditWriter
from actors.admin.console.call import AdminCall, LocalCall
from actors.admin.console.handler import INTERNAL_ERROR, AdminCallHandler
from actors.admin.console.in_flight import CallOverdue
from actors.admin.console.responder import Responder
from actors.admin.console.runner import CallRunner
from actors.admin.console.throttle import AttemptRecords, FlushAttempts
from actors.edge.authentication import unauthenticated
from actors.edge.channel import Channel, ChannelInputs, ChannelMailbox, Draining, FlushUses
from actors.errors import ActionError
from actors.log.messages import AuditEntry
from actors.log.redaction import normalise_names
from actors.messages import ANYONE, DirectoryChanged, TenantRequest
from actors.registry.shared import Actors
from actors.runtime.clock import Once
from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.in_flight import ReplyArrived
from actors.runtime.mailbox import Mailbox
from transport.message import Refusal
from transport.request.model import Request
from transport.router_socket import RouterSocket


class FinishCalls(NamedTuple):
    """From the wiring, after Draining: `done` is set once every call under way has ended."""

    done: ReplyFuture


class RetryBacklog(NamedTuple):
    """From the Clock: try again to have written what could not be recorded."""


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
        self._responder = Responder(mailbox, self._reply, self._watch, self._profiles)
        self._runner = CallRunner(mailbox, self._schedule, self._responder, self._after_call)
        self._attempts = AttemptRecords(actors.audit_log, self._schedule)
        self._queued: deque[LocalCall] = deque()
        self._finishing: deque[ReplyFuture] = deque()
        self._is_timer_set = False
        self._hide = normalise_names(hide)
        self._add_handlers(
            {
                ReplyArrived: self._runner.on_reply,
                CallOverdue: self._runner.on_deadline,
                LocalCall: self._on_local_call,
                TenantRequest: self._on_forwarded,
                RetryBacklog: self._retry_backlog,
                FlushAttempts: lambda _: self._attempts.flush_unauthenticated(),
                FinishCalls: self._finish_calls,
            }
        )

    def on_start(self) -> None:
        """What an incarnation before could not record is recorded by this one."""
        super().on_start()
        self._arm_timer()

    def on_stop(self) -> None:
        """What could not be recorded is the log's now, which stops later and says what it lost."""
        self.mailbox.backlog.extend(self._runner.abandon("the server stopped"))
        self._attempts.append(self.mailbox.backlog)
        super().on_stop()

    def on_failure(self, *info: Any) -> None:
        """Refuse the requests that wait for the end of what is under way: there will be none."""
        super().on_failure(*info)
        self.mailbox.backlog.extend(self._runner.abandon("the admin console failed"))
        for message in self._queued:
            resolve_with_error(message.reply_to, INTERNAL_ERROR)
        for done in self._finishing:
            resolve(done, True)

    # Calls

    def _admit(self, work: TenantRequest) -> None:
        """A caller without a token reaches nothing here, also if an index lets anyone call an action."""
        if work.principal is ANYONE:
            raise unauthenticated()
        self._attempts.charge(work, self._authenticator.tenant(work.principal.tenant))
        self._start_call(AdminCall.of_work(work, self._hide))

    def _on_forwarded(self, work: TenantRequest) -> None:
        """From the Router: a tenant's call of an action that both channels serve."""
        try:
            self._require_open()
            self._attempts.charge(work, self._authenticator.tenant(work.principal.tenant))
            self._start_call(AdminCall.of_work(work, self._hide))
        except ActionError as error:
            self._refuse(work, self._watch.after_refusal(work, error).refusal)

    def _on_unauthenticated(self, request: Request, trace_id: str) -> None:
        self._attempts.add_unauthenticated(request, trace_id)

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
        self._runner.start(call, self._handler.handle)

    def _after_call(self) -> None:
        self._arm_timer()
        while self._finishing and self._runner.is_idle:
            resolve(self._finishing.popleft(), True)

    def _refuse(self, work: TenantRequest, refusal: Refusal) -> None:
        self._responder.refuse(work, refusal)

    # Records that could not be written

    def _arm_timer(self) -> None:
        """A record that could not be written is tried again also when no request comes."""
        if self._audit.has_backlog and not self._is_timer_set:
            self._is_timer_set = True
            self._schedule(RETRY_MS / 1000, RetryBacklog())

    def _retry_backlog(self, _: RetryBacklog) -> None:
        self._is_timer_set = False
        self._runner.run(self._audit.retry_backlog())

    # From inside

    def _schedule(self, seconds: float, message: Any) -> None:
        self._actors.clock.tell(Once(max(0.0, seconds), self.mailbox, message))

    def _directory_changed(self, change: DirectoryChanged) -> None:
        super()._directory_changed(change)
        while self._queued and self._authenticator.informed:
            self._on_local_call(self._queued.popleft())

    def _flush(self, message: FlushUses | Draining) -> None:
        super()._flush(message)
        self._attempts.flush_rates()

    def _finish_calls(self, message: FinishCalls) -> None:
        self._attempts.flush_unauthenticated()
        self._finishing.append(message.done)
        self._retry_backlog(RetryBacklog())
