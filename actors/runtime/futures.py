"""Replies that come later, and coroutines that wait for them without an event loop.

ReplyFuture is the answer to an `ask`: Pykka's future, made safe to await and to answer once. Pykka's own
`await future` blocks the event loop that awaits it; this one lets the loop run.

CoroutineDriver steps an `async def` function for its actor. The function runs until it awaits a ReplyFuture
that another actor owes; the actor steps other functions meanwhile, and resumes this one once the reply is
there.

OneShotMailbox receives the one message that a stepped function waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, NamedTuple

from pykka import ThreadingFuture
from pykka._envelope import Envelope

from actors.runtime.mailbox import Mailbox

ErrorInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class ReplyFuture(ThreadingFuture[Any]):
    """Set once by the actor that was asked; read by `get(timeout=seconds)` or `await`."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: list[Callable[[], object]] = []

    def set(self, value: Any | None = None) -> None:
        """Answer; raises queue.Full where it was answered before."""
        super().set(value)
        self._notify()

    def set_exception(self, exc_info: ErrorInfo | None = None) -> None:
        """Answer with an exception; raises queue.Full where it was answered before."""
        super().set_exception(exc_info)
        self._notify()

    def done(self) -> bool:
        """True once set."""
        return self._result is not None

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call this once answered: by the thread that answers, or at once; at times by both."""
        self._callbacks.append(callback)
        if self.done():  # set before the callback was there: nobody will notify it
            callback()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait without blocking the running event loop."""
        loop = asyncio.get_running_loop()
        if self._get_hook is not None:  # made from others, as by `map`: nobody will set it
            return (yield from loop.run_in_executor(None, self.get).__await__())
        arrived = asyncio.Event()
        self.add_callback(lambda: loop.call_soon_threadsafe(arrived.set))
        yield from arrived.wait().__await__()
        return self.get()

    __iter__ = __await__  # as Pykka has it, whose own would block

    def _notify(self) -> None:
        for callback in list(self._callbacks):
            with contextlib.suppress(RuntimeError):  # the loop that waited is closed by now
                callback()


def resolve(answer: Any, value: Any) -> bool:
    """Answer unless it was answered before; False then, where Pykka would leave a dead actor."""
    try:
        answer.set(value)
    except queue.Full:
        return False
    return True


def resolve_with_error(answer: Any, error: BaseException) -> bool:
    """Answer with an exception unless it was answered before."""
    try:
        answer.set_exception((type(error), error, error.__traceback__))
    except queue.Full:
        return False
    return True


NOT_AWAITABLE = (
    "only what an actor was asked through ctx can be awaited here: there is no event loop"
)
"""What a function hears that awaits anything else, such as asyncio.sleep()."""


NO_LOOP = "no running event loop"
"""What asyncio itself says, in many of its functions, before anything is awaited."""


class Awaiting(NamedTuple):
    """It has run up to an await: step it again once the answer is there."""

    awaited: Any
    """Of the kind that whoever steps it has named; here and in general the ReplyFuture itself."""


class Returned(NamedTuple):
    """It has ended."""

    value: Any


class Raised(NamedTuple):
    """It has failed."""

    error: BaseException


Step = Awaiting | Returned | Raised


class CoroutineDriver:
    """One running coroutine. Whoever steps it does nothing else with it."""

    __slots__ = ("_coroutine", "_foreign", "_kind")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        kind: type = ReplyFuture,
        foreign: str = NOT_AWAITABLE,
    ) -> None:
        """It may await what yields a `kind`; for anything else it is told `foreign`."""
        self._coroutine = coroutine
        self._kind = kind
        self._foreign = foreign

    def step(self, arrived: ReplyFuture | None = None) -> Step:
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

    def close(self) -> BaseException | None:
        """It will not be stepped again: let it clean up what it holds; the error if that went wrong."""
        try:
            self._coroutine.close()
        except BaseException as error:  # noqa: BLE001 - as above; there is nobody to tell but the log
            return error
        return None

    def _advance(self, arrived: ReplyFuture | None) -> Any:
        if arrived is None:
            return self._coroutine.send(None)
        try:
            value = arrived.get(timeout=0)
        except BaseException as error:  # noqa: BLE001 - an exception is an answer, too
            return self._coroutine.throw(error)
        return self._coroutine.send(value)


class PendingReply:
    """What a stepped function awaits; gives what the actor answered, or raises what it raised."""

    __slots__ = ("future",)

    def __init__(self, future: ReplyFuture) -> None:
        self.future = future

    def __await__(self) -> Generator[ReplyFuture, Any, Any]:
        """Hand the answer to whoever steps."""
        return (yield self.future)


def ask_async(mailbox: Mailbox, message: Any) -> PendingReply:
    """Ask the incarnation of a mailbox now, and await it when you like."""
    answer = ReplyFuture()
    mailbox.tell(Envelope(message, reply_to=answer))
    return PendingReply(answer)


def ask_async_first(mailbox: Mailbox, message: Any) -> PendingReply:
    """The same, before whatever else waits there."""
    answer = ReplyFuture()
    mailbox.enqueue_first(Envelope(message, reply_to=answer))
    return PendingReply(answer)


class OneShotMailbox:
    """Given as `reply_to` or `outlet` to actors that tell their answers; only the first one counts."""

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer = ReplyFuture()

    def tell(self, message: Any) -> None:
        """Take the message; from any thread."""
        resolve(self._answer, message)

    put = tell

    def message(self) -> PendingReply:
        """What it was told, to be awaited."""
        return PendingReply(self._answer)
