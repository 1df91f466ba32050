"""Throttling of the admin channel: unauthenticated attempts, and the rate of each person.

A few unauthenticated attempts are recorded and the others counted, so that no caller can fill the disk. The
rate limit keeps one person from filling the log or taking all capacity.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from actors.admin.console.call import ANONYMOUS
from actors.edge.rejections import OTHERS, Attempt, AttemptCounter
from actors.errors import ActionError, ResourceExhausted
from actors.log.messages import ACTION, ATTEMPTS, Append, AuditEntry
from actors.messages import Principal, TenantRecord, TenantRequest
from actors.runtime.mailbox import Mailbox
from actors.runtime.rate_limit import RateLimiter
from transport.message import RESOURCE_EXHAUSTED, UNAUTHENTICATED
from transport.request.model import Request

WINDOW_SECONDS = 60.0
"""Seconds for which attempts are counted together, from the first one on."""

MAX_RECORDED = 10
"""Attempts in one window that get a record each."""


class FlushAttempts(NamedTuple):
    """From the Clock: record how many attempts without a valid token have no record."""


ANY_ACTION = "*"
"""Replaces the action if several were attempted."""


class AttemptLog:
    """Log of unauthenticated attempts. Pure: it returns the entries, and its owner writes them."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._tries = 0

    def record(self, request: Request, trace_id: str, now: float) -> list[AuditEntry]:
        """Count an attempt at this time.monotonic(). Return the entries to write, without params."""
        due = self.flushed() if now - self._since >= WINDOW_SECONDS else []
        if now - self._since >= WINDOW_SECONDS:
            self._since, self._tries = now, 0
        self._tries += 1
        if self._tries > MAX_RECORDED:
            return due
        return [*due, _attempt(request, trace_id)]

    @property
    def pending(self) -> int:
        """Number of attempts in this window that no record includes yet."""
        return max(0, self._tries - MAX_RECORDED)

    def flushed(self) -> list[AuditEntry]:
        """Return one record of all pending attempts, if any. The window continues without them."""
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
"""Calls per second: each is a record that is synced and kept for good, 500 bytes, at most 5 KiB."""

BURST = 200.0
"""Calls at once after a pause."""


class PersonRateLimits:
    """Rate limit of each person, whichever of their tokens is used."""

    def __init__(self) -> None:
        self._limiters: dict[str, RateLimiter] = {}

    def __len__(self) -> int:
        return len(self._limiters)

    def charge(self, caller: Principal, now: float) -> None:
        """Count one call at this time.monotonic(). Raise ResourceExhausted if it exceeds the limit."""
        limiter = self._limiters.get(caller.person)
        if limiter is None:
            limiter = self._limiters[caller.person] = RateLimiter(RATE, BURST)
        wait = limiter.try_acquire(1.0, now)
        if wait > 0.0:
            raise rate_limited(wait)

    def drop_idle(self, now: float) -> None:
        """Forget people whose limit is fully restored."""
        self._limiters = {
            person: limiter
            for person, limiter in self._limiters.items()
            if not limiter.is_full(now)
        }


def rate_limited(wait: float) -> ResourceExhausted:
    """Return the refusal of a call beyond the limit; `wait` is in seconds."""
    return ResourceExhausted(
        f"one person may make {RATE:g} calls a second on the admin channel, {BURST:g} at once; "
        "send this one again, with the same id",
        retry_after_ms=max(1, math.ceil(wait * 1000)),
    )


class AttemptRecords:
    """Has refused attempts written into the audit log: few records, and counts of the others."""

    def __init__(self, audit_log: Mailbox, schedule: Callable[[float, Any], None]) -> None:
        """`schedule` has the console told a message after some seconds."""
        self._audit_log = audit_log
        self._schedule = schedule
        self._attempts = AttemptLog()
        self._rates = PersonRateLimits()
        self._rate_refusals = AttemptCounter("faster than one person may", RESOURCE_EXHAUSTED)

    def add_unauthenticated(self, request: Request, trace_id: str) -> None:
        """Record or count a request without a valid token."""
        self.append(self._attempts.record(request, trace_id, time.monotonic()))
        if self._attempts.pending == 1:
            self._schedule(WINDOW_SECONDS, FlushAttempts())

    def charge(self, work: TenantRequest, tenant: TenantRecord | None) -> None:
        """Count a call; raise ResourceExhausted if its caller, of this tenant, is too fast."""
        try:
            self._rates.charge(work.principal, work.received)
        except ActionError:
            attempt = Attempt(work.principal, OTHERS, tenant)
            self.append(self._rate_refusals.add(attempt, work.received))
            raise

    def flush_unauthenticated(self) -> None:
        """Record how many attempts without a valid token have no record yet."""
        self.append(self._attempts.flushed())

    def flush_rates(self) -> None:
        """Record the refusals of people who were too fast, and forget people who were not lately."""
        self.append(self._rate_refusals.drain(time.monotonic()))
        self._rates.drop_idle(time.monotonic())

    def append(self, entries: Iterable[AuditEntry]) -> None:
        """Send entries to the audit log, and wait for none."""
        for entry in entries:
            self._audit_log.tell(Append(entry))
