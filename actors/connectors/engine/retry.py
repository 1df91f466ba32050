"""The tries of one call: each with a time limit and through the breaker; the next one after a while.

Retries are tenacity's, which stamina is made of: stamina itself has no place for a tenant's deadline, and its
hooks are the whole process's.

Circuit breakers: an outside service that keeps failing a tenant is left alone for a while.

One for each tenant and target: tenants have services of their own, and a new one when they set another.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from actors.connectors.contract import Transient
from actors.connectors.engine.calls import Attempt, OperationCall
from actors.errors import DeadlineExceeded

FAILURES_TO_OPEN: Final = 5
"""Transient failures in a row that open a breaker."""

OPEN_SECONDS: Final = 30.0
"""For which it stays open; then one try decides."""

PROBE_SECONDS: Final = 1.0
"""What others are told to wait while that try is under way."""

MAX_BREAKERS: Final = 10_000
"""Parties whose failures are remembered; what failed longest ago is forgotten first."""


class CircuitOpen(Exception):
    """The breaker is open: nothing was tried."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its service keeps failing and is left alone for {seconds:.0f} s")
        self.seconds = seconds


class CircuitBreaker:
    """Of one party that has failed."""

    __slots__ = ("failures", "is_probed", "opened_at")

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self.opened_at: float | None = None
        """time.monotonic() in seconds; None while it is closed."""
        self.is_probed = False
        """The one try that decides is under way."""


class CircuitBreakers:
    """One connector's, by party (a tenant, the revision of its settings, a target); for one loop.

    Only Transient counts: anything else is an answer, too, but for a try that its caller has cut short, which
    says nothing.
    """

    def __init__(self, failures: int = FAILURES_TO_OPEN, seconds: float = OPEN_SECONDS) -> None:
        self._failures = failures
        self._seconds = seconds
        self._failing: dict[str, CircuitBreaker] = {}

    @contextmanager
    def attempt(self, party: str) -> Iterator[None]:
        """One try within; Open, with nothing tried, where there is to be none."""
        breaker = self._failing.get(party)
        is_probe = breaker is not None and self._admit(breaker)
        try:
            yield
        except Transient:
            self._fail(party)
            raise
        except (CancelledError, DeadlineExceeded, GeneratorExit):
            raise
        except BaseException:
            self._failing.pop(party, None)
            raise
        else:
            self._failing.pop(party, None)
        finally:
            if breaker is not None and is_probe:
                breaker.is_probed = False

    def _admit(self, breaker: CircuitBreaker) -> bool:
        """Whether this try is the one that decides; Open."""
        if breaker.opened_at is None:
            return False
        left = breaker.opened_at + self._seconds - time.monotonic()
        if left > 0:
            raise CircuitOpen(left)
        if breaker.is_probed:
            raise CircuitOpen(PROBE_SECONDS)
        breaker.is_probed = True
        return True

    def _fail(self, party: str) -> None:
        breaker = self._failing.pop(party, None) or CircuitBreaker()
        self._failing[party] = breaker  # the last in order
        if len(self._failing) > MAX_BREAKERS:
            del self._failing[next(iter(self._failing))]
        breaker.failures += 1
        if breaker.failures >= self._failures:
            breaker.opened_at = time.monotonic()


MAX_ATTEMPTS: Final = 5

ATTEMPT_SECONDS: Final = 60.0
"""Longest one try; what has not answered by then counts as Transient. Connectors bound themselves closer."""

FIRST_WAIT: Final = 0.2
"""Seconds before the second try; twice as long before each later one."""

MAX_WAIT: Final = 20.0
"""Seconds; the service itself may ask for more."""

JITTER: Final = 0.2
"""Seconds at most, at random: those that failed together are not to come together again."""

FULL_ATTEMPT_SECONDS: Final = 1.0
"""A try that its caller's deadline has cut shorter says nothing of the service."""

Send = Callable[[], Awaitable[Mapping[str, Any]]]
Sleep = Callable[[float], Awaitable[None]]


class RetryPolicy:
    """For one connector. `sleep` waits so many seconds; a test may have its own."""

    def __init__(
        self,
        breakers: CircuitBreakers,
        sleep: Sleep = asyncio.sleep,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._breakers = breakers
        self._sleep = sleep
        self._attempt_seconds = attempt_seconds
        self._backoff = wait_exponential(FIRST_WAIT, max=MAX_WAIT) + wait_random(0, JITTER)

    async def exchange(self, call: OperationCall, send: Send) -> Mapping[str, Any]:
        """What the service answers; each try is noted on the call.

        Raises the last try's Transient where no other one fits before the deadline, DeadlineExceeded, Open,
        and whatever else `send` raises, at once.
        """
        deadline = call.request.deadline
        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=self._wait,
            stop=lambda state: _is_last(state) or _is_late(state, deadline),
            retry=retry_if_exception_type(Transient),
            reraise=True,
        )
        answer: Mapping[str, Any] = await retrying(self._attempt, call, send)
        return answer

    def _wait(self, state: RetryCallState) -> float:
        """Longer with each try, and not shorter than the service asks for."""
        asked = getattr(state.outcome and state.outcome.exception(), "retry_after_s", None)
        return max(self._backoff(state), asked or 0.0)

    async def _attempt(self, call: OperationCall, send: Send) -> Mapping[str, Any]:
        at, began = time.time(), time.monotonic()
        try:
            with self._breakers.attempt(call.breaker_key):
                answer = await self._with_timeout(call.request.deadline, send)
        except CircuitOpen:
            raise
        except BaseException as error:
            call.attempts.append(Attempt(at, _ms(began), _error_text(error)))
            raise
        call.attempts.append(Attempt(at, _ms(began), None))
        return answer

    async def _with_timeout(self, deadline: float, send: Send) -> Mapping[str, Any]:
        left = deadline - time.monotonic()
        seconds = min(left, self._attempt_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await send()
        except TimeoutError:
            if not limit.expired():
                raise
            late = f"no answer within {max(seconds, 0):.1f} s"
            if left > self._attempt_seconds or left >= FULL_ATTEMPT_SECONDS:
                raise Transient(late) from None
            raise DeadlineExceeded(f"{late}, and the request's timeout_ms is over") from None


def _is_last(state: RetryCallState) -> bool:
    return stop_after_attempt(MAX_ATTEMPTS)(state)


def _is_late(state: RetryCallState, deadline: float) -> bool:
    """The next try would not begin in time."""
    return time.monotonic() + state.upcoming_sleep >= deadline


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)


def _error_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
