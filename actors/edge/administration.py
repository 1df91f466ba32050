"""What the data channel forwards to the admin console, and how much of it one tenant may send.

The console serves operators, too: a tenant that sends more than a few calls a second is refused here, before
the console has read anything.
"""

from __future__ import annotations

from typing import Final

from actors.edge.allowance import milliseconds
from actors.errors import ResourceExhausted
from actors.messages import TenantRecord, TenantRequest
from actors.runtime.mailbox import Mailbox
from actors.runtime.rate_limit import RateLimiter

RATE: Final = 10.0
"""Calls per second of one tenant, all its people together: each is a record that is synced."""

BURST: Final = 100.0
"""Calls at once after a pause."""

MOST_TENANTS: Final = 1000
"""Limiters that are kept before those that are full again are dropped."""


class AdministrationGate:
    """Forwards calls to the admin console. It belongs to one actor."""

    def __init__(self, console: Mailbox) -> None:
        self._console = console
        self._limiters: dict[str, RateLimiter] = {}

    def forward(self, tenant: TenantRecord, work: TenantRequest) -> None:
        """Forward one call; the console replies through the outlet of the request.

        Raises ResourceExhausted if the tenant sends more than RATE a second.
        """
        limiter = self._limiters.get(tenant.id)
        if limiter is None:
            self._drop_idle(work.received)
            limiter = self._limiters[tenant.id] = RateLimiter(RATE, BURST)
        wait = limiter.try_acquire(1.0, work.received)
        if wait > 0.0:
            raise ResourceExhausted(
                f"tenant {tenant.name} may call {work.request.action} and its like {RATE:g} times a second, "
                f"{BURST:g} at once; send this one again, with the same id",
                retry_after_ms=milliseconds(wait),
            )
        self._console.tell(work)

    def _drop_idle(self, now: float) -> None:
        if len(self._limiters) >= MOST_TENANTS:
            self._limiters = {
                id_: limiter for id_, limiter in self._limiters.items() if not limiter.is_full(now)
            }
