"""Wall clocks for access and for removal, which no jump of the machine's clock can mislead."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path


class MonotonicWallClock:
    """One actor's wall clock. If the machine's clock is set back, it stands still until that has caught up.

    So what has expired stays expired, and a grant lasts at most as much longer as the clock was set back.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._latest = clock()

    def now(self) -> float:
        """Return seconds since the epoch; never less than before."""
        self._latest = max(self._latest, self._clock())
        return self._latest


CATCH_UP_RATE = 2.0
"""Seconds that a RetentionClock advances in one second while it is behind the wall clock."""

FILE = "age"
"""Name of the file in the data directory that stores the time of its RetentionClock."""


class RetentionClock:
    """The time by which things are old enough to be removed: a wall clock that cannot jump forward.

    It continues from its time when the server last ran, at twice the speed until it has caught up. So a
    machine's clock that is ten years ahead for an hour makes files two hours older, not ten years; a server
    that was off for a week keeps its files for another week.
    """

    def __init__(
        self,
        start: float,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        file: Path | None = None,
    ) -> None:
        """`start` is its last time, in seconds since the epoch; `wall` returns such seconds, `steady` any.

        `file` is where `note` stores the time.
        """
        self._start = start
        self._wall = wall
        self._steady = steady
        self._began = steady()
        self._file = file

    def now(self) -> float:
        """Return seconds since the epoch: behind the wall clock, or ahead of it if that was set back."""
        lived = self._steady() - self._began
        return min(max(self._wall(), self._start), self._start + CATCH_UP_RATE * lived)

    def note(self) -> None:
        """Store the time. If that fails, the next start continues from an earlier time."""
        if self._file is None:
            return
        fresh = self._file.with_name(f".{self._file.name}.new")
        with suppress(OSError):
            fresh.write_text(f"{self.now():.3f}\n", encoding="ascii")
            fresh.replace(self._file)


def retention_clock(
    data: Path,
    wall: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
) -> RetentionClock:
    """The RetentionClock of what is in a data directory.

    Of one that older code wrote, it is that of its newest writing; of a new one, the wall clock.
    """
    start = _saved(data / FILE) or _newest_write(data / "directory.db") or wall()
    return RetentionClock(start, wall, steady, data / FILE)


def _saved(file: Path) -> float | None:
    try:
        noted = float(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return noted if math.isfinite(noted) else None


def _newest_write(directory: Path) -> float | None:
    written = [path.stat().st_mtime for path in directory.parent.glob(f"{directory.name}*")]
    return max(written, default=None)


def rfc3339(seconds: float, timespec: str = "milliseconds") -> str:
    """Return RFC 3339 in UTC of seconds since the epoch: `2026-11-29T10:00:00.000Z`.

    `timespec` is that of `datetime.isoformat`: "seconds", or "auto" for as many digits as there are.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
