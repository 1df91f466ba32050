"""The Clock: tells actors things later. Nobody else waits for time.

Where the Clock rings for one tenant: it is woken only while somebody waits there.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from actors.runtime.actor import Actor
from actors.runtime.mailbox import Incarnation, Mailbox


class Once(NamedTuple):
    """Tell `to` the message once, `seconds` from now."""

    seconds: float
    to: Mailbox
    message: Any


class Every(NamedTuple):
    """Tell `to` the message every `seconds`, first one period from now, until the Clock stops."""

    seconds: float
    to: Mailbox
    message: Any


class ClockMailbox(Mailbox):
    """A mailbox with a thread of its own, which sleeps until mail comes or a time is due.

    The thread comes with the first incarnation, outlives failures, and ends when the Clock is stopped.
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
        """Let a new incarnation live here, with the thread of the one before where that only failed."""
        super().attach(incarnation)
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="clock", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """For the Clock only: forget every timer, and end the thread after this turn."""
        self._timers.clear()
        self._thread = None

    def set_timer(self, timer: Once | Every) -> None:
        """For the Clock only."""
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
                self._fire()  # also under a stream of mail, times that are due come first
                self.run()

    def _until_next(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _fire(self) -> None:
        # Looked at once: a period shorter than the look itself must not hold us here for ever.
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            timer.to.tell(timer.message)
            if isinstance(timer, Every):
                self.set_timer(timer)


class Clock(Actor):
    """Keeps timers in its mailbox, so that they outlive an incarnation of it."""

    mailbox: ClockMailbox

    def on_stop(self) -> None:
        """Nothing fires any more."""
        self.mailbox.stop()

    def on_receive(self, message: Any) -> None:
        """Once and Every; anything else is a defect of the sender."""
        if not isinstance(message, Once | Every):
            raise TypeError(f"the Clock takes Once and Every, not {type(message).__name__}")
        self.mailbox.set_timer(message)


class DeadlinePassed(NamedTuple):
    """From the alarm: the time of somebody who waits may be over."""


DEADLINE_PASSED = DeadlinePassed()


class DeadlineTimer(Mailbox):
    """One timer of the Clock's at a time, for the earliest moment that was asked for.

    Whoever sets it must be in need of it by then: it is asked on the Clock's thread, when it rings.
    """

    __slots__ = ("_clock", "_due", "_is_needed", "_message", "_tenant")

    def __init__(
        self,
        clock: Mailbox | None,
        tenant: Mailbox,
        is_needed: Callable[[], object],
        message: Any = DEADLINE_PASSED,
    ) -> None:
        """The tenant is told the message; without a clock it never rings."""
        super().__init__(f"alarm of {tenant.name}", lambda _: None)
        self._clock = clock
        self._tenant = tenant
        self._is_needed = is_needed
        self._message = message
        self._due = -inf

    def set(self, moment: float) -> None:
        """Ring at this time.monotonic(), unless it will before: then it is set again."""
        now = time.monotonic()
        if self._clock is None or now < self._due <= moment:
            return
        self._due = moment
        self._clock.tell(Once(max(0.0, moment - now), self, self._message))

    def tell(self, message: Any) -> None:
        """From the Clock; nobody is woken for what has ended."""
        if self._is_needed():
            self._tenant.tell(message)
