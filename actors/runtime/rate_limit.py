"""Budgets over time: a rate limiter, and the limit of the CPU time that a tenant's functions may use.

CpuBudget counts the CPU time of the thread that runs a function, SQLite's share included. It does not count
time that passes while the function waits (for a disk, for an outside service, for other tenants' turns): the
tenant cannot help it, and would pay for its neighbours. CPU time is measured only for tenants with a limit.
"""

from __future__ import annotations

import math
import time
from typing import Final

from actors.errors import ResourceExhausted

ROUNDING = 1e-6
"""Seconds by which a wait may be too short: sums of floats are not exact, and a caller that waited is due."""


class RateLimiter:
    """A budget that refills at `rate` per second up to `burst`. Pure: the caller passes the time.

    The generic cell rate algorithm (ITU-T I.371, annex A): only the time at which the budget is full again is
    stored. Times are time.monotonic() in seconds; a time that goes back lets no more through than one that
    stands still.
    """

    __slots__ = ("_burst_seconds", "_full_at", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        """Start with a full budget. `rate` and `burst` have the same unit and are larger than 0."""
        self._rate = rate
        self._burst_seconds = burst / rate
        self._full_at = float("-inf")

    def try_acquire(self, cost: float, now: float) -> float:
        """Take `cost` and return 0.0; or take nothing and return the seconds until `cost` is available.

        A cost larger than the burst is never available.
        """
        full_at = max(self._full_at, now) + cost / self._rate
        wait = full_at - self._burst_seconds - now
        if wait > ROUNDING:
            return wait
        self._full_at = full_at
        return 0.0

    def charge(self, cost: float, now: float) -> None:
        """Take a cost that was used already; the budget goes into debt if there was less."""
        self._full_at = max(self._full_at, now) + cost / self._rate

    def retry_after(self, now: float) -> float:
        """Return the seconds until no debt is left; 0.0 if there is none."""
        owed = self._full_at - self._burst_seconds - now
        return owed if owed > ROUNDING else 0.0

    def is_full(self, now: float) -> bool:
        """Return whether the budget is full: a new limiter would behave the same."""
        return self._full_at <= now


BURST_SECONDS: Final = 10.0
"""Seconds over which the limit of CPU time holds on average."""


class CpuBudget:
    """The CPU time of one tenant, while it is resident. A context manager around each call of a function."""

    __slots__ = ("_began", "_limit", "_limiter", "_tenant")

    def __init__(self, tenant: str, limit: float) -> None:
        """`limit` is in milliseconds of CPU time a second."""
        self._tenant = tenant
        self._limit = limit
        self._limiter = RateLimiter(limit, limit * BURST_SECONDS)
        self._began = 0.0

    def __enter__(self) -> None:
        """Start to measure. Raises ResourceExhausted, with the time to wait, while the budget is in debt."""
        wait = self._limiter.retry_after(time.monotonic())
        if wait > 0:
            raise ResourceExhausted(
                f"the functions of tenant {self._tenant} have used their {self._limit:g} ms of CPU time a "
                f"second, on average over {BURST_SECONDS:g} s. Send the request again later with the same id",
                retry_after_ms=math.ceil(wait * 1000),
            )
        self.resume()

    def resumption(self) -> Resumption:
        """Return a context manager for a later step of a function that has waited."""
        return Resumption(self)

    def resume(self) -> None:
        """Measure from now on."""
        self._began = time.thread_time()

    def __exit__(self, *_: object) -> None:
        """Charge the CPU time of the call, however it ended."""
        spent = time.thread_time() - self._began
        self._limiter.charge(spent * 1000, time.monotonic())


class Resumption:
    """Charges a step like a call, but never rejects it: a function that has begun is not ended halfway."""

    __slots__ = ("_time",)

    def __init__(self, time: CpuBudget) -> None:
        self._time = time

    def __enter__(self) -> None:
        self._time.resume()

    def __exit__(self, *info: object) -> None:
        self._time.__exit__(*info)


def cpu_budget(tenant: str, limit: float | None) -> CpuBudget | None:
    """Return the budget of a tenant; None if it has no limit."""
    return None if limit is None else CpuBudget(tenant, limit)
