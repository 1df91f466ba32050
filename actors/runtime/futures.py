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
    """The reply to an `ask`: set once by the asked actor, read by `get(timeout=seconds)` or `await`."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: list[Callable[[], object]] = []

    def set(self, value: Any | None = None) -> None:
        """Set the reply; raises queue.Full if it is set already."""
        super().set(value)
        self._notify()

    def set_exception(self, exc_info: ErrorInfo | None = None) -> None:
        """Set an exception as the reply; raises queue.Full if it is set already."""
        super().set_exception(exc_info)
        self._notify()

    def done(self) -> bool:
        """Return True once the reply is set."""
        return self._result is not None

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call this once answered: by the thread that answers, or at once; at times by both."""
        self._callbacks.append(callback)
        if self.done():  # set before the callback was added: no thread will notify it
            callback()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the reply without blocking the running event loop."""
        loop = asyncio.get_running_loop()
        if self._get_hook is not None:  # made from others, as by `map`: no thread sets it
            return (yield from loop.run_in_executor(None, self.get).__await__())
        arrived = asyncio.Event()
        self.add_callback(lambda: loop.call_soon_threadsafe(arrived.set))
        yield from arrived.wait().__await__()
        return self.get()

    __iter__ = __await__  # as Pykka has it, whose own would block

    def _notify(self) -> None:
        for callback in list(self._callbacks):
            with contextlib.suppress(RuntimeError):  # the loop that waited is closed
                callback()


def resolve(answer: Any, value: Any) -> bool:
    """Set the reply unless it is set already; then return False, where Pykka would leave a dead actor."""
    try:
        answer.set(value)
    except queue.Full:
        return False
    return True


def resolve_with_error(answer: Any, error: BaseException) -> bool:
    """Set an exception as the reply unless it is set already; then return False."""
    try:
        answer.set_exception((type(error), error, error.__traceback__))
    except queue.Full:
        return False
    return True


NOT_AWAITABLE = (
    "only replies of actors that ctx has asked can be awaited here. Tenantry runs functions without an "
    "event loop, so asyncio.sleep() and the like cannot work"
)
"""TypeError for a function that awaits anything else, such as asyncio.sleep()."""


NO_LOOP = "no running event loop"
"""The error that many functions of asyncio raise before anything is awaited."""


class Awaiting(NamedTuple):
    """The coroutine has run up to an await: step it again once the reply is there."""

    awaited: Any
    """An instance of the driver's `kind`: by default the ReplyFuture."""


class Returned(NamedTuple):
    """The coroutine has returned."""

    value: Any


class Raised(NamedTuple):
    """The coroutine has raised."""

    error: BaseException


Step = Awaiting | Returned | Raised


class CoroutineDriver:
    """Steps one coroutine, which nothing else may use."""

    __slots__ = ("_coroutine", "_foreign", "_kind")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        kind: type = ReplyFuture,
        foreign: str = NOT_AWAITABLE,
    ) -> None:
        """The coroutine may await what yields a `kind`; anything else raises TypeError(`foreign`) in it."""
        self._coroutine = coroutine
        self._kind = kind
        self._foreign = foreign

    def step(self, arrived: ReplyFuture | None = None) -> Step:
        """Run up to the next await: from the beginning, or with the reply that was awaited. Never raises."""
        try:
            awaited = self._advance(arrived)
            while not isinstance(awaited, self._kind):
                awaited = self._coroutine.throw(TypeError(self._foreign))
        except StopIteration as end:
            return Returned(end.value)
        except BaseException as error:  # noqa: BLE001 - any error of a function is its own
            if str(error) == NO_LOOP:
                error.add_note(self._foreign)
            return Raised(error)
        return Awaiting(awaited)

    def close(self) -> BaseException | None:
        """Close the coroutine so that it cleans up; return the error if that fails. Do not step it again."""
        try:
            self._coroutine.close()
        except BaseException as error:  # noqa: BLE001 - as above; the caller logs it
            return error
        return None

    def _advance(self, arrived: ReplyFuture | None) -> Any:
        if arrived is None:
            return self._coroutine.send(None)
        try:
            value = arrived.get(timeout=0)
        except BaseException as error:  # noqa: BLE001 - an exception is a reply, too
            return self._coroutine.throw(error)
        return self._coroutine.send(value)


class PendingReply:
    """Await this in a stepped coroutine: the actor's reply, or the exception that it raised."""

    __slots__ = ("future",)

    def __init__(self, future: ReplyFuture) -> None:
        self.future = future

    def __await__(self) -> Generator[ReplyFuture, Any, Any]:
        """Yield the future to the driver."""
        return (yield self.future)


def ask_async(mailbox: Mailbox, message: Any) -> PendingReply:
    """Ask the actor in a mailbox now; the reply can be awaited later."""
    answer = ReplyFuture()
    mailbox.tell(Envelope(message, reply_to=answer))
    return PendingReply(answer)


def ask_async_first(mailbox: Mailbox, message: Any) -> PendingReply:
    """Ask as `ask_async` does, ahead of the mail that waits there."""
    answer = ReplyFuture()
    mailbox.enqueue_first(Envelope(message, reply_to=answer))
    return PendingReply(answer)


class OneShotMailbox:
    """A mailbox for one message, given as `reply_to` or `outlet` to an actor that tells its reply.

    Later messages are dropped.
    """

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer = ReplyFuture()

    def tell(self, message: Any) -> None:
        """Receive the message; from any thread."""
        resolve(self._answer, message)

    put = tell

    def message(self) -> PendingReply:
        """Return the message, to be awaited."""
        return PendingReply(self._answer)
