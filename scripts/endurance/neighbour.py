"""An outside service of a trial's own: an event loop in a thread, from `with` to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds for what its thread is asked to do."""


class Neighbour:
    """What one does is in `arrive` and `leave`, which run on its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for(self.arrive())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wait_for(self.leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Have its loop do this; what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def do_soon(self, what: Callable[[], object]) -> None:
        """Have its loop call this, and do not wait."""
        self._loop.call_soon_threadsafe(what)

    async def arrive(self) -> None:
        """Begin to serve."""

    async def leave(self) -> None:
        """Serve nobody any more."""
