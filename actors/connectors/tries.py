"""The tries of one call: each with a time limit and through the breaker; the next one after a while.

Retries are tenacity's, which stamina is made of: stamina itself has no place for a tenant's deadline, and its
hooks are the whole process's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from actors.connectors.breakers import Breakers, Open
from actors.connectors.call import Attempt, Call
from actors.connectors.contract import Transient
from actors.errors import DeadlineExceeded

MOST_TRIES: Final = 5

TRY_SECONDS: Final = 60.0
"""Longest one try; what has not answered by then counts as Transient. Connectors bound themselves closer."""

FIRST_WAIT: Final = 0.2
"""Seconds before the second try; twice as long before each later one."""

MOST_WAIT: Final = 20.0
"""Seconds; the service itself may ask for more."""

JITTER: Final = 0.2
"""Seconds at most, at random: those that failed together are not to come together again."""

FAIR_SECONDS: Final = 1.0
"""A try that its caller's deadline has cut shorter says nothing of the service."""

Send = Callable[[], Awaitable[Mapping[str, Any]]]
Sleep = Callable[[float], Awaitable[None]]


class Tries:
    """For one connector. `sleep` waits so many seconds; a test may have its own."""

    def __init__(
        self, breakers: Breakers, sleep: Sleep = asyncio.sleep, try_seconds: float = TRY_SECONDS
    ) -> None:
        self._breakers = breakers
        self._sleep = sleep
        self._try_seconds = try_seconds
        self._backoff = wait_exponential(FIRST_WAIT, max=MOST_WAIT) + wait_random(0, JITTER)

    async def exchange(self, call: Call, send: Send) -> Mapping[str, Any]:
        """What the service answers; each try is noted on the call.

        Raises the last try's Transient where no other one fits before the deadline, DeadlineExceeded, Open,
        and whatever else `send` raises, at once.
        """
        deadline = call.operate.deadline
        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=self._wait,
            stop=lambda state: _is_last(state) or _is_late(state, deadline),
            retry=retry_if_exception_type(Transient),
            reraise=True,
        )
        answer: Mapping[str, Any] = await retrying(self._try, call, send)
        return answer

    def _wait(self, state: RetryCallState) -> float:
        """Longer with each try, and not shorter than the service asks for."""
        asked = getattr(state.outcome and state.outcome.exception(), "retry_after_s", None)
        return max(self._backoff(state), asked or 0.0)

    async def _try(self, call: Call, send: Send) -> Mapping[str, Any]:
        at, began = time.time(), time.monotonic()
        try:
            with self._breakers.guard(call.party):
                answer = await self._timed(call.operate.deadline, send)
        except Open:
            raise
        except BaseException as error:
            call.attempts.append(Attempt(at, _ms(began), _said(error)))
            raise
        call.attempts.append(Attempt(at, _ms(began), None))
        return answer

    async def _timed(self, deadline: float, send: Send) -> Mapping[str, Any]:
        left = deadline - time.monotonic()
        seconds = min(left, self._try_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await send()
        except TimeoutError:
            if not limit.expired():
                raise
            late = f"no answer within {max(seconds, 0):.1f} s"
            if left > self._try_seconds or left >= FAIR_SECONDS:
                raise Transient(late) from None
            raise DeadlineExceeded(f"{late}, and the request's timeout_ms is over") from None


def _is_last(state: RetryCallState) -> bool:
    return stop_after_attempt(MOST_TRIES)(state)


def _is_late(state: RetryCallState, deadline: float) -> bool:
    """The next try would not begin in time."""
    return time.monotonic() + state.upcoming_sleep >= deadline


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
