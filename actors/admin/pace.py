"""How much one person may ask on the admin channel, so that nobody fills the log or takes all places."""

from __future__ import annotations

import math

from actors.errors import ResourceExhausted
from actors.messages import Principal
from actors.runtime.rate_limit import Bucket

RATE = 20.0
"""Calls per second: each is a record that is synced and kept for good, 500 bytes and 5 KiB at most."""

BURST = 200.0
"""Calls at once, where somebody was quiet before."""


class Pace:
    """Everyone's, by person: another token is no other person."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def count(self, caller: Principal, now: float) -> None:
        """Count one call at this time.monotonic(); ResourceExhausted where it is one too many."""
        bucket = self._buckets.get(caller.person)
        if bucket is None:
            bucket = self._buckets[caller.person] = Bucket(RATE, BURST)
        wait = bucket.take(1.0, now)
        if wait > 0.0:
            raise too_fast(wait)

    def forget(self, now: float) -> None:
        """Whoever has been quiet for long enough is as one who never came."""
        self._buckets = {
            person: bucket for person, bucket in self._buckets.items() if not bucket.is_full(now)
        }


def too_fast(wait: float) -> ResourceExhausted:
    """The refusal of a call past the limit; `wait` is in seconds."""
    return ResourceExhausted(
        f"one person may make {RATE:g} calls a second on the admin channel, {BURST:g} at once; "
        "send this one again, with the same id",
        retry_after_ms=max(1, math.ceil(wait * 1000)),
    )
