"""A latency histogram: how many were how slow, in buckets that grow with what they count.

A bound is to the next as 1 to 1.25 at most, so that a percentile is known to a quarter of itself, from 0.1 ms
to a minute, in 600 bytes and in the time of one addition.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

STEPS = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
"""Of each decade: IEC 60063's series E12, which are round numbers."""

BOUNDS_MS = tuple(
    step * decade / 100 for decade in (1, 10, 100, 1000, 10_000, 100_000) for step in STEPS
)[:-1]
"""Upper bounds of the buckets, inclusive, in milliseconds: 0.1 to 68,000. What is slower has a last one."""

COARSE = tuple(range(0, len(BOUNDS_MS), 4))
"""Every fourth bound, 1, 2.2 and 4.7 of each decade: what monitoring systems get, who pay for each."""


def bucket_of(milliseconds: float) -> int:
    """The bucket that a duration falls into."""
    return bisect_left(BOUNDS_MS, milliseconds)


class Histogram:
    """Durations of one kind."""

    __slots__ = ("counts", "total_ms")

    def __init__(self) -> None:
        self.counts = array("Q", bytes(8 * (len(BOUNDS_MS) + 1)))
        """How many durations each bucket has, by its number."""
        self.total_ms = 0.0
        """All durations, added up."""

    def __len__(self) -> int:
        return sum(self.counts)

    def add(self, buckets: Iterable[int], milliseconds: float) -> None:
        """Count these; a duration's bucket is `bucket_of` it, and all together take so many milliseconds."""
        counts = self.counts
        for bucket in buckets:
            counts[bucket] += 1
        self.total_ms += milliseconds

    def merge(self, other: Histogram) -> None:
        """Count what the other has counted."""
        for bucket, count in enumerate(other.counts):
            self.counts[bucket] += count
        self.total_ms += other.total_ms

    def copy(self) -> Histogram:
        """One that does not change any more."""
        made = Histogram()
        made.counts = self.counts[:]
        made.total_ms = self.total_ms
        return made

    def percentiles(self, shares: Iterable[float]) -> list[float | None]:
        """The duration that such a share of all was not slower than, in milliseconds; None for none at all.

        It is in the same bucket as the exact one. Of what is slower than the last bound it says that bound.
        """
        up_to = list(accumulate(self.counts))
        return [self._at_rank(up_to, math.ceil(share * up_to[-1])) for share in shares]

    def _at_rank(self, up_to: list[int], rank: int) -> float | None:
        if rank == 0:
            return None
        bucket = bisect_left(up_to, rank)
        if bucket == len(BOUNDS_MS):
            return BOUNDS_MS[-1]
        lower, upper = BOUNDS_MS[bucket - 1] if bucket else 0.0, BOUNDS_MS[bucket]
        before = up_to[bucket] - self.counts[bucket]
        within = lower + (upper - lower) * (rank - before) / self.counts[bucket]
        return min(within, upper)  # rounding can put it behind its own bound

    def coarse(self) -> list[tuple[float, int]]:
        """Bounds in seconds, each with how many durations are not longer; the last bound is infinite."""
        up_to = list(accumulate(self.counts))
        return [
            *((round(BOUNDS_MS[at] / 1000, 6), up_to[at]) for at in COARSE),
            (math.inf, up_to[-1]),
        ]
