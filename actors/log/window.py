"""How often lately: totals as they were at regular times, against the totals now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

EVERY = 20.0
"""Seconds from one mark to the next."""

KEPT = 16
"""Marks: they reach back five minutes."""


class Mark(NamedTuple):
    """The totals at one time."""

    at: float
    totals: dict[str, int]


class Window:
    """Marks of totals that only grow. Counting costs nothing; a mark costs a copy of the totals."""

    def __init__(self, now: float) -> None:
        """`now` is any clock's that never goes back, in seconds, here as in every method."""
        self._marks = deque([Mark(now, {})], KEPT)

    def mark(self, now: float, totals: Callable[[], Mapping[str, int]]) -> None:
        """Make the marks that are due. Call it before anything is counted that happens now."""
        latest = self._marks[-1].at
        if (due := int((now - latest) // EVERY)) == 0:
            return
        # Whoever counts calls this first, so nothing was counted since the first of them was due.
        then = dict(totals())
        for number in range(max(1, due - KEPT + 1), due + 1):
            self._marks.append(Mark(latest + number * EVERY, then))

    def forget(self, key: str) -> None:
        """It will be counted from zero again, if at all."""
        for mark in self._marks:
            mark.totals.pop(key, None)

    def per_second(self, totals: Mapping[str, int], now: float, seconds: float) -> float:
        """How many a second these are that were counted in the last `seconds`.

        Up to EVERY seconds more are looked at, and as many as there are after a start.
        """
        base = next(
            (mark for mark in reversed(self._marks) if mark.at <= now - seconds), self._marks[0]
        )
        counted = sum(total - base.totals.get(key, 0) for key, total in totals.items())
        return counted / max(now - base.at, 1.0)
