"""Circuit breakers: an outside service that keeps failing a tenant is left alone for a while.

One for each tenant, because tenants have services of their own, and a new one when it sets another. The
library is purgatory, whose asyncio part needs no lock; what it lacks and is here: while a breaker is half
open, one try goes through and not all.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState

from actors.connectors.contract import Transient

FAILURES: Final = 5
"""Transient failures in a row that open a breaker."""

OPEN_SECONDS: Final = 30.0
"""For which it stays open; then one try decides."""

PROBE_SECONDS: Final = 1.0
"""What others are told to wait while that try is under way."""


class Open(Exception):
    """The breaker is open: nothing was tried."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its service keeps failing and is left alone for {seconds:.0f} s")
        self.seconds = seconds


class Breakers:
    """One connector's, by party (a tenant and the revision of its settings); for one loop.

    Only Transient counts: anything else is an answer, too.
    """

    def __init__(self, failures: int = FAILURES, seconds: float = OPEN_SECONDS) -> None:
        self._seconds = seconds
        self._factory = AsyncCircuitBreakerFactory(
            failures, seconds, exclude=[(BaseException, _is_no_failure)]
        )
        self._probing: set[str] = set()

    @asynccontextmanager
    async def guard(self, party: str) -> AsyncIterator[None]:
        """One try within; Open, with nothing tried, where there is to be none."""
        if party in self._probing:
            raise Open(PROBE_SECONDS)
        breaker = await self._factory.get_breaker(party)
        try:
            async with breaker:
                with self._alone(party, breaker.context.state == HALF_OPENED):
                    yield
        except OpenedState as opened:
            raise Open(self._left(opened)) from None

    @contextmanager
    def _alone(self, party: str, is_probe: bool) -> Iterator[None]:
        if not is_probe:
            yield
            return
        self._probing.add(party)
        try:
            yield
        finally:
            self._probing.discard(party)

    def _left(self, opened: OpenedState) -> float:
        """Purgatory goes by the wall clock; where that is set back, no longer than usual is said."""
        return min(max(opened.opened_at + self._seconds - time.time(), 0.0), self._seconds)


def _is_no_failure(error: BaseException) -> bool:
    return not isinstance(error, Transient)
