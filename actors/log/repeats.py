"""Events that come again and again: some are told as they are, the others counted and told as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST_ALIKE = 100
"""Events alike in one period that are told as they are."""

PERIOD = 10.0
"""Seconds from the first of them."""

MOST_KINDS = 1000
"""Kinds of events that are watched at a time; of others each one is told."""

KIND = ("level", "source", "event", "tenant", "action")
"""What events that are alike have in common, besides the type of their exception."""


class Repeats:
    """For one actor. Times are seconds since the epoch; a clock that goes back ends a period."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[Any, ...], _Kind] = {}

    def admit(self, record: Mapping[str, Any], now: float) -> bool:
        """Whether to tell it as it is; otherwise it is counted."""
        key = _key(record)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) < MOST_KINDS:
                self._kinds[key] = _Kind(now)
            return True
        kind.count += 1
        kind.last = record
        return kind.count <= MOST_ALIKE

    def over(self, now: float) -> Iterator[dict[str, Any]]:
        """A record for each kind whose period is over and that had more than was told; ends those periods."""
        for key, kind in list(self._kinds.items()):
            if not kind.since <= now < kind.since + PERIOD:
                del self._kinds[key]
                yield from kind.rest()

    def all(self) -> Iterator[dict[str, Any]]:
        """The same for every kind, whether its period is over or not."""
        kinds, self._kinds = self._kinds, {}
        for kind in kinds.values():
            yield from kind.rest()


class _Kind:
    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 1
        self.last: Mapping[str, Any] = {}

    def rest(self) -> Iterator[dict[str, Any]]:
        """The last one, for all that were not told."""
        if (more := self.count - MOST_ALIKE) > 0:
            yield {
                **self.last,
                "event": f"{self.last['event']} … and {more} more like it",
                "more": more,
            }


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    exception = record.get("exception")
    kind = exception.get("type") if isinstance(exception, Mapping) else None
    return (*(str(record.get(name)) for name in KIND), str(kind))
