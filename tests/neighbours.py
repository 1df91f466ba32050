"""Outside services on an event loop in a thread of its own, for tests of a server with loops of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

from tests.actors.house import WAIT

T = TypeVar("T")


class Neighbours:
    """A context manager; whoever moved in leaves with it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._all = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._all.aclose(), self._loop).result(WAIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT)
        self._loop.close()

    def move_in(self, service: AbstractAsyncContextManager[T]) -> T:
        """Run one from now on."""
        entering = self._all.enter_async_context(service)
        return asyncio.run_coroutine_threadsafe(entering, self._loop).result(WAIT)
