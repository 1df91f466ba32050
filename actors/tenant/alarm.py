"""Where the Clock rings for one tenant: it is woken only while somebody waits there."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple

from actors.clock import After
from actors.mailbox import Mailbox


class Overdue(NamedTuple):
    """From the alarm: the time of somebody who waits may be over."""


OVERDUE = Overdue()


class Alarm(Mailbox):
    """One timer of the Clock's at a time, for the earliest moment that was asked for.

    Whoever sets it must be in need of it by then: it is asked on the Clock's thread, when it rings.
    """

    __slots__ = ("_clock", "_due", "_is_needed", "_message", "_tenant")

    def __init__(
        self,
        clock: Mailbox | None,
        tenant: Mailbox,
        is_needed: Callable[[], object],
        message: Any = OVERDUE,
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
        self._clock.tell(After(max(0.0, moment - now), self, self._message))

    def tell(self, message: Any) -> None:
        """From the Clock; nobody is woken for what has ended."""
        if self._is_needed():
            self._tenant.tell(message)
