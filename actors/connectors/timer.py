"""The connector `timer`: a function waits without holding a thread or a transaction."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from actors.errors import DeadlineExceeded, Unimplemented
from actors.messages import CallConnector
from actors.runtime.actor import Actor
from actors.runtime.clock import Once
from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.lifecycle import StartChild, supervised
from actors.runtime.mailbox import Mailbox

SLEEP: Final = "timer.sleep"


class TimerFired(NamedTuple):
    """From the Clock: a sleep has ended."""

    since: float
    """time.monotonic() at the start of the sleep, in seconds."""
    reply_to: ReplyFuture


class Timer(Actor):
    """Takes CallConnector like every connector; the Clock waits for it."""

    def __init__(self, mailbox: Mailbox, clock: Mailbox) -> None:
        super().__init__(mailbox)
        self._clock = clock
        self._add_handlers(
            {
                CallConnector: self._begin,
                TimerFired: self._fire,
            }
        )

    def _begin(self, message: CallConnector) -> None:
        if message.operation == SLEEP:
            self._sleep(message)
        else:
            error = Unimplemented(f"{message.operation} is no operation of the timer's")
            resolve_with_error(message.reply_to, error)

    def _fire(self, fired: TimerFired) -> None:
        resolve(fired.reply_to, {"seconds": time.monotonic() - fired.since})

    def _sleep(self, message: CallConnector) -> None:
        """Refuse a sleep that would end after the deadline: no caller would take its result."""
        seconds, now = message.params["seconds"], time.monotonic()
        if now + seconds > message.deadline:
            error = DeadlineExceeded(
                f"{SLEEP} of {seconds:g} s was not begun: the request's timeout_ms would be over by then"
            )
            resolve_with_error(message.reply_to, error)
        else:
            self._clock.tell(Once(seconds, self.mailbox, TimerFired(now, message.reply_to)))


def children(timer: Mailbox, clock: Mailbox) -> list[StartChild]:
    """Return the Timer; every other connector starts when it is first needed."""
    return [supervised(timer, lambda box: Timer.start(box, clock))]
