"""The attempts of one call: each has a time limit and passes the circuit breaker; a wait separates them.

Tenacity does the retries. Stamina is built on it, but has no parameter for a tenant's deadline, and its hooks
are global to the process.

A circuit breaker stops calls of an outside service that keeps failing for a tenant, for some seconds.
There is one for each tenant and target: tenants have their own services, and a new one after new settings.
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
from actors.connectors.engine.calls import OperationCall, ServiceAttempt
from actors.errors import DeadlineExceeded

FAILURES_TO_OPEN: Final = 5
"""Consecutive transient failures that open a breaker."""

OPEN_SECONDS: Final = 30.0
"""Seconds that a breaker stays open; then one attempt decides."""

PROBE_SECONDS: Final = 1.0
"""Seconds that other callers are told to wait while that attempt runs."""

MAX_BREAKERS: Final = 10_000
"""Breakers kept at most; the one that failed longest ago is dropped first."""


class CircuitOpen(Exception):
    """The breaker is open: nothing was sent."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its service keeps failing and is left alone for {seconds:.0f} s")
        self.seconds = seconds


class CircuitBreaker:
    """The failures of one tenant and target."""

    __slots__ = ("failures", "is_probed", "opened_at")

    def __init__(self) -> None:
        self.failures = 0
        """Consecutive failures."""
        self.opened_at: float | None = None
        """time.monotonic() in seconds; None while it is closed."""
        self.is_probed = False
        """Whether the attempt that decides is running."""


class CircuitBreakers:
    """The breakers of one connector by key (tenant, revision of its settings, target); for one loop.

    Only Transient counts as a failure. Any other outcome closes the breaker, except an attempt that its
    caller has cut short: it changes nothing.
    """

    def __init__(self, failures: int = FAILURES_TO_OPEN, seconds: float = OPEN_SECONDS) -> None:
        self._failures = failures
        self._seconds = seconds
        self._failing: dict[str, CircuitBreaker] = {}

    def count_open(self) -> int:
        """Return how many are open: their services are left alone, or one attempt is about to decide."""
        return sum(each.opened_at is not None for each in self._failing.values())

    @contextmanager
    def attempt(self, party: str) -> Iterator[None]:
        """Guard one attempt in a `with` block; CircuitOpen, before the block, if the breaker is open."""
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
        """Return whether this attempt is the one that decides; CircuitOpen."""
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
"""Longest attempt in seconds; a timeout counts as Transient. Connectors have shorter limits of their own."""

FIRST_WAIT: Final = 0.2
"""Seconds before the second attempt; doubled before each later one."""

MAX_WAIT: Final = 20.0
"""Longest wait in seconds; the service may ask for more."""

JITTER: Final = 0.2
"""Random seconds at most, so that calls that failed together do not retry together."""

FULL_ATTEMPT_SECONDS: Final = 1.0
"""Seconds; an attempt that the caller's deadline cut shorter is no failure of the service."""

Send = Callable[[], Awaitable[Mapping[str, Any]]]
Sleep = Callable[[float], Awaitable[None]]


class RetryPolicy:
    """Retries the calls of one connector. `sleep` waits so many seconds; tests may use their own."""

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
        """Return the service's response; add each attempt to the call.

        Raises the last attempt's Transient if no other attempt fits before the deadline; DeadlineExceeded,
        CircuitOpen, and any other error of `send` at once.
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
        """Return seconds to wait: longer for each attempt, and at least what the service asks for."""
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
            call.attempts.append(ServiceAttempt(at, _ms(began), _error_text(error)))
            raise
        call.attempts.append(ServiceAttempt(at, _ms(began), None))
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
    """Whether the next attempt would start after the deadline."""
    return time.monotonic() + state.upcoming_sleep >= deadline


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)


def _error_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
