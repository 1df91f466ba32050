"""Tries of callers that nobody knows: a few are recorded, the others counted, so that no disk is filled."""

from __future__ import annotations

import math

from actors.admin.capacity import NOBODY
from actors.log.messages import ACTION, ATTEMPTS, Entry
from transport.message import UNAUTHENTICATED, Request

WINDOW_SECONDS = 60.0
"""The time for which tries are counted together, from the first of them on."""

MOST_RECORDED = 10
"""Tries in one window that get a record each."""

ANY_ACTION = "*"
"""What stands in place of an action where several were tried."""


class Strangers:
    """Pure: says what to record, and leaves the recording to its owner."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._tries = 0

    def note(self, request: Request, trace_id: str, now: float) -> list[Entry]:
        """What to record of one more try at this time.monotonic(); its params may be anything: not them."""
        due = self.counted() if now - self._since >= WINDOW_SECONDS else []
        if now - self._since >= WINDOW_SECONDS:
            self._since, self._tries = now, 0
        self._tries += 1
        if self._tries > MOST_RECORDED:
            return due
        return [*due, _try(request, trace_id)]

    @property
    def uncounted(self) -> int:
        """Tries of this window that no record tells of yet."""
        return max(0, self._tries - MOST_RECORDED)

    def counted(self) -> list[Entry]:
        """One record of all tries that have none, if there are any; the window goes on without them."""
        count = self.uncounted
        self._tries -= count
        if count == 0:
            return []
        message = f"{count} more within {WINDOW_SECONDS:.0f} s, without a valid token"
        return [Entry(ATTEMPTS, ANY_ACTION, NOBODY, outcome=UNAUTHENTICATED, message=message)]


def _try(request: Request, trace_id: str) -> Entry:
    return Entry(
        ACTION,
        request.action,
        NOBODY,
        tenant=request.tenant,
        outcome=UNAUTHENTICATED,
        message="without a valid token",
        request_id=request.id,
        trace_id=trace_id,
    )
