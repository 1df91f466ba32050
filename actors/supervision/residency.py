"""Which tenants hold an open database: a cap, and the least recently used go first.

A pure bookkeeper inside the Supervisor: it says who may come in and who should leave, and tells nobody.
"""

from __future__ import annotations

import heapq
import time
from collections import deque

from actors.messages import Unserved
from actors.runtime.mailbox import Mailbox

RETRY_EVICTION_AFTER = 1.0
"""For so long nobody is asked again to make room who has just stayed: functions wait there for connectors."""

EVICT_AT_LEAST = 50
"""A fiftieth of the cap leaves at a time, so that a stream of strangers does not scan all for each one."""


class ResidentSet:
    """Mailboxes with an incarnation, those asked to leave, and those that wait for a place."""

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

    def add(self, mailbox: Mailbox) -> None:
        """Someone comes in who opens no database and so needs no place."""
        self._in.add(mailbox)

    def enqueue(self, mailbox: Mailbox) -> None:
        """Someone wants in."""
        self._waiting.append(mailbox)

    def admit(self) -> list[Mailbox]:
        """Those who may come in now, first come first served; they count as resident from here on."""
        admitted = []
        while self._waiting and len(self._in) < self.cap:
            mailbox = self._waiting.popleft()
            self._in.add(mailbox)
            mailbox.last_turn = time.monotonic()  # or it would be the first to be evicted again
            admitted.append(mailbox)
        return admitted

    def evict(self) -> list[Mailbox]:
        """Those who should be asked to leave for the ones that wait: the least recently used."""
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
        """After `evict`: those who should leave as soon as they can, where everybody has just stayed.

        They may take long, so that others are asked nevertheless as soon as there are any.
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
        """Those without a turn since the given time.monotonic(); they count as leaving from here on."""
        idle = [box for box in self._evictable() if box.last_turn < moment]
        self._leaving.update(idle)
        return idle

    def remove(self, mailbox: Mailbox) -> None:
        """Someone has left."""
        self._in.discard(mailbox)
        self._leaving.discard(mailbox)
        self._leaving_later.discard(mailbox)
        self._declined.pop(mailbox, None)
        self._unserved.pop(mailbox, None)

    def mark_unserved(self, mailbox: Mailbox, unserved: Unserved) -> None:
        """Who is in refuses what comes for this tenant, until it leaves."""
        self._unserved[mailbox] = unserved

    def unserved(self) -> tuple[Unserved, ...]:
        """Those that are refused now, by name."""
        return tuple(sorted(self._unserved.values(), key=lambda each: each.tenant.name))

    def declined(self, mailbox: Mailbox) -> None:
        """Someone was asked to leave and did not, because mail came or functions wait there."""
        self._leaving.discard(mailbox)
        self._declined[mailbox] = time.monotonic()

    def members(self) -> frozenset[Mailbox]:
        """All that are in."""
        return frozenset(self._in)

    def cancel(self, mailbox: Mailbox) -> bool:
        """Someone will not come in after all; whether that one was waiting."""
        try:
            self._waiting.remove(mailbox)
        except ValueError:
            return False
        return True

    def cancel_waiting(self) -> list[Mailbox]:
        """Those that wait, who will not be admitted any more."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
