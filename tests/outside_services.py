"""Outside services on an event loop in a thread of its own, for tests of a server with loops of its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

from scripts.endurance.services import FakeService

T = TypeVar("T")


class Neighbours(FakeService):
    """Services that were added end with it."""

    def __init__(self) -> None:
        super().__init__()
        self._all = AsyncExitStack()

    def move_in(self, service: AbstractAsyncContextManager[T]) -> T:
        """Run one from now on."""
        return self.wait_for(self._all.enter_async_context(service))

    async def leave(self) -> None:
        """All of them."""
        await self._all.aclose()
