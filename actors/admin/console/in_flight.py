"""Errands: calls under way, each suspended wherever it waits for another actor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from actors.admin.console.call import AdminCall
from actors.errors import ResourceExhausted
from actors.messages import Principal
from actors.runtime.futures import CoroutineDriver, ReplyFuture

MAX_CALLS = 1000
"""Calls under way at once; what comes on top is refused before anything is looked at."""

MAX_CALLS_PER_PARTY = 200
"""Calls under way at once for one tenant's people, or one person of the platform: others need room, too."""

RETRY_BUSY_MS = 1000
"""What a caller is told to wait where there are as many, in milliseconds."""


class ReplyArrived(NamedTuple):
    """To the console: an errand can go on."""

    number: int
    answer: ReplyFuture


class DeadlinePassed(NamedTuple):
    """From the Clock: an errand's caller should have an answer by now."""

    number: int


class InFlightCall:
    """One coroutine on its way."""

    def __init__(self, number: int, driver: CoroutineDriver, call: AdminCall | None) -> None:
        self.number = number
        self.driver = driver
        self.call = call
        """None for the console's own housekeeping."""
        self.awaits: ReplyFuture | None = None

    @property
    def action(self) -> str | None:
        """What it is about, for the error log."""
        return None if self.call is None else self.call.action


class InFlightCalls:
    """All that are under way, by their numbers; for one actor."""

    def __init__(self, numbers: Iterator[int]) -> None:
        """`numbers` belong to the actor's mailbox: none is given twice."""
        self._numbers = numbers
        self._suspended: dict[int, InFlightCall] = {}

    def __len__(self) -> int:
        return len(self._suspended)

    def __iter__(self) -> Iterator[InFlightCall]:
        return iter(list(self._suspended.values()))

    def require_capacity(self, caller: Principal) -> None:
        """ResourceExhausted where as many are under way as may be, in all or for those he belongs to."""
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
        """One more, which is not suspended yet."""
        return InFlightCall(next(self._numbers), driver, call)

    def suspend(self, running: InFlightCall, answer: ReplyFuture) -> bool:
        """Until the answer is there; True the first time."""
        is_new = running.number not in self._suspended
        self._suspended[running.number] = running
        running.awaits = answer
        return is_new

    def find_awaiting(self, message: ReplyArrived) -> InFlightCall | None:
        """Whose answer that is; None where it was heard of before."""
        running = self._suspended.get(message.number)
        return running if running is not None and running.awaits is message.answer else None

    def overdue(self, message: DeadlinePassed) -> InFlightCall | None:
        """Who is overdue; None where it has ended."""
        return self._suspended.get(message.number)

    def remove(self, running: InFlightCall) -> None:
        """It is not under way any more, or never was for long."""
        self._suspended.pop(running.number, None)


def too_many_calls(which: str) -> ResourceExhausted:
    """The refusal of a call for which there is no room."""
    return ResourceExhausted(
        f"{which} under way on the admin channel already; send this one again, with the same id",
        retry_after_ms=RETRY_BUSY_MS,
    )


def _quota_key(caller: Principal) -> str:
    return caller.tenant or caller.person or caller.id
