"""Tries of callers that nobody knows: a few are recorded, the others counted, so that no disk is filled.

How much one person may ask on the admin channel, so that nobody fills the log or takes all places.
"""

from __future__ import annotations

import math

from actors.admin.console.call import ANONYMOUS
from actors.errors import ResourceExhausted
from actors.log.messages import ACTION, ATTEMPTS, AuditEntry
from actors.messages import Principal
from actors.runtime.rate_limit import RateLimiter
from transport.message import UNAUTHENTICATED, Request

WINDOW_SECONDS = 60.0
"""The time for which tries are counted together, from the first of them on."""

MAX_RECORDED = 10
"""Tries in one window that get a record each."""

ANY_ACTION = "*"
"""What stands in place of an action where several were tried."""


class AttemptLog:
    """Pure: says what to record, and leaves the recording to its owner."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._tries = 0

    def record(self, request: Request, trace_id: str, now: float) -> list[AuditEntry]:
        """What to record of one more try at this time.monotonic(); its params may be anything: not them."""
        due = self.flushed() if now - self._since >= WINDOW_SECONDS else []
        if now - self._since >= WINDOW_SECONDS:
            self._since, self._tries = now, 0
        self._tries += 1
        if self._tries > MAX_RECORDED:
            return due
        return [*due, _attempt(request, trace_id)]

    @property
    def pending(self) -> int:
        """Tries of this window that no record tells of yet."""
        return max(0, self._tries - MAX_RECORDED)

    def flushed(self) -> list[AuditEntry]:
        """One record of all tries that have none, if there are any; the window goes on without them."""
        count = self.pending
        self._tries -= count
        if count == 0:
            return []
        message = f"{count} more within {WINDOW_SECONDS:.0f} s, without a valid token"
        return [
            AuditEntry(ATTEMPTS, ANY_ACTION, ANONYMOUS, outcome=UNAUTHENTICATED, message=message)
        ]


def _attempt(request: Request, trace_id: str) -> AuditEntry:
    return AuditEntry(
        ACTION,
        request.action,
        ANONYMOUS,
        tenant=request.tenant,
        outcome=UNAUTHENTICATED,
        message="without a valid token",
        request_id=request.id,
        trace_id=trace_id,
    )


RATE = 20.0
"""Calls per second: each is a record that is synced and kept for good, 500 bytes and 5 KiB at most."""

BURST = 200.0
"""Calls at once, where somebody was quiet before."""


class PersonRateLimits:
    """Everyone's, by person: another token is no other person."""

    def __init__(self) -> None:
        self._limiters: dict[str, RateLimiter] = {}

    def __len__(self) -> int:
        return len(self._limiters)

    def charge(self, caller: Principal, now: float) -> None:
        """Count one call at this time.monotonic(); ResourceExhausted where it is one too many."""
        limiter = self._limiters.get(caller.person)
        if limiter is None:
            limiter = self._limiters[caller.person] = RateLimiter(RATE, BURST)
        wait = limiter.try_acquire(1.0, now)
        if wait > 0.0:
            raise rate_limited(wait)

    def drop_idle(self, now: float) -> None:
        """Whoever has been quiet for long enough is as one who never came."""
        self._limiters = {
            person: limiter
            for person, limiter in self._limiters.items()
            if not limiter.is_full(now)
        }


def rate_limited(wait: float) -> ResourceExhausted:
    """The refusal of a call past the limit; `wait` is in seconds."""
    return ResourceExhausted(
        f"one person may make {RATE:g} calls a second on the admin channel, {BURST:g} at once; "
        "send this one again, with the same id",
        retry_after_ms=max(1, math.ceil(wait * 1000)),
    )
