"""What logs leave out of a day in which a tenant has had its bytes: counted, and told in a line now and then.

A log that keeps everything lets one tenant fill the disk of all others. How much a day has had is what its
file has, so that a restart gives a tenant no second budget.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import structlog

from actors.log.daily.rotation import DayFiles
from actors.log.lines import MEMBERS, to_json
from actors.log.messages import Line
from actors.log.redaction import mask_tokens
from actors.messages import TenantRecord

log = structlog.get_logger()

SOURCE = "tenant log"
"""Of the lines that sum up what was left out."""

MAX_COUNTED = 20
"""Pairs of action and outcome that one line counts; further ones are counted together."""

UNKNOWN = "(unknown)"
"""In the place of actions that there are not: callers may make up any number of names."""

OTHERS = ("(others)", "(any)")
"""In the place of pairs beyond MOST_COUNTED."""

LINES = "left_out"
"""The name in the params of such a line under which the number of lines is."""


class TenantDay(NamedTuple):
    """Whose lines of which day."""

    tenant_id: str
    day: str


_OWNER = re.compile(rb'"tenant":(?:"([^"]+)"|null),"tenant_id":(?:"([^"]+)"|null)')
"""Where a line of the error log says whose it is; within a text these quotes would be escaped."""


class Budget:
    """Of all tenants' logs; for one actor."""

    def __init__(self, most: int) -> None:
        """`most` bytes of lines for each tenant and day; 0 for any number."""
        self._most = most
        self._left_out: dict[TenantDay, LeftOut] = {}
        self._full: dict[str, str] = {}
        """The day of each tenant that has been told to be full."""

    def room(self, files: DayFiles, at: float) -> float:
        """Bytes that the day of this time still has.

        Any number where its file cannot be opened: writing into it says why.
        """
        if not self._most:
            return math.inf
        try:
            return self._most - files.size_at(at)
        except OSError:
            return math.inf

    def leave_out(self, tenant: TenantRecord, day: str, line: Line) -> None:
        """Count it; the first of a day is logged for the operator."""
        if self._full.get(tenant.id) != day:
            self._full[tenant.id] = day
            log.warning(
                "a tenant's log is full until midnight: only summaries from now on",
                tenant=tenant.name,
                tenant_id=tenant.id,
                log_bytes=self._most,
            )
        ledger = TenantDay(tenant.id, day)
        left = self._left_out.get(ledger)
        if left is None:
            left = self._left_out[ledger] = LeftOut(tenant, self._most)
        left.add(line)

    def drain(self) -> list[LeftOut]:
        """What has been left out since this was asked for last."""
        left, self._left_out = self._left_out, {}
        return list(left.values())


class LeftOut:
    """Lines of one tenant and day that are not written."""

    def __init__(self, tenant: TenantRecord, most: int) -> None:
        self.tenant = tenant
        self._most = most
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first = math.inf
        self._last = -math.inf

    @property
    def lines(self) -> int:
        """How many."""
        return self._counts.total()

    def add(self, line: Line) -> None:
        """One more."""
        pair = (UNKNOWN if line.version is None else line.action, line.outcome)
        is_known = pair in self._counts or len(self._counts) < MAX_COUNTED
        self._counts[pair if is_known else OTHERS] += 1
        self._first, self._last = min(self._first, line.at), max(self._last, line.at)

    def record(self, moment: Callable[[float], str]) -> tuple[float, bytes]:
        """Its time, that of the newest of them, and a line with the members of every other one."""
        message = (
            f"{self.lines} lines left out until midnight: this day has its {self._most} bytes, "
            "and what follows is summed up (TENANTRY_LOG_BYTES)"
        )
        told = {
            **dict.fromkeys(MEMBERS),
            "at": moment(self._last),
            "tenant": self.tenant.name,
            "message": message,
            "params": {LINES: self.lines, "since": moment(self._first), "actions": self._actions()},
            "replayed": False,
            "source": SOURCE,
        }
        return self._last, to_json(told).encode()

    def _actions(self) -> dict[str, dict[str, int]]:
        """How many of each action and outcome, the most frequent first."""
        actions: dict[str, dict[str, int]] = {}
        for (action, outcome), count in self._counts.most_common():
            counts = actions.setdefault(mask_tokens(action), {})
            counts[outcome] = counts.get(outcome, 0) + count
        return actions


class Shares:
    """What each tenant has had of a day of the one log of all errors; for one actor."""

    def __init__(self, most: int) -> None:
        """`most` bytes of lines for each tenant and day; 0 for any number."""
        self._most = most
        self._day = ""
        self._bytes: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def recall(self, day: str, lines: Iterable[bytes]) -> None:
        """What is in the file of this day already."""
        self._day, self._bytes = day, Counter()
        for line in lines:
            if (found := _OWNER.search(line)) and (whose := found[1] or found[2]):
                self._bytes[whose.decode()] += len(line)

    def has_room(self, record: Mapping[str, Any], day: str) -> bool:
        """Whether to write it in full; otherwise it is counted. What is about no tenant is written."""
        if day != self._day:
            self.recall(day, ())
        whose = _owner(record)
        if not (self._most and whose) or self._bytes[whose] < self._most:
            return True
        self._left_out[whose] += 1
        return False

    def add(self, record: Mapping[str, Any], size: int) -> None:
        """So many bytes have been written about it."""
        if whose := _owner(record):
            self._bytes[whose] += size

    def drain(self, at: float) -> list[dict[str, Any]]:
        """A record of this time for each tenant of which something was left out since this was asked last."""
        left, self._left_out = self._left_out, Counter()
        return [
            {
                "at": at,
                "level": "error",
                "event": f"{count} errors left out until midnight: this tenant's of today have their bytes",
                "source": "error log",
                "tenant": whose,
                LINES: count,
                "log_bytes": self._most,
            }
            for whose, count in left.items()
        ]


def _owner(record: Mapping[str, Any]) -> str:
    """The tenant's name, its id where only that is known, or nothing."""
    return str(record.get("tenant") or record.get("tenant_id") or "")
