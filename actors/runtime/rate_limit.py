"""How much time a tenant's functions may take: measured only where a limit is set.

Counted is the processor's time of the thread that runs the function, SQLite's share included. Time that
passes otherwise (waiting for a disk, for an outside service, for other tenants' turns) is nobody's fault
that could be refused, and would make a tenant pay for its neighbours.

A bucket: how much of something may be used in a time, and how long to wait where it is empty.
"""

from __future__ import annotations

import math
import time
from typing import Final

from actors.errors import ResourceExhausted

ROUNDING = 1e-6
"""Seconds by which a wait may be too short: sums of floats are not exact, and whoever waited must get in."""


class RateLimiter:
    """Fills at `rate` per second up to `burst`; pure: whoever asks brings the time.

    The generic cell rate algorithm (ITU-T I.371, annex A): all that is remembered is when the bucket is full
    again. Times are time.monotonic() in seconds; of one that goes back nobody gets more than if it had stood.
    """

    __slots__ = ("_burst_seconds", "_full_at", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        """It begins full. Both in the same unit, larger than 0."""
        self._rate = rate
        self._burst_seconds = burst / rate
        self._full_at = float("-inf")

    def try_acquire(self, cost: float, now: float) -> float:
        """Take out what is used now: 0.0; or take nothing: the seconds after which it will be there.

        A cost larger than the burst is never there.
        """
        full_at = max(self._full_at, now) + cost / self._rate
        wait = full_at - self._burst_seconds - now
        if wait > ROUNDING:
            return wait
        self._full_at = full_at
        return 0.0

    def charge(self, cost: float, now: float) -> None:
        """Take out what was used already, into debt where it was more than there was."""
        self._full_at = max(self._full_at, now) + cost / self._rate

    def retry_after(self, now: float) -> float:
        """Seconds until nothing is owed any more; 0.0 where nothing is."""
        owed = self._full_at - self._burst_seconds - now
        return owed if owed > ROUNDING else 0.0

    def is_full(self, now: float) -> bool:
        """Whether nothing of what was taken out is missing any more: another one would be the same."""
        return self._full_at <= now


BURST_SECONDS: Final = 10.0
"""The limit holds on average over so many seconds."""


class CpuBudget:
    """One tenant's, for as long as it is resident: around each call of a function."""

    __slots__ = ("_began", "_limit", "_limiter", "_tenant")

    def __init__(self, tenant: str, limit: float) -> None:
        """`limit` is in milliseconds a second."""
        self._tenant = tenant
        self._limit = limit
        self._limiter = RateLimiter(limit, limit * BURST_SECONDS)
        self._began = 0.0

    def __enter__(self) -> None:
        """ResourceExhausted while more has been taken than there is: it says when that will be over."""
        wait = self._limiter.retry_after(time.monotonic())
        if wait > 0:
            raise ResourceExhausted(
                f"the functions of tenant {self._tenant} may take {self._limit:g} ms of the processor's time "
                f"in a second, on average over {BURST_SECONDS:g}, and have taken it; send this again with "
                "the same id",
                retry_after_ms=math.ceil(wait * 1000),
            )
        self.resume()

    def resumption(self) -> Resumption:
        """Around a later stretch of a function that has waited."""
        return Resumption(self)

    def resume(self) -> None:
        """Measure from here."""
        self._began = time.thread_time()

    def __exit__(self, *_: object) -> None:
        """What a call took is charged afterwards, however it ended."""
        spent = time.thread_time() - self._began
        self._limiter.charge(spent * 1000, time.monotonic())


class Resumption:
    """Charged like any, and never refused: a function that has begun is not ended halfway for its cost."""

    __slots__ = ("_time",)

    def __init__(self, time: CpuBudget) -> None:
        self._time = time

    def __enter__(self) -> None:
        self._time.resume()

    def __exit__(self, *info: object) -> None:
        self._time.__exit__(*info)


def cpu_budget(tenant: str, limit: float | None) -> CpuBudget | None:
    """What measures a tenant with this limit; None where there is none."""
    return None if limit is None else CpuBudget(tenant, limit)
