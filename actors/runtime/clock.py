"""The Clock: sends actors messages later. No other part of the server waits for time.

DeadlineTimer keeps one timer of the Clock for one tenant, which is woken only while a function waits there.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from actors.runtime.actor import Actor
from actors.runtime.lifecycle import StartChild, supervised
from actors.runtime.mailbox import Incarnation, Mailbox


class Recipient(Protocol):
    """What the Clock can send a message to: a mailbox, or anything else with its `tell`."""

    def tell(self, message: Any) -> None:
        """Take the message; called on the Clock's thread, so it never waits."""
        ...


class Once(NamedTuple):
    """Send `to` the message once, `seconds` from now."""

    seconds: float
    to: Recipient
    message: Any


class Every(NamedTuple):
    """Send `to` the message every `seconds`, first one period from now, until the Clock stops."""

    seconds: float
    to: Recipient
    message: Any


class ClockMailbox(Mailbox):
    """A mailbox with a thread of its own, which sleeps until mail comes or a timer is due.

    The thread starts with the first incarnation, outlives crashes, and ends when the Clock is stopped.
    """

    __slots__ = ("_insertion_order", "_thread", "_timers", "_wakeup")

    def __init__(self, supervisor: Mailbox | None = None) -> None:
        self._wakeup: SimpleQueue[None] = SimpleQueue()
        super().__init__("clock", lambda _: self._wakeup.put(None), supervisor=supervisor)
        self._timers: list[tuple[float, int, Once | Every]] = []
        self._insertion_order = (
            itertools.count()
        )  # keeps equal times in order, and tuples comparable
        self._thread: threading.Thread | None = None

    def attach(self, incarnation: Incarnation) -> None:
        """Attach a new incarnation; it keeps the thread of one that crashed."""
        super().attach(incarnation)
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="clock", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Remove every timer, and end the thread after this turn. For the Clock only."""
        self._timers.clear()
        self._thread = None

    def set_timer(self, timer: Once | Every) -> None:
        """Add a timer that starts now. For the Clock only."""
        due = time.monotonic() + timer.seconds
        heapq.heappush(self._timers, (due, next(self._insertion_order), timer))

    def _loop(self) -> None:
        me = threading.current_thread()
        while self._thread is me:
            try:
                self._wakeup.get(timeout=self._until_next())
            except Empty:
                self._fire()
            else:
                self._fire()  # due timers come first, also under a stream of mail
                self.run()

    def _until_next(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _fire(self) -> None:
        # Read once: a period shorter than this loop must not keep it running for ever.
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            timer.to.tell(timer.message)
            if isinstance(timer, Every):
                self.set_timer(timer)


class Clock(Actor):
    """Keeps its timers in its mailbox, so that they outlive a crash."""

    mailbox: ClockMailbox

    def __init__(self, mailbox: ClockMailbox) -> None:
        super().__init__(mailbox)
        self._add_handlers({Once: mailbox.set_timer, Every: mailbox.set_timer})

    def on_stop(self) -> None:
        """Stop all timers and the thread."""
        self.mailbox.stop()


class DeadlinePassed(NamedTuple):
    """From a DeadlineTimer: the deadline of a call that waits may have passed."""


DEADLINE_PASSED = DeadlinePassed()


class DeadlineTimer:
    """One timer of the Clock at a time, for the earliest moment that was set.

    It is no mailbox, though the Clock tells it: each tenant that is awake has two.
    When the timer fires, `is_needed` is called on the Clock's thread. Only set a moment at which it will
    return true.
    """

    __slots__ = ("_clock", "_due", "_is_needed", "_message", "_tenant")

    def __init__(
        self,
        clock: Mailbox | None,
        tenant: Mailbox,
        is_needed: Callable[[], object],
        message: Any = DEADLINE_PASSED,
    ) -> None:
        """The tenant is sent `message`; without a clock the timer never fires."""
        self._clock = clock
        self._tenant = tenant
        self._is_needed = is_needed
        self._message = message
        self._due = -inf

    def set(self, moment: float) -> None:
        """Fire at this time.monotonic(), in seconds. If it fires earlier already, set it again then."""
        now = time.monotonic()
        if self._clock is None or now < self._due <= moment:
            return
        self._due = moment
        self._clock.tell(Once(max(0.0, moment - now), self, self._message))

    def tell(self, message: Any) -> None:
        """Pass the Clock's message on, unless what it was set for has ended."""
        if self._is_needed():
            self._tenant.tell(message)


def children(clock: Mailbox) -> list[StartChild]:
    """Return the Clock."""
    return [supervised(clock, Clock.start)]
