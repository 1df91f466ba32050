"""How much time a tenant's functions may take: measured only where a limit is set.

Counted is the processor's time of the thread that runs the function, SQLite's share included. Time that
passes otherwise (waiting for a disk, for an outside service, for other tenants' turns) is nobody's fault
that could be refused, and would make a tenant pay for its neighbours.
"""

from __future__ import annotations

import math
import time
from typing import Final

from actors.bucket import Bucket
from actors.errors import ResourceExhausted

BURST_SECONDS: Final = 10.0
"""The limit holds on average over so many seconds."""


class FunctionTime:
    """One tenant's, for as long as it is resident: around each call of a function."""

    __slots__ = ("_began", "_bucket", "_limit", "_tenant")

    def __init__(self, tenant: str, limit: float) -> None:
        """`limit` is in milliseconds a second."""
        self._tenant = tenant
        self._limit = limit
        self._bucket = Bucket(limit, limit * BURST_SECONDS)
        self._began = 0.0

    def __enter__(self) -> None:
        """ResourceExhausted while more has been taken than there is: it says when that will be over."""
        wait = self._bucket.wait(time.monotonic())
        if wait > 0:
            raise ResourceExhausted(
                f"the functions of tenant {self._tenant} may take {self._limit:g} ms of the processor's time "
                f"in a second, on average over {BURST_SECONDS:g}, and have taken it; send this again with "
                "the same id",
                retry_after_ms=math.ceil(wait * 1000),
            )
        self.go_on()

    def resumed(self) -> Resumed:
        """Around a later stretch of a function that has waited."""
        return Resumed(self)

    def go_on(self) -> None:
        """Measure from here."""
        self._began = time.thread_time()

    def __exit__(self, *_: object) -> None:
        """What a call took is charged afterwards, however it ended."""
        spent = time.thread_time() - self._began
        self._bucket.charge(spent * 1000, time.monotonic())


class Resumed:
    """Charged like any, and never refused: a function that has begun is not ended halfway for its cost."""

    __slots__ = ("_time",)

    def __init__(self, time: FunctionTime) -> None:
        self._time = time

    def __enter__(self) -> None:
        self._time.go_on()

    def __exit__(self, *info: object) -> None:
        self._time.__exit__(*info)


def function_time(tenant: str, limit: float | None) -> FunctionTime | None:
    """What measures a tenant with this limit; None where there is none."""
    return None if limit is None else FunctionTime(tenant, limit)
