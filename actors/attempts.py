"""Attempts that get no record each, such as those to administer over the data channel.

They are counted for some seconds, and then recorded as one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from actors.log.messages import ATTEMPTS, Entry
from actors.messages import Principal, TenantRecord
from transport.message import PERMISSION_DENIED

PERIOD_SECONDS = 5.0
"""Records are at least so far apart."""

MOST_COUNTED = 1000
"""Callers and actions that are counted apart in one period."""

OTHERS = "*"
"""The action in the record of all that were not counted apart."""

DATA_CHANNEL = "over the data channel"
"""How such an attempt was made, as a record says it."""


class Attempt(NamedTuple):
    """What is counted together."""

    caller: Principal
    action: str
    tenant: TenantRecord | None


class Attempts:
    """Pure: says what to record and when, and leaves the recording to its owner."""

    def __init__(self, how: str = DATA_CHANNEL, outcome: str = PERMISSION_DENIED) -> None:
        """`how` ends the message of each record; `outcome` is the code of the refusal."""
        self._how = how
        self._outcome = outcome
        self._counts: dict[Attempt, int] = {}
        self._others = 0
        self._told = -math.inf

    def note(self, attempt: Attempt, now: float) -> list[Entry]:
        """Count one at this time.monotonic(); what to record by now, which is nothing in mid-period."""
        if attempt in self._counts or len(self._counts) < MOST_COUNTED:
            self._counts[attempt] = self._counts.get(attempt, 0) + 1
        else:
            self._others += 1
        return self.take(now) if now - self._told >= PERIOD_SECONDS else []

    def take(self, now: float) -> list[Entry]:
        """What has been counted and not recorded."""
        seconds, self._told = now - self._told, now
        counts, self._counts = self._counts, {}
        others, self._others = self._others, 0
        entries = [self._entry(attempt, times(count, seconds)) for attempt, count in counts.items()]
        return [*entries, self._of_others(others, seconds)] if others else entries

    def _entry(self, attempt: Attempt, often: str) -> Entry:
        caller, action, tenant = attempt
        return Entry(
            ATTEMPTS,
            action,
            caller.role,
            person=caller.person or None,
            token=caller.id,
            tenant=tenant and tenant.name,
            tenant_id=tenant and tenant.id,
            outcome=self._outcome,
            message=f"{often} {self._how}",
        )

    def _of_others(self, count: int, seconds: float) -> Entry:
        message = f"by others: {times(count, seconds)} {self._how}"
        return Entry(ATTEMPTS, OTHERS, "various", outcome=self._outcome, message=message)


def times(count: int, seconds: float) -> str:
    """How often, such as `3 times in 5 s`; no time where it was the first for long."""
    often = "once" if count == 1 else f"{count} times"
    return often if math.isinf(seconds) else f"{often} in {seconds:.0f} s"
