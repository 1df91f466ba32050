"""What a log could not keep: how much, and between which times."""

from __future__ import annotations

from typing import Any

from actors.host.clocks import moment


class Loss:
    """Counted until it can be told."""

    def __init__(self) -> None:
        self.count = 0
        self._first = 0.0
        self._last = 0.0

    def add(self, first: float, last: float | None = None, count: int = 1) -> None:
        """So many more records, of these times, in seconds since the epoch."""
        last = first if last is None else last
        self._first = min(self._first, first) if self.count else first
        self._last = max(self._last, last) if self.count else last
        self.count += count

    def record(self, at: float, **more: Any) -> dict[str, Any]:
        """What to tell the ErrorLog at this time."""
        first, last = moment(self._first), moment(self._last)
        lost = f"{self.count} records lost between {first} and {last}"
        return {"at": at, "level": "error", "event": lost, "lost": self.count, **more}
