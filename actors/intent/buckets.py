"""The leaky buckets of the signals: one for each signal and each token, tenant or address."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from actors.intent.signals import Signal
from actors.runtime.rate_limit import RateLimiter

MOST_KEYS: Final = 1024
"""Keys that a bucket remembers in order to count each once; past them the oldest is forgotten."""

MOST_BUCKETS: Final = 20_000
"""Buckets; past them those that are empty go, and then those that were begun first."""


class Bucket:
    """A leaky bucket, by the generic cell rate algorithm. Times are time.monotonic(), in seconds."""

    __slots__ = ("_keys", "_limiter")

    def __init__(self, signal: Signal) -> None:
        self._limiter = RateLimiter(1.0 / signal.leakspeed, float(signal.capacity))
        self._keys: dict[Hashable, None] = {}

    def pour(self, key: Hashable, now: float) -> bool:
        """Count one, and a key once only unless it is None; return whether the bucket overflows."""
        if self._limiter.is_full(now):
            self._keys.clear()
        if key is not None:
            if key in self._keys:
                return False
            if len(self._keys) >= MOST_KEYS:
                del self._keys[next(iter(self._keys))]
            self._keys[key] = None
        return self._limiter.try_acquire(1.0, now) > 0.0

    def is_empty(self, now: float) -> bool:
        """Return whether all has leaked: a new bucket would behave the same."""
        return self._limiter.is_full(now)


class Buckets:
    """All buckets, by signal and by what they are of."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def pour(self, signal: Signal, group: str, key: Hashable, now: float) -> bool:
        """As `Bucket.pour`. A bucket that overflows is replaced by an empty one."""
        place = (signal.name, group)
        bucket = self._buckets.get(place)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[place] = Bucket(signal)
        if not bucket.pour(key, now):
            return False
        del self._buckets[place]
        return True

    def forget(self, group: str) -> None:
        """Empty the buckets of one token, tenant or address."""
        for place in [place for place in self._buckets if place[1] == group]:
            del self._buckets[place]

    def drop_empty(self, now: float) -> None:
        """Forget the buckets from which all has leaked."""
        self._buckets = {
            place: each for place, each in self._buckets.items() if not each.is_empty(now)
        }

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < MOST_BUCKETS:
            return
        self.drop_empty(now)
        for place in list(self._buckets)[: len(self._buckets) - MOST_BUCKETS // 2]:
            del self._buckets[place]
