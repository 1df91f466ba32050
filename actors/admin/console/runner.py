"""Runs the coroutines of calls on the admin channel, step by step: each await is an actor that was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog

from actors.admin.console.call import AdminCall
from actors.admin.console.handler import INTERNAL_ERROR, Outcome, Refused
from actors.admin.console.in_flight import CallOverdue, InFlightCall, InFlightCalls
from actors.admin.console.responder import Responder
from actors.log.messages import AuditEntry
from actors.runtime.futures import Awaiting, CoroutineDriver, Raised, ReplyFuture, Returned
from actors.runtime.in_flight import ReplyArrived
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()


class CallRunner:
    """The calls in flight of one console. It never waits: other calls go on until a reply is there."""

    def __init__(
        self,
        mailbox: Mailbox,
        schedule: Callable[[float, Any], None],
        responder: Responder,
        on_end: Callable[[], None],
    ) -> None:
        """`mailbox` is the console's. `schedule` has it told a message after some seconds.

        `on_end` is called after each call that has ended.
        """
        self._in_flight = InFlightCalls(mailbox)
        self._schedule = schedule
        self._responder = responder
        self._on_end = on_end

    @property
    def is_idle(self) -> bool:
        """Whether no call is in flight."""
        return not self._in_flight

    def start(
        self, call: AdminCall, handle: Callable[[AdminCall], Coroutine[Any, Any, Outcome]]
    ) -> None:
        """Begin a call. Raise ResourceExhausted if too many are in flight."""
        self._in_flight.require_capacity(call.caller)
        self._resume(InFlightCall(CoroutineDriver(handle(call)), call))

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin work of the console's own, which gets no answer."""
        self._resume(InFlightCall(CoroutineDriver(work)))

    def on_reply(self, message: ReplyArrived) -> None:
        """Go on with the call that waits for this reply."""
        found = self._in_flight.resume(message)
        if found is not None:
            self._resume(*found)

    def on_deadline(self, message: CallOverdue) -> None:
        """Refuse a call whose deadline has passed; what is under way goes on."""
        running = message.call
        if running in self._in_flight and running.call is not None:
            self._responder.refuse_call(running.call, running.call.overdue())

    def abandon(self, cause: str) -> Iterator[AuditEntry]:
        """End all calls. Send their callers what is known of each, and return the records of them."""
        for running in self._in_flight:
            running.driver.close()
            if running.call is not None:
                error = running.call.abandoned(cause)
                self._responder.refuse_call(running.call, error)
                yield running.call.backlog_entry(error)

    def _resume(self, running: InFlightCall, arrived: ReplyFuture | None = None) -> None:
        step = running.driver.step(arrived)
        if isinstance(step, Awaiting):
            self._suspend(running, step.awaited)
        else:
            self._finish(running, step)

    def _suspend(self, running: InFlightCall, answer: ReplyFuture) -> None:
        if running.call is not None and running not in self._in_flight:
            self._schedule(running.call.deadline - time.monotonic(), CallOverdue(running))
        self._in_flight.suspend(running, answer)

    def _finish(self, running: InFlightCall, step: Returned | Raised) -> None:
        self._in_flight.end(running)
        if isinstance(step, Raised):
            log.error("admin console failed", action=running.action, exc_info=step.error)
        if running.call is not None:
            outcome = step.value if isinstance(step, Returned) else Refused(INTERNAL_ERROR)
            self._responder.answer(running.call, outcome)
        self._on_end()
