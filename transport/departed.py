"""Peers of a server's socket that have left, and connections that are reset."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import structlog

from transport.connection import RESET_COST, AcceptLimiter, Bounds, Connection, Tally

log = structlog.get_logger()

FORGETTABLE: Final = 1024
"""Bytes at most of a peer that left before its first message was read, to be forgotten at once."""

REPORT_SECONDS: Final = 10.0
"""Seconds between two log lines about connections that were reset."""


class Resets:
    """Resets connections, counts why, makes newcomers wait for each, and logs them together now and then."""

    def __init__(self, limiter: AcceptLimiter, clock: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        """Number of connections reset, by reason."""
        self._limiter = limiter
        self._clock = clock
        self._reported: Counter[str] = Counter()
        self._report_due = 0.0

    def cut(self, connection: Connection, reason: str) -> None:
        """Reset a connection."""
        self._count(reason)
        connection.cut()

    def discard_input(self, connection: Connection) -> None:
        """Discard what a peer that has left sent, unless it was reset before."""
        if not connection.is_cut:
            self._count("they left too much unhandled")
            connection.discard_input()

    def report(self, now: float) -> None:
        """Log one line for many resets, or a peer that fills memory would fill the log instead."""
        new = self.counts.total() - self._reported.total()
        if new and now >= self._report_due:
            reasons = dict(self.counts - self._reported)
            log.warning("connections reset", connections=new, reasons=reasons)
            self._reported, self._report_due = self.counts.copy(), now + REPORT_SECONDS

    def _count(self, reason: str) -> None:
        self.counts[reason] += 1
        self._limiter.charge(RESET_COST, self._clock())


class DepartedPeers:
    """Peers that have left with bytes that are not handled yet."""

    def __init__(self, bounds: Bounds, resets: Resets) -> None:
        self.left_over = 0
        """Their unhandled bytes at the last check."""
        self._leavers = 0
        """Number of them with unhandled bytes at the last check; others are dropped at the next."""
        self._connections: list[Connection] = []
        self._bounds = bounds
        self._resets = resets

    @property
    def holds_too_much(self) -> bool:
        """Whether no newcomer is to be accepted until some of it is handled."""
        bounds = self._bounds
        return 2 * self.left_over > bounds.unhandled_in_all or self._leavers > bounds.departed

    def add(self, connection: Connection) -> None:
        """Keep a connection whose peer has left, unless there is nothing of it to count."""
        if connection.tally is not None or connection.total > FORGETTABLE:
            self._connections.append(connection)

    def of_descriptor(self, descriptor: int) -> list[Connection]:
        """Return those that had this descriptor, the oldest first."""
        return [each for each in self._connections if each.descriptor == descriptor]

    def excuse(self) -> None:
        """Count that the socket was empty once more since they left."""
        for connection in self._connections:
            connection.absences += 1

    def drop_handled(self, gone: deque[Tally]) -> None:
        """Move the tallies of those with everything handled to `gone`; discard the rest beyond the limit."""
        left: list[Connection] = []
        for each in self._connections:
            if each.absences < 2 and each.unhandled > FORGETTABLE:
                left.append(each)
            elif each.tally is not None:
                gone.append(each.tally)
        self._connections, self._leavers = left, len(left)
        self.left_over = sum(each.unhandled for each in left)
        if self.left_over > self._bounds.left:
            for each in left:
                self._resets.discard_input(each)

    def close(self) -> None:
        """Close all of them."""
        for connection in self._connections:
            connection.close()
