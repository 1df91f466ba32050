"""The AdminConsole: reads the admin channel and does what is asked there, one record in the log for each.

It waits for nobody: what a call needs from other actors it asks, and it goes on with other calls until the
answer is there. How one call is served stands in serving.py; here is only who is told what, and when.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import structlog

from actors.admin.console.audit import RETRY_MS, Recorder
from actors.admin.console.call import Call, Locally
from actors.admin.console.context import Actors
from actors.admin.console.handler import DEFECT, Forwarded, Outcome, Refused, Served, Serving
from actors.admin.console.in_flight import Arrived, Errand, Errands, Overdue
from actors.admin.console.throttle import WINDOW_SECONDS, Pace, Strangers
from actors.edge.authentication import unauthenticated
from actors.edge.channel import Channel, ChannelMailbox, Draining, FlushUses
from actors.edge.rejections import OTHERS, Attempt, AttemptCounter
from actors.errors import ActionError
from actors.host.clocks import MonotonicWallClock
from actors.log.messages import Append, Entry
from actors.log.redaction import folded_names
from actors.messages import ANYONE, DirectoryChanged, TenantRequest
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.replies import worded
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
from actors.runtime.mailbox import Mailbox
from transport.message import RESOURCE_EXHAUSTED, UNAUTHENTICATED, Refusal, Request
from transport.router_socket import RouterSocket
from transport.validation import Limits

log = structlog.get_logger()


class Finish(NamedTuple):
    """From the wiring, after Draining: `done` is set once every call under way has ended."""

    done: ReplyFuture


class CatchUp(NamedTuple):
    """From the Clock: try again to have written what could not be recorded."""


class CountStrangers(NamedTuple):
    """From the Clock: record how many tries of strangers have no record."""


class ConsoleMailbox(ChannelMailbox):
    """The admin socket as a mailbox."""

    __slots__ = ("kept", "numbers")

    def __init__(self, name: str, socket: RouterSocket, supervisor: Mailbox | None) -> None:
        super().__init__(name, socket, supervisor)
        self.kept: deque[Entry] = deque()
        """What has happened and is not recorded yet. Here, as the next, to outlive an incarnation."""
        self.numbers = itertools.count(1)
        """Of errands: what the Clock says of an earlier incarnation's must not meet another's."""


class AdminConsole(Channel):
    """The actor of the admin channel."""

    mailbox: ConsoleMailbox

    def __init__(
        self,
        mailbox: ConsoleMailbox,
        *,
        actors: Actors,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        limits: Limits,
        read_directory: Callable[[], None],
        epoch: MonotonicWallClock | None = None,
        hide: Iterable[str] = (),
    ) -> None:
        """`hide` are names of params that no log may show, besides those that look secret."""
        super().__init__(
            mailbox,
            directory=actors.directory,
            snapshot=snapshot,
            profiles=profiles,
            limits=limits,
            read_directory=read_directory,
            epoch=epoch,
        )
        self._actors = actors
        self._recorder = Recorder(actors.audit_log, mailbox.kept)
        self._serving = Serving(actors, snapshot, self._authenticator, self._recorder)
        self._errands = Errands(mailbox.numbers)
        self._strangers = Strangers()
        self._pace = Pace()
        self._hasty = AttemptCounter("faster than one person may", RESOURCE_EXHAUSTED)
        self._early: deque[Locally] = deque()
        self._finishing: deque[ReplyFuture] = deque()
        self._is_reminded = False
        self._hide = folded_names(hide)
        self._handlers.update(
            {
                Arrived: self._arrived,
                Overdue: self._overdue,
                Locally: self._locally,
                CatchUp: self._catch_up,
                CountStrangers: self._count_strangers,
                Finish: self._finish,
            }
        )

    def on_start(self) -> None:
        """What an incarnation before could not record is recorded by this one."""
        super().on_start()
        self._remind()

    def on_stop(self) -> None:
        """What could not be recorded is the log's now, which stops later and says what it lost."""
        self._abandon("the server stopped")
        self._tell_log(self.mailbox.kept)
        super().on_stop()

    def on_failure(self, *info: Any) -> None:
        """Whoever waits for the end of what is under way is told that there will be none."""
        super().on_failure(*info)
        self._abandon("the admin console failed")
        for message in self._early:
            resolve_with_error(message.reply_to, DEFECT)
        for done in self._finishing:
            resolve(done, True)

    def _abandon(self, cause: str) -> None:
        """Callers of what was under way hear what is known of it, and so does the log."""
        for errand in self._errands:
            errand.stepper.close()
            if errand.call is not None:
                error = errand.call.abandoned(cause)
                self._refuse_call(errand.call, error)
                self.mailbox.kept.append(errand.call.left_behind(error))

    # Calls

    def _admit(self, work: TenantRequest) -> None:
        """Whoever has no token reaches nothing here, also where an index says that anyone may."""
        if work.principal is ANYONE:
            raise unauthenticated()
        self._pace_of(work)
        self._begin_call(Call.of_work(work, self._hide))

    def _pace_of(self, work: TenantRequest) -> None:
        """Who is too fast is refused before anything is looked at, and counted: no record each."""
        caller = work.principal
        try:
            self._pace.count(caller, work.received)
        except ActionError:
            attempt = Attempt(caller, OTHERS, self._authenticator.tenant(caller.tenant))
            self._tell_log(self._hasty.add(attempt, work.received))
            raise

    def _stranger(self, request: Request, trace_id: str) -> None:
        self._tell_log(self._strangers.note(request, trace_id, time.monotonic()))
        if self._strangers.uncounted == 1:
            self._later(WINDOW_SECONDS, CountStrangers())

    def _locally(self, message: Locally) -> None:
        if not self._authenticator.informed:
            self._early.append(message)
            return
        try:
            self._require_open()
            self._begin_call(Call.of_console(message, self._hide))
        except ActionError as error:
            resolve_with_error(message.reply_to, error)

    def _begin_call(self, call: Call) -> None:
        self._errands.require_room(call.caller)
        self._go_on(self._errands.begin(CoroutineDriver(self._serving.serve(call)), call))

    # Errands

    def _arrived(self, message: Arrived) -> None:
        errand = self._errands.awaiting(message)
        if errand is not None:
            self._go_on(errand, message.answer)

    def _go_on(self, errand: Errand, arrived: ReplyFuture | None = None) -> None:
        step = errand.stepper.step(arrived)
        if isinstance(step, Awaiting):
            self._park(errand, step.awaited)
        else:
            self._end(errand, step)

    def _park(self, errand: Errand, answer: ReplyFuture) -> None:
        arrived = Arrived(errand.number, answer)
        is_new = self._errands.park(errand, answer)
        if is_new and errand.call is not None:
            self._later(errand.call.deadline - time.monotonic(), Overdue(errand.number))
        answer.add_callback(lambda: self.mailbox.tell(arrived))

    def _end(self, errand: Errand, step: Returned | Raised) -> None:
        self._errands.end(errand)
        if isinstance(step, Raised):
            log.error("admin console failed", action=errand.action, exc_info=step.error)
        if errand.call is not None:
            self._answer_call(
                errand.call, step.value if isinstance(step, Returned) else Refused(DEFECT)
            )
        self._remind()
        self._settle_finish()

    def _overdue(self, message: Overdue) -> None:
        errand = self._errands.late(message)
        if errand is not None and errand.call is not None:
            self._refuse_call(errand.call, errand.call.overdue())

    # Answers

    def _answer_call(self, call: Call, outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            self._refuse_call(call, outcome.error)
        elif not call.answered:
            call.answered = True
            self._tell_result(call, outcome)

    def _tell_result(self, call: Call, outcome: Served | Forwarded) -> None:
        if call.work is not None:
            self._reply(call.work.peer, outcome.body)
        elif isinstance(outcome, Served):
            resolve(call.reply_to, outcome.result)

    def _refuse_call(self, call: Call, error: ActionError) -> None:
        """Unless its caller has heard something already."""
        if call.answered:
            return
        call.answered = True
        if call.work is None:
            resolve_with_error(call.reply_to, error)
        else:
            self._refuse(call.work, self._worded(call, error.refusal))

    def _worded(self, call: Call, refusal: Refusal) -> Refusal:
        """A tenant's people are refused in their tenant's words, as on the data channel."""
        if call.about is None or call.caller.tenant is None or refusal.code == UNAUTHENTICATED:
            return refusal
        return worded(refusal, self._profiles.of(call.about.id).config)

    # Records that could not be written, and those of strangers

    def _remind(self) -> None:
        """What could not be recorded is tried again also where nobody calls."""
        if self._recorder.is_behind and not self._is_reminded:
            self._is_reminded = True
            self._later(RETRY_MS / 1000, CatchUp())

    def _catch_up(self, _: CatchUp) -> None:
        self._is_reminded = False
        self._go_on(self._errands.begin(CoroutineDriver(self._recorder.catch_up()), None))

    def _count_strangers(self, _: CountStrangers) -> None:
        self._tell_log(self._strangers.counted())

    def _tell_log(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._actors.audit_log.tell(Append(entry))

    # From inside

    def _later(self, seconds: float, message: Any) -> None:
        self._actors.clock.tell(Once(max(0.0, seconds), self.mailbox, message))

    def _directory_changed(self, change: DirectoryChanged) -> None:
        super()._directory_changed(change)
        while self._early and self._authenticator.informed:
            self._locally(self._early.popleft())

    def _flush(self, message: FlushUses | Draining) -> None:
        super()._flush(message)
        self._tell_log(self._hasty.drain(time.monotonic()))
        self._pace.forget(time.monotonic())

    def _finish(self, message: Finish) -> None:
        self._count_strangers(CountStrangers())
        self._finishing.append(message.done)
        self._catch_up(CatchUp())

    def _settle_finish(self) -> None:
        while self._finishing and not self._errands:
            resolve(self._finishing.popleft(), True)
