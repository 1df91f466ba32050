"""Admin calls in flight: each is a coroutine, suspended while it waits for another actor."""

from __future__ import annotations

from typing import NamedTuple

from actors.admin.console.call import AdminCall
from actors.errors import ResourceExhausted
from actors.messages import Principal
from actors.runtime.futures import CoroutineDriver
from actors.runtime.in_flight import InFlight

MAX_CALLS = 1000
"""Calls in flight at once. Further calls are refused before they are examined."""

MAX_CALLS_PER_PARTY = 200
"""Calls in flight for one tenant's people or one person of the platform, which leaves capacity for others."""

RETRY_BUSY_MS = 1000
"""Retry interval in refusals of further calls, in milliseconds."""


class InFlightCall:
    """One call's coroutine, or the console's own."""

    def __init__(self, driver: CoroutineDriver, call: AdminCall | None = None) -> None:
        self.driver = driver
        self.call = call
        """None for the console's own work."""

    @property
    def action(self) -> str | None:
        """Return the name of the action, for the error log."""
        return None if self.call is None else self.call.action


class CallOverdue(NamedTuple):
    """From the Clock: the deadline of a call has passed."""

    call: InFlightCall


class InFlightCalls(InFlight[InFlightCall]):
    """The calls in flight of the console."""

    def require_capacity(self, caller: Principal) -> None:
        """Raise ResourceExhausted if the limit is reached, in total or for the caller's tenant or person."""
        if len(self) >= MAX_CALLS:
            raise too_many_calls(f"{len(self)} calls are")
        party = _quota_key(caller)
        calls = (each.call for each in self)
        own = sum(call is not None and _quota_key(call.caller) == party for call in calls)
        if own >= MAX_CALLS_PER_PARTY:
            raise too_many_calls(f"{MAX_CALLS_PER_PARTY} calls of {party} are")


def too_many_calls(which: str) -> ResourceExhausted:
    """Return the refusal of a call beyond the limit."""
    return ResourceExhausted(
        f"{which} under way on the admin channel already; send this one again, with the same id",
        retry_after_ms=RETRY_BUSY_MS,
    )


def _quota_key(caller: Principal) -> str:
    return caller.tenant or caller.person or caller.id
