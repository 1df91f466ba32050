"""The hours of a search, as the lines of a log begin with them: blocks without one are passed over whole."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

AT = b'{"at":"'
"""How lines begin whose first member is the time."""

HOUR_LENGTH = len("2026-11-24T12:")

ZONE_AT = len("2026-11-24T12:30:00.000")
"""Where a time to the millisecond has the difference from UTC."""

LONGEST_SECONDS = 3 * 24 * 3600.0
"""Of longer times every line is looked at: there would be too many hours to look for."""

STEP_SECONDS = 900.0
"""Less than any part of an hour by which zones differ and change."""


class Hours(NamedTuple):
    """All hours of a time, in local time."""

    beginnings: frozenset[bytes]
    """Of lines, up to the hour."""
    zones: frozenset[bytes]
    """Differences from UTC in these hours, as lines have them."""

    def are_not_in(self, text: bytes) -> bool:
        """Return whether no line of a block can be of these hours.

        False, too, if the block's lines are in the time of another zone, or do not begin with a time.
        """
        last = text.rfind(b"\n", 0, len(text) - 1) + 1
        is_comparable = all(_zone_of(text, start) in self.zones for start in (0, last))
        return is_comparable and not any(each in text for each in self.beginnings)


def hours_of(since: float | None, until: float | None, zone: ZoneInfo | None) -> Hours | None:
    """Return the hours from `since` to `until`, in seconds since the epoch; None if they have no use."""
    if since is None or until is None or zone is None or not 0 <= until - since <= LONGEST_SECONDS:
        return None
    beginnings, zones = set(), set()
    for step in range(int((until - since) / STEP_SECONDS) + 2):
        at = min(since + step * STEP_SECONDS, until)
        try:
            text = datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds").encode()
        except (ValueError, OverflowError, OSError):  # a time that no date has
            return None
        beginnings.add(AT + text[:HOUR_LENGTH])
        zones.add(text[ZONE_AT:])
    return Hours(frozenset(beginnings), frozenset(zones))


def _zone_of(text: bytes, start: int) -> bytes:
    begin = start + len(AT)
    if not text.startswith(AT, start):
        return b""
    return text[begin + ZONE_AT : max(begin, text.find(b'"', begin))]
