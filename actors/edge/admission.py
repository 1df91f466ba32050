"""The way into one tenant: its mailbox once that is known, what waits until then, and how much may go in."""

from __future__ import annotations

from collections import deque

from actors.edge.allowance import milliseconds
from actors.errors import ResourceExhausted, Unavailable
from actors.messages import ACTIVE, SUSPENDED, TenantRecord, TenantRequest
from actors.profiles import DEFAULT_PROFILE, TenantLimits
from actors.runtime.mailbox import Mailbox
from actors.runtime.rate_limit import RateLimiter

RETRY_FULL_MS = 100
"""What a full mailbox tells its callers to wait, in milliseconds: about the time to work through it."""

RETRY_SUSPENDED_MS = 60_000
"""What callers of a suspended tenant are told to wait, in milliseconds: people decide when it ends."""

MOST_WAITING = 1000
"""Messages that may wait for one tenant while the supervisor is asked for its mailbox."""


class Admission:
    """One tenant's; used by one thread at a time."""

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
        """`usual_rate` is in requests a second, where the tenant's own limits set none; 0 for any number."""
        self.tenant = tenant
        self.mailbox: Mailbox | None = None
        """None until `open`."""
        self.waiting: deque[TenantRequest] = deque()
        """What came until then, in order."""
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
        """Count one request at this time.monotonic(), under the newest limits.

        ResourceExhausted, and not counted, where the tenant has sent as many as it may.
        """
        if limits is not self._seen:
            self._seen = limits
            self._apply(self._rated(limits))
        if self._limiter is not None:
            wait = self._limiter.try_acquire(1.0, now)
            if wait > 0.0:
                raise rate_limited(self.tenant, self._limits, wait)

    def enqueue(self, work: TenantRequest) -> bool:
        """Let a message wait for the mailbox; True for the first, whose sender has to ask for it."""
        if len(self.waiting) >= MOST_WAITING:
            raise queue_full(self.tenant, MOST_WAITING)
        self.waiting.append(work)
        return len(self.waiting) == 1

    def release(self, mailbox: Mailbox) -> deque[TenantRequest]:
        """This is the tenant's mailbox; what waits is the caller's now."""
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
        """The limiter stays where its own limits did: another would be full again."""
        was, self._limits = self._limits, limits
        if (limits.requests_per_second, limits.burst) != (was.requests_per_second, was.burst):
            self._limiter = bucket_of(limits)
        self._resize()

    def _resize(self) -> None:
        if self.mailbox is not None:
            self.mailbox.limit = self._limits.mailbox or self._usual


def bucket_of(limits: TenantLimits) -> RateLimiter | None:
    """A full one; None where requests are not limited."""
    rate = limits.requests_per_second
    return None if rate is None else RateLimiter(rate, burst_of(limits, rate))


def burst_of(limits: TenantLimits, rate: float) -> float:
    """Requests at once."""
    return limits.burst or max(1.0, rate)


def rate_limited(tenant: TenantRecord, limits: TenantLimits, wait: float) -> ResourceExhausted:
    """The refusal of a request past the limit; `wait` is in seconds."""
    rate = limits.requests_per_second or 0.0
    return ResourceExhausted(
        f"tenant {tenant.name} may send {rate:g} requests a second, {burst_of(limits, rate):g} at once; "
        "send this one again, with the same id",
        retry_after_ms=milliseconds(wait),
    )


def require_active(tenant: TenantRecord) -> None:
    """Return if the tenant's own actions are served; Unavailable says why not, and when to ask again."""
    if tenant.status == SUSPENDED:
        raise Unavailable(
            f"tenant {tenant.name} is suspended; nothing was done",
            retry_after_ms=RETRY_SUSPENDED_MS,
        )
    if tenant.status != ACTIVE:
        raise Unavailable(f"tenant {tenant.name} is about to be deleted; nothing was done")


def queue_full(tenant: TenantRecord, limit: int) -> ResourceExhausted:
    """The refusal of a mailbox that holds all it may."""
    return ResourceExhausted(
        f"{limit} messages wait for tenant {tenant.name} already; send this one again, with the same id",
        retry_after_ms=RETRY_FULL_MS,
    )
