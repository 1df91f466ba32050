"""An `async def` function stepped by its actor: it runs until it has to wait, and goes on when told.

No event loop takes part. What such a function awaits is an Answer that another actor owes; the actor steps
other functions meanwhile, and this one again once the answer is there.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, NamedTuple

from pykka._envelope import Envelope

from actors.future import Answer
from actors.mailbox import Mailbox

FOREIGN = "only what an actor was asked through ctx can be awaited here: there is no event loop"
"""What a function hears that awaits anything else, such as asyncio.sleep()."""


NO_LOOP = "no running event loop"
"""What asyncio itself says, in many of its functions, before anything is awaited."""


class Awaiting(NamedTuple):
    """It has run up to an await: step it again once the answer is there."""

    awaited: Any
    """Of the kind that whoever steps it has named; here and in general the Answer itself."""


class Returned(NamedTuple):
    """It has ended."""

    value: Any


class Raised(NamedTuple):
    """It has failed."""

    error: BaseException


Step = Awaiting | Returned | Raised


class Stepper:
    """One running coroutine. Whoever steps it does nothing else with it."""

    __slots__ = ("_coroutine", "_foreign", "_kind")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], kind: type = Answer, foreign: str = FOREIGN
    ) -> None:
        """It may await what yields a `kind`; for anything else it is told `foreign`."""
        self._coroutine = coroutine
        self._kind = kind
        self._foreign = foreign

    def step(self, arrived: Answer | None = None) -> Step:
        """Run on: from the beginning, or with the answer that was awaited. Never raises."""
        try:
            awaited = self._advance(arrived)
            while not isinstance(awaited, self._kind):
                awaited = self._coroutine.throw(TypeError(self._foreign))
        except StopIteration as end:
            return Returned(end.value)
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is its own failure
            if str(error) == NO_LOOP:
                error.add_note(self._foreign)
            return Raised(error)
        return Awaiting(awaited)

    def abandon(self) -> BaseException | None:
        """It will not be stepped again: let it clean up what it holds; the error if that went wrong."""
        try:
            self._coroutine.close()
        except BaseException as error:  # noqa: BLE001 - as above; there is nobody to tell but the log
            return error
        return None

    def _advance(self, arrived: Answer | None) -> Any:
        if arrived is None:
            return self._coroutine.send(None)
        try:
            value = arrived.get(timeout=0)
        except BaseException as error:  # noqa: BLE001 - an exception is an answer, too
            return self._coroutine.throw(error)
        return self._coroutine.send(value)


class Pending:
    """What a stepped function awaits; gives what the actor answered, or raises what it raised."""

    __slots__ = ("answer",)

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __await__(self) -> Generator[Answer, Any, Any]:
        """Hand the answer to whoever steps."""
        return (yield self.answer)


def asked(mailbox: Mailbox, message: Any) -> Pending:
    """Ask the occupant of a mailbox now, and await it when you like."""
    answer = Answer()
    mailbox.tell(Envelope(message, reply_to=answer))
    return Pending(answer)


def asked_first(mailbox: Mailbox, message: Any) -> Pending:
    """The same, before whatever else waits there."""
    answer = Answer()
    mailbox.tell_first(Envelope(message, reply_to=answer))
    return Pending(answer)
