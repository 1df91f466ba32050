"""Which tenants hold an open database: at most `cap`, and the least recently used are evicted first.

Pure bookkeeping of the Supervisor: it returns the mailboxes to admit or evict, and sends no message.
"""

from __future__ import annotations

import heapq
import time
from collections import deque

from actors.messages import Unserved
from actors.runtime.mailbox import Mailbox

RETRY_EVICTION_AFTER = 1.0
"""Seconds before a tenant that declined eviction is asked again. It declines while functions wait for
connectors."""

EVICT_AT_LEAST = 50
"""One part in so many of the cap is evicted at a time, so that a stream of new tenants does not scan all
residents for each one."""


class ResidentSet:
    """Mailboxes of tenants that are resident, that are asked to stop, and that wait to be admitted."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self._in: set[Mailbox] = set()
        self._leaving: set[Mailbox] = set()
        self._leaving_later: set[Mailbox] = set()
        self._declined: dict[Mailbox, float] = {}
        self._waiting: deque[Mailbox] = deque()
        self._unserved: dict[Mailbox, Unserved] = {}

    def __len__(self) -> int:
        return len(self._in)

    def snapshot(self) -> dict[str, int]:
        """Return how many tenants are resident, wait to be admitted, and are rejected."""
        return {
            "resident": len(self._in),
            "resident_cap": self.cap,
            "waiting": len(self._waiting),
            "unserved": len(self._unserved),
        }

    def add(self, mailbox: Mailbox) -> None:
        """Add a resident without regard to the cap: it opens no database."""
        self._in.add(mailbox)

    def enqueue(self, mailbox: Mailbox) -> None:
        """Let a tenant wait to be admitted."""
        self._waiting.append(mailbox)

    def admit(self) -> list[Mailbox]:
        """Return the tenants to start now, first come first served. They count as resident from now on."""
        admitted = []
        while self._waiting and len(self._in) < self.cap:
            mailbox = self._waiting.popleft()
            self._in.add(mailbox)
            mailbox.last_turn = time.monotonic()  # otherwise it would be the first to be evicted
            admitted.append(mailbox)
        return admitted

    def evict(self) -> list[Mailbox]:
        """Return the tenants to evict for those that wait: the least recently used. They count as leaving."""
        short = self._shortfall()
        if short <= 0:
            return []
        most = max(short, self.cap // EVICT_AT_LEAST)
        before = time.monotonic() - RETRY_EVICTION_AFTER
        free = [box for box in self._evictable() if self._declined.get(box, before) <= before]
        chosen = heapq.nsmallest(most, free, key=lambda mailbox: mailbox.last_turn)
        self._leaving.update(chosen)
        return chosen

    def evict_when_idle(self) -> list[Mailbox]:
        """After `evict`: return the tenants to passivate as soon as they are idle, if all have just declined.

        They may take long. So others are evicted nevertheless, as soon as there are any.
        """
        short = self._shortfall() - len(self._leaving_later)
        if short <= 0:
            return []
        engaged = self._evictable()
        chosen = heapq.nsmallest(short, engaged, key=lambda mailbox: mailbox.last_turn)
        self._leaving_later.update(chosen)
        return chosen

    def _shortfall(self) -> int:
        return len(self._waiting) - len(self._leaving)

    def _evictable(self) -> set[Mailbox]:
        return self._in - self._leaving - self._leaving_later

    def idle_since(self, moment: float) -> list[Mailbox]:
        """Return the tenants without a turn since this time.monotonic(). They count as leaving."""
        idle = [box for box in self._evictable() if box.last_turn < moment]
        self._leaving.update(idle)
        return idle

    def remove(self, mailbox: Mailbox) -> None:
        """Remove a tenant that has stopped."""
        self._in.discard(mailbox)
        self._leaving.discard(mailbox)
        self._leaving_later.discard(mailbox)
        self._declined.pop(mailbox, None)
        self._unserved.pop(mailbox, None)

    def mark_unserved(self, mailbox: Mailbox, unserved: Unserved) -> None:
        """Note that a resident rejects this tenant's requests until it stops."""
        self._unserved[mailbox] = unserved

    def unserved(self) -> tuple[Unserved, ...]:
        """Return the tenants that are rejected now, by name."""
        return tuple(sorted(self._unserved.values(), key=lambda each: each.tenant.name))

    def declined(self, mailbox: Mailbox) -> None:
        """Note that a tenant declined to stop: mail came, or functions wait there."""
        self._leaving.discard(mailbox)
        self._declined[mailbox] = time.monotonic()

    def members(self) -> frozenset[Mailbox]:
        """Return all residents."""
        return frozenset(self._in)

    def cancel(self, mailbox: Mailbox) -> bool:
        """Take a tenant out of those that wait; return whether it waited."""
        try:
            self._waiting.remove(mailbox)
        except ValueError:
            return False
        return True

    def cancel_waiting(self) -> list[Mailbox]:
        """Take out and return all tenants that wait."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
