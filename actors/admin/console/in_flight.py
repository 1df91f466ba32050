"""Admin calls in flight: each is a coroutine, suspended while it waits for another actor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from actors.admin.console.call import AdminCall
from actors.errors import ResourceExhausted
from actors.messages import Principal
from actors.runtime.futures import CoroutineDriver, ReplyFuture

MAX_CALLS = 1000
"""Calls in flight at once. Further calls are refused before they are examined."""

MAX_CALLS_PER_PARTY = 200
"""Calls in flight for one tenant's people or one person of the platform, which leaves capacity for others."""

RETRY_BUSY_MS = 1000
"""Retry interval in refusals of further calls, in milliseconds."""


class ReplyArrived(NamedTuple):
    """To the console: a reply has arrived, and a call can resume."""

    number: int
    answer: ReplyFuture


class DeadlinePassed(NamedTuple):
    """From the Clock: the deadline of a call has passed."""

    number: int


class InFlightCall:
    """One call's coroutine, or the console's own."""

    def __init__(self, number: int, driver: CoroutineDriver, call: AdminCall | None) -> None:
        self.number = number
        self.driver = driver
        self.call = call
        """None for the console's own work."""
        self.awaits: ReplyFuture | None = None

    @property
    def action(self) -> str | None:
        """Return the name of the action, for the error log."""
        return None if self.call is None else self.call.action


class InFlightCalls:
    """The calls in flight of one actor, by number."""

    def __init__(self, numbers: Iterator[int]) -> None:
        """`numbers` belongs to the actor's mailbox: no number is used twice."""
        self._numbers = numbers
        self._suspended: dict[int, InFlightCall] = {}

    def __len__(self) -> int:
        return len(self._suspended)

    def __iter__(self) -> Iterator[InFlightCall]:
        return iter(list(self._suspended.values()))

    def require_capacity(self, caller: Principal) -> None:
        """Raise ResourceExhausted if the limit is reached, in total or for the caller's tenant or person."""
        if len(self._suspended) >= MAX_CALLS:
            raise too_many_calls(f"{len(self._suspended)} calls are")
        party = _quota_key(caller)
        calls = (each.call for each in self._suspended.values())
        if (
            sum(call is not None and _quota_key(call.caller) == party for call in calls)
            >= MAX_CALLS_PER_PARTY
        ):
            raise too_many_calls(f"{MAX_CALLS_PER_PARTY} calls of {party} are")

    def create(self, driver: CoroutineDriver, call: AdminCall | None) -> InFlightCall:
        """Create a call that is not suspended yet."""
        return InFlightCall(next(self._numbers), driver, call)

    def suspend(self, running: InFlightCall, answer: ReplyFuture) -> bool:
        """Suspend a call until the reply arrives. Return True the first time."""
        is_new = running.number not in self._suspended
        self._suspended[running.number] = running
        running.awaits = answer
        return is_new

    def find_awaiting(self, message: ReplyArrived) -> InFlightCall | None:
        """Return the call that waits for this reply, or None if the reply was handled before."""
        running = self._suspended.get(message.number)
        return running if running is not None and running.awaits is message.answer else None

    def overdue(self, message: DeadlinePassed) -> InFlightCall | None:
        """Return the call whose deadline has passed, or None if it has ended."""
        return self._suspended.get(message.number)

    def remove(self, running: InFlightCall) -> None:
        """Remove a call that has ended, suspended or not."""
        self._suspended.pop(running.number, None)


def too_many_calls(which: str) -> ResourceExhausted:
    """Return the refusal of a call beyond the limit."""
    return ResourceExhausted(
        f"{which} under way on the admin channel already; send this one again, with the same id",
        retry_after_ms=RETRY_BUSY_MS,
    )


def _quota_key(caller: Principal) -> str:
    return caller.tenant or caller.person or caller.id
