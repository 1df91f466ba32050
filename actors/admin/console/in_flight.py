"""Errands: calls under way, each parked wherever it waits for another actor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from actors.admin.console.call import Call
from actors.errors import ResourceExhausted
from actors.messages import Principal
from actors.runtime.futures import CoroutineDriver, ReplyFuture

MOST_ERRANDS = 1000
"""Calls under way at once; what comes on top is refused before anything is looked at."""

MOST_OF_ONE = 200
"""Calls under way at once for one tenant's people, or one person of the platform: others need room, too."""

RETRY_BUSY_MS = 1000
"""What a caller is told to wait where there are as many, in milliseconds."""


class Arrived(NamedTuple):
    """To the console: an errand can go on."""

    number: int
    answer: ReplyFuture


class Overdue(NamedTuple):
    """From the Clock: an errand's caller should have an answer by now."""

    number: int


class Errand:
    """One coroutine on its way."""

    def __init__(self, number: int, stepper: CoroutineDriver, call: Call | None) -> None:
        self.number = number
        self.stepper = stepper
        self.call = call
        """None for the console's own housekeeping."""
        self.awaits: ReplyFuture | None = None

    @property
    def action(self) -> str | None:
        """What it is about, for the error log."""
        return None if self.call is None else self.call.action


class Errands:
    """All that are under way, by their numbers; for one actor."""

    def __init__(self, numbers: Iterator[int]) -> None:
        """`numbers` belong to the actor's mailbox: none is given twice."""
        self._numbers = numbers
        self._parked: dict[int, Errand] = {}

    def __len__(self) -> int:
        return len(self._parked)

    def __iter__(self) -> Iterator[Errand]:
        return iter(list(self._parked.values()))

    def require_room(self, caller: Principal) -> None:
        """ResourceExhausted where as many are under way as may be, in all or for those he belongs to."""
        if len(self._parked) >= MOST_ERRANDS:
            raise crowded(f"{len(self._parked)} calls are")
        party = _party(caller)
        parked = (each.call for each in self._parked.values())
        if sum(call is not None and _party(call.caller) == party for call in parked) >= MOST_OF_ONE:
            raise crowded(f"{MOST_OF_ONE} calls of {party} are")

    def begin(self, stepper: CoroutineDriver, call: Call | None) -> Errand:
        """One more, which is not parked yet."""
        return Errand(next(self._numbers), stepper, call)

    def park(self, errand: Errand, answer: ReplyFuture) -> bool:
        """Until the answer is there; True the first time."""
        is_new = errand.number not in self._parked
        self._parked[errand.number] = errand
        errand.awaits = answer
        return is_new

    def awaiting(self, message: Arrived) -> Errand | None:
        """Whose answer that is; None where it was heard of before."""
        errand = self._parked.get(message.number)
        return errand if errand is not None and errand.awaits is message.answer else None

    def late(self, message: Overdue) -> Errand | None:
        """Who is overdue; None where it has ended."""
        return self._parked.get(message.number)

    def end(self, errand: Errand) -> None:
        """It is not under way any more, or never was for long."""
        self._parked.pop(errand.number, None)


def crowded(which: str) -> ResourceExhausted:
    """The refusal of a call for which there is no room."""
    return ResourceExhausted(
        f"{which} under way on the admin channel already; send this one again, with the same id",
        retry_after_ms=RETRY_BUSY_MS,
    )


def _party(caller: Principal) -> str:
    return caller.tenant or caller.person or caller.id
