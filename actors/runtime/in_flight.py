"""Calls in flight: what an actor has begun, and goes on with when another actor has replied."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox

Call = TypeVar("Call", bound=Hashable)

_waits = itertools.count(1)


class ReplyArrived(NamedTuple):
    """To the actor that waits: a reply has arrived."""

    wait: int
    """Number of the wait that is over. It is unique in the process, across incarnations."""


class InFlight(Generic[Call]):
    """The calls in flight of one actor. Belongs to the actor's turn."""

    def __init__(self, mailbox: Mailbox) -> None:
        """`mailbox` is the actor's own, which gets ReplyArrived."""
        self._mailbox = mailbox
        self._waits: dict[Call, int] = {}
        """The number of each call's current or last wait."""
        self._awaited: dict[int, tuple[Call, ReplyFuture]] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._waits))

    def __contains__(self, call: Call) -> bool:
        return call in self._waits

    def suspend(self, call: Call, answer: ReplyFuture) -> int:
        """Have the actor told once this reply is there; return the number of the wait."""
        wait = next(_waits)
        self._waits[call] = wait
        self._awaited[wait] = call, answer
        answer.add_callback(lambda: self._answered(wait))
        return wait

    def resume(self, message: ReplyArrived) -> tuple[Call, ReplyFuture] | None:
        """Return the call that waits for this reply, and the reply; None if there is none."""
        return self._awaited.pop(message.wait, None)

    def end(self, call: Call) -> None:
        """Remove a call, suspended or not; a reply that comes later is dropped."""
        self._awaited.pop(self._waits.pop(call, 0), None)

    def _answered(self, wait: int) -> None:
        """Runs on the thread that replies. The actor is not woken for a call that has ended."""
        if wait in self._awaited:
            self._mailbox.tell(ReplyArrived(wait))
