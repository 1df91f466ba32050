"""A bucket: how much of something may be used in a time, and how long to wait where it is empty."""

from __future__ import annotations

ROUNDING = 1e-6
"""Seconds by which a wait may be too short: sums of floats are not exact, and whoever waited must get in."""


class Bucket:
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

    def take(self, cost: float, now: float) -> float:
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

    def wait(self, now: float) -> float:
        """Seconds until nothing is owed any more; 0.0 where nothing is."""
        owed = self._full_at - self._burst_seconds - now
        return owed if owed > ROUNDING else 0.0

    def is_full(self, now: float) -> bool:
        """Whether nothing of what was taken out is missing any more: another one would be the same."""
        return self._full_at <= now
