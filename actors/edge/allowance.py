"""Limits what one sender may use of the router, whose single thread serves all senders.

Two things are bounded: requests a second, for each token and each connection; and the time spent on
refusals, for the callers of each tenant and for all unauthenticated senders together. A sender that has used
up its time is turned away after a look at the bytes of the message, before the message is parsed.
"""

from __future__ import annotations

import math
import time
from typing import Any

from actors.errors import ResourceExhausted
from actors.intent.suspicions import Slowdowns
from actors.runtime.rate_limit import ROUNDING
from actors.settings import Rates

UNAUTHENTICATED_SENDERS = ""
"""Payer of messages without a known token."""

PATIENCE = 10.0
"""Seconds owed past which messages are dropped without a reply, because refusals take time too."""

MAX_REFUSALS = 16
"""Refusals in one turn to unauthenticated senders that owe time; their further messages in it are dropped.

ZeroMQ reads from each connection in turn, so that a message waits for one of every other connection's.
"""

MOST_SENDERS = 10_000
"""Senders remembered before idle ones are removed."""

ADVICE = "send this one again, with the same id"


class Allowance:
    """The allowances of one router's senders. Times are time.monotonic(), in seconds."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._tokens = RateLimiters(rates.token)
        self._connections = RateLimiters(rates.connection)
        self._refused = RateLimiters(rates.refused_ms / 1000, least=0.0)
        self._refusals_left = MAX_REFUSALS
        self._computed = 0.0
        """time.thread_time() at the beginning of the turn, or after the last message that was charged."""
        self.wary_until = float("-inf")
        """Until this time some payer owes time, so a message's payer is found before it is parsed."""

    def begin_turn(self) -> None:
        """Allow unauthenticated senders MAX_REFUSALS again, and measure processor time from now on."""
        self._refusals_left = MAX_REFUSALS
        self._computed = time.thread_time()

    def took(self, by_clock: float) -> float:
        """Return the seconds of processor time of a message that took so many by the clock.

        Asking takes a microsecond, so messages that are passed on are not measured: the time is that since
        the beginning of the turn or the last call, and no longer than by the clock.
        """
        before, self._computed = self._computed, time.thread_time()
        return min(by_clock, self._computed - before)

    def count(self, connection: bytes, token: str, now: float) -> None:
        """Count one request of a connection and of a token (by its id).

        Raises ResourceExhausted if either is past its rate.
        """
        wait = self._connections.take(connection, now)
        if wait > 0.0:
            raise rate_exceeded("this connection", self._rates.connection, wait)
        wait = self._tokens.take(token, now) if token else 0.0
        if wait > 0.0:
            raise rate_exceeded("this token", self._rates.token, wait)

    def charge(self, payer: str, seconds: float, now: float) -> None:
        """Charge the seconds that a refusal took to its payer."""
        owed = self._refused.charge(payer, seconds, now)
        if owed > 0.0:
            self.wary_until = max(self.wary_until, now + owed)

    def owed(self, payer: str, now: float) -> float:
        """Return the seconds until the payer's messages are read again; 0.0 if they are read now."""
        return self._refused.wait(payer, now)

    def is_answered(self, payer: str, owed: float) -> bool:
        """Return whether one more message is refused, and not dropped, of a payer that owes this time."""
        if owed >= PATIENCE:
            return False
        if payer == UNAUTHENTICATED_SENDERS:
            self._refusals_left -= 1
        return self._refusals_left >= 0 or payer != UNAUTHENTICATED_SENDERS


class RateLimiters:
    """A rate limiter for each key used lately, with a burst of one second; a rate of 0 means no limit.

    As `RateLimiter`, in one table: each message takes from several.
    """

    def __init__(self, rate: float, least: float = 1.0) -> None:
        """`least` is the smallest burst, however low the rate."""
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


class Slowed(ResourceExhausted):
    """The refusal of a message of a caller who is slowed for bad intent: no signal counts it."""


class Pace:
    """Paces the callers that the IntentMonitor has slowed; for one channel."""

    def __init__(self, slowdowns: Slowdowns) -> None:
        self._slowdowns = slowdowns
        self._seconds = slowdowns.seconds
        self._limiters = RateLimiters(1.0 / self._seconds)

    @property
    def is_used(self) -> bool:
        """Return whether any caller is slowed."""
        return bool(self._slowdowns.tokens or self._slowdowns.addresses)

    def require(self, token: str, now: float) -> None:
        """Raise Slowed if a token, by its id, is slowed and this message comes too soon."""
        if token in self._slowdowns.tokens:
            refusal = self._refusal("this token", token, now)
            if refusal is not None:
                raise refusal

    def of_address(self, group: str, now: float) -> Slowed | None:
        """Return the refusal of a message without a valid token from a slowed address that comes too soon."""
        if group not in self._slowdowns.addresses:
            return None
        return self._refusal("callers without a valid token from this address", group, now)

    def _refusal(self, who: str, key: str, now: float) -> Slowed | None:
        if self._seconds != self._slowdowns.seconds:
            self._seconds = self._slowdowns.seconds
            self._limiters = RateLimiters(1.0 / self._seconds)
        wait = self._limiters.take(key, now)
        if wait <= 0.0:
            return None
        return Slowed(
            f"{who} may send one message each {self._seconds:g} s for now, because of what was sent before; "
            f"{ADVICE}",
            retry_after_ms=milliseconds(wait),
        )


def rate_exceeded(who: str, rate: float, wait: float) -> ResourceExhausted:
    """Return the refusal of a request past a rate; `wait` is in seconds."""
    return ResourceExhausted(
        f"{who} may send {rate:g} requests a second; {ADVICE}", retry_after_ms=milliseconds(wait)
    )


def turned_away(payer: str, wait: float) -> ResourceExhausted:
    """Return the refusal of a message that was not parsed because its payer owes time."""
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
    """Convert seconds to whole milliseconds for `retry_after_ms`, at least 1."""
    return max(1, math.ceil(wait * 1000))
