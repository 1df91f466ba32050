"""What one sender may have of the router, whose one thread serves all.

Two things are bounded: requests a second, of a token and of a connection; and the time that goes into what is
refused, of a tenant's callers and of all strangers together. Who has spent that time is turned away by the
bytes of a message, before anything is made of it.
"""

from __future__ import annotations

import math
from typing import Any

from actors.errors import ResourceExhausted
from actors.runtime.rate_limit import ROUNDING
from actors.settings import Rates

UNAUTHENTICATED_SENDERS = ""
"""The payer of what comes without a token that is known."""

PATIENCE = 10.0
"""Seconds owed after which messages are no longer answered at all: refusals take time, too."""

MOST_SENDERS = 10_000
"""Senders remembered before those are looked for that have used nothing lately."""

ADVICE = "send this one again, with the same id"


class Allowance:
    """For one router, which says what came and how long it took. Times are time.monotonic()."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._tokens = RateLimiters(rates.token)
        self._connections = RateLimiters(rates.connection)
        self._refused = RateLimiters(rates.refused_ms / 1000, least=0.0)
        self.wary_until = float("-inf")
        """Until then some caller owes time, and whose a message is has to be seen before it is read."""

    def count(self, connection: bytes, token: str, now: float) -> None:
        """Count one request, of a token by its id; ResourceExhausted past what either may send."""
        wait = self._connections.take(connection, now)
        if wait > 0.0:
            raise rate_exceeded("this connection", self._rates.connection, wait)
        wait = self._tokens.take(token, now) if token else 0.0
        if wait > 0.0:
            raise rate_exceeded("this token", self._rates.token, wait)

    def charge(self, payer: str, seconds: float, now: float) -> None:
        """So long it took to refuse something."""
        owed = self._refused.charge(payer, seconds, now)
        if owed > 0.0:
            self.wary_until = max(self.wary_until, now + owed)

    def owed(self, payer: str, now: float) -> float:
        """Seconds until the payer is listened to again; 0.0 for now."""
        return self._refused.wait(payer, now)


class RateLimiters:
    """One for each key that has used something lately, one second's worth deep; none with a rate of 0.

    As `RateLimiter`, in one table: each message takes from several.
    """

    def __init__(self, rate: float, least: float = 1.0) -> None:
        """`least` is what may always be taken at once, however low the rate."""
        self._step = 1.0 / rate if rate else 0.0
        self._depth = max(1.0, least * self._step)
        self._full = self._depth + ROUNDING
        self._full_at: dict[Any, float] = {}
        self._most = MOST_SENDERS

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Any, now: float) -> float:
        """Take out one: 0.0, or the seconds after which it will be there."""
        full_at = self._full_at.get(key)
        if full_at is None:
            if not self._step:
                return 0.0
            self._make_room(now)
            full_at = now
        elif full_at < now:
            full_at = now
        full_at += self._step
        if full_at - now > self._full:
            return full_at - now - self._depth
        self._full_at[key] = full_at
        return 0.0

    def charge(self, key: Any, cost: float, now: float) -> float:
        """Take out what is used already; the seconds until nothing is owed."""
        if not self._step:
            return 0.0
        if key not in self._full_at:
            self._make_room(now)
        self._full_at[key] = max(self._full_at.get(key, now), now) + cost * self._step
        return self.wait(key, now)

    def wait(self, key: Any, now: float) -> float:
        """Seconds until nothing is owed."""
        owed = self._full_at.get(key, now) - now
        return owed - self._depth if owed > self._full else 0.0

    def _make_room(self, now: float) -> None:
        if len(self._full_at) >= self._most:
            used = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
            self._full_at, self._most = used, max(MOST_SENDERS, 2 * len(used))


def rate_exceeded(who: str, rate: float, wait: float) -> ResourceExhausted:
    """The refusal of a request past a rate; `wait` is in seconds."""
    return ResourceExhausted(
        f"{who} may send {rate:g} requests a second; {ADVICE}", retry_after_ms=milliseconds(wait)
    )


def turned_away(payer: str, wait: float) -> ResourceExhausted:
    """The refusal of a message that is not looked at."""
    who = (
        "callers without a valid token"
        if payer == UNAUTHENTICATED_SENDERS
        else f"the callers of {payer}"
    )
    return ResourceExhausted(
        f"{who} have sent more that was refused than there is time for; {ADVICE}",
        retry_after_ms=milliseconds(wait),
    )


def milliseconds(wait: float) -> int:
    """Seconds to wait, for `retry_after_ms`: never no time at all."""
    return max(1, math.ceil(wait * 1000))
