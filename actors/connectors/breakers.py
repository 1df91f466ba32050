"""Circuit breakers: an outside service that keeps failing a tenant is left alone for a while.

One for each tenant and target: tenants have services of their own, and a new one when they set another.
"""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from actors.connectors.contract import Transient
from actors.errors import DeadlineExceeded

FAILURES: Final = 5
"""Transient failures in a row that open a breaker."""

OPEN_SECONDS: Final = 30.0
"""For which it stays open; then one try decides."""

PROBE_SECONDS: Final = 1.0
"""What others are told to wait while that try is under way."""

MOST: Final = 10_000
"""Parties whose failures are remembered; what failed longest ago is forgotten first."""


class Open(Exception):
    """The breaker is open: nothing was tried."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its service keeps failing and is left alone for {seconds:.0f} s")
        self.seconds = seconds


class Breaker:
    """Of one party that has failed."""

    __slots__ = ("failures", "is_probed", "opened_at")

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self.opened_at: float | None = None
        """time.monotonic() in seconds; None while it is closed."""
        self.is_probed = False
        """The one try that decides is under way."""


class Breakers:
    """One connector's, by party (a tenant, the revision of its settings, a target); for one loop.

    Only Transient counts: anything else is an answer, too, but for a try that its caller has cut short, which
    says nothing.
    """

    def __init__(self, failures: int = FAILURES, seconds: float = OPEN_SECONDS) -> None:
        self._failures = failures
        self._seconds = seconds
        self._failing: dict[str, Breaker] = {}

    @contextmanager
    def guard(self, party: str) -> Iterator[None]:
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

    def _admit(self, breaker: Breaker) -> bool:
        """Whether this try is the one that decides; Open."""
        if breaker.opened_at is None:
            return False
        left = breaker.opened_at + self._seconds - time.monotonic()
        if left > 0:
            raise Open(left)
        if breaker.is_probed:
            raise Open(PROBE_SECONDS)
        breaker.is_probed = True
        return True

    def _fail(self, party: str) -> None:
        breaker = self._failing.pop(party, None) or Breaker()
        self._failing[party] = breaker  # the last in order
        if len(self._failing) > MOST:
            del self._failing[next(iter(self._failing))]
        breaker.failures += 1
        if breaker.failures >= self._failures:
            breaker.opened_at = time.monotonic()
