"""The answer to an `ask`: Pykka's future, made safe to await and to answer once.

Pykka's own `await future` blocks the event loop that awaits it; this one lets the loop go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any

from pykka import ThreadingFuture

ErrorInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class Answer(ThreadingFuture[Any]):
    """Set once by the actor that was asked; read by `get(timeout=seconds)` or `await`."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[Callable[[], object]] = []

    def set(self, value: Any | None = None) -> None:
        """Answer; raises queue.Full where it was answered before."""
        super().set(value)
        self._announce()

    def set_exception(self, exc_info: ErrorInfo | None = None) -> None:
        """Answer with an exception; raises queue.Full where it was answered before."""
        super().set_exception(exc_info)
        self._announce()

    def answered(self) -> bool:
        """True once set."""
        return self._result is not None

    def listen(self, listener: Callable[[], object]) -> None:
        """Call this once answered: by the thread that answers, or at once; at times by both."""
        self._listeners.append(listener)
        if self.answered():  # set before the listener was there: nobody will announce it
            listener()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait without blocking the running event loop."""
        loop = asyncio.get_running_loop()
        if self._get_hook is not None:  # made from others, as by `map`: nobody will set it
            return (yield from loop.run_in_executor(None, self.get).__await__())
        arrived = asyncio.Event()
        self.listen(lambda: loop.call_soon_threadsafe(arrived.set))
        yield from arrived.wait().__await__()
        return self.get()

    __iter__ = __await__  # as Pykka has it, whose own would block

    def _announce(self) -> None:
        for listener in list(self._listeners):
            with contextlib.suppress(RuntimeError):  # the loop that waited is closed by now
                listener()


def settle(answer: Any, value: Any) -> bool:
    """Answer unless it was answered before; False then, where Pykka would leave a dead actor."""
    try:
        answer.set(value)
    except queue.Full:
        return False
    return True


def settle_with_error(answer: Any, error: BaseException) -> bool:
    """Answer with an exception unless it was answered before."""
    try:
        answer.set_exception((type(error), error, error.__traceback__))
    except queue.Full:
        return False
    return True
