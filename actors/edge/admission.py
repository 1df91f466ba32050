"""Admission of requests to one tenant: its mailbox, a queue until that is known, and the rate limit."""

from __future__ import annotations

from collections import deque

from actors.edge.allowance import milliseconds
from actors.errors import ResourceExhausted, Unavailable
from actors.messages import ACTIVE, SUSPENDED, TenantRecord, TenantRequest
from actors.profiles import DEFAULT_PROFILE, TenantLimits
from actors.runtime.mailbox import Mailbox
from actors.runtime.rate_limit import RateLimiter

RETRY_FULL_MS = 100
"""`retry_after_ms` of a refusal because the mailbox is full: about the time to work through it."""

RETRY_SUSPENDED_MS = 60_000
"""`retry_after_ms` of a refusal because the tenant is suspended: people decide when a suspension ends."""

MOST_WAITING = 1000
"""Most messages queued for one tenant while the router asks the supervisor for its mailbox."""


class Admission:
    """Admits requests to one tenant. Used by one thread at a time."""

    __slots__ = (
        "_limiter",
        "_limits",
        "_seen",
        "_usual",
        "_usual_rate",
        "mailbox",
        "tenant",
        "waiting",
    )

    def __init__(self, tenant: TenantRecord, usual_rate: float = 0.0) -> None:
        """`usual_rate` applies if the tenant's limits set no rate: requests a second, 0 for no limit."""
        self.tenant = tenant
        self.mailbox: Mailbox | None = None
        """None until `release`."""
        self.waiting: deque[TenantRequest] = deque()
        """Requests that arrived before the mailbox was known, oldest first."""
        self._usual = MOST_WAITING
        self._usual_rate = usual_rate or None
        self._limits = self._rated(DEFAULT_PROFILE.limits)
        self._seen = DEFAULT_PROFILE.limits
        self._limiter = bucket_of(self._limits)

    @property
    def is_awake(self) -> bool:
        """Whether the tenant is resident."""
        return self.mailbox is not None and self.mailbox.incarnation is not None

    def charge(self, limits: TenantLimits, now: float) -> None:
        """Charge one request to the tenant's rate, at this time.monotonic() and under these limits.

        Raises ResourceExhausted, and charges nothing, if the tenant is past its rate.
        """
        if limits is not self._seen:
            self._seen = limits
            self._apply(self._rated(limits))
        if self._limiter is not None:
            wait = self._limiter.try_acquire(1.0, now)
            if wait > 0.0:
                raise rate_limited(self.tenant, self._limits, wait)

    def enqueue(self, work: TenantRequest) -> bool:
        """Queue a request until `release`; True for the first one, after which the mailbox must be asked for.

        Raises ResourceExhausted if MOST_WAITING requests are queued.
        """
        if len(self.waiting) >= MOST_WAITING:
            raise queue_full(self.tenant, MOST_WAITING)
        self.waiting.append(work)
        return len(self.waiting) == 1

    def release(self, mailbox: Mailbox) -> deque[TenantRequest]:
        """Set the tenant's mailbox and return the queued requests, which the caller must deliver."""
        self.mailbox = mailbox
        self._usual = mailbox.limit
        self._resize()
        waiting, self.waiting = self.waiting, deque()
        return waiting

    def _rated(self, limits: TenantLimits) -> TenantLimits:
        if limits.requests_per_second is not None or self._usual_rate is None:
            return limits
        return limits._replace(requests_per_second=self._usual_rate)

    def _apply(self, limits: TenantLimits) -> None:
        """Replace the limiter only if its own limits changed: a new one would allow a full burst again."""
        was, self._limits = self._limits, limits
        if (limits.requests_per_second, limits.burst) != (was.requests_per_second, was.burst):
            self._limiter = bucket_of(limits)
        self._resize()

    def _resize(self) -> None:
        if self.mailbox is not None:
            self.mailbox.limit = self._limits.mailbox or self._usual


def bucket_of(limits: TenantLimits) -> RateLimiter | None:
    """Return a limiter that allows a full burst; None if the tenant's requests are not limited."""
    rate = limits.requests_per_second
    return None if rate is None else RateLimiter(rate, burst_of(limits, rate))


def burst_of(limits: TenantLimits, rate: float) -> float:
    """Return how many requests may come at once."""
    return limits.burst or max(1.0, rate)


def rate_limited(tenant: TenantRecord, limits: TenantLimits, wait: float) -> ResourceExhausted:
    """Return the refusal of a request past the tenant's rate; `wait` is in seconds."""
    rate = limits.requests_per_second or 0.0
    return ResourceExhausted(
        f"tenant {tenant.name} may send {rate:g} requests a second, {burst_of(limits, rate):g} at once; "
        "send this one again, with the same id",
        retry_after_ms=milliseconds(wait),
    )


def require_active(tenant: TenantRecord) -> None:
    """Raise Unavailable, with the reason, if the tenant is suspended or about to be deleted."""
    if tenant.status == SUSPENDED:
        raise Unavailable(
            f"tenant {tenant.name} is suspended; nothing was done",
            retry_after_ms=RETRY_SUSPENDED_MS,
        )
    if tenant.status != ACTIVE:
        raise Unavailable(f"tenant {tenant.name} is about to be deleted; nothing was done")


def queue_full(tenant: TenantRecord, limit: int) -> ResourceExhausted:
    """Return the refusal of a request because `limit` messages wait for the tenant."""
    return ResourceExhausted(
        f"{limit} messages wait for tenant {tenant.name} already; send this one again, with the same id",
        retry_after_ms=RETRY_FULL_MS,
    )
