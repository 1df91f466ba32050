"""Which tenants hold an open database: a cap, and the least recently used go first.

A pure bookkeeper inside the Supervisor: it says who may come in and who should leave, and tells nobody.
"""

from __future__ import annotations

import heapq
import time
from collections import deque

from actors.mailbox import Mailbox

EVICT_AT_LEAST = 50
"""A fiftieth of the cap leaves at a time, so that a stream of strangers does not scan all for each one."""


class Residents:
    """Mailboxes with an occupant, those asked to leave, and those that wait for a place."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self._in: set[Mailbox] = set()
        self._leaving: set[Mailbox] = set()
        self._waiting: deque[Mailbox] = deque()

    def __len__(self) -> int:
        return len(self._in)

    def enter(self, mailbox: Mailbox) -> None:
        """Someone comes in who opens no database and so needs no place."""
        self._in.add(mailbox)

    def wait(self, mailbox: Mailbox) -> None:
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
        short = len(self._waiting) - len(self._leaving)
        if short <= 0:
            return []
        most = max(short, self.cap // EVICT_AT_LEAST)
        chosen = heapq.nsmallest(
            most, self._in - self._leaving, key=lambda mailbox: mailbox.last_turn
        )
        self._leaving.update(chosen)
        return chosen

    def idle_since(self, moment: float) -> list[Mailbox]:
        """Those without a turn since the given time.monotonic(); they count as leaving from here on."""
        idle = [box for box in self._in - self._leaving if box.last_turn < moment]
        self._leaving.update(idle)
        return idle

    def leave(self, mailbox: Mailbox) -> None:
        """Someone has left."""
        self._in.discard(mailbox)
        self._leaving.discard(mailbox)

    def stay(self, mailbox: Mailbox) -> None:
        """Someone was asked to leave and did not, because mail came."""
        self._leaving.discard(mailbox)

    def everybody(self) -> frozenset[Mailbox]:
        """All that are in."""
        return frozenset(self._in)

    def withdraw(self, mailbox: Mailbox) -> bool:
        """Someone will not come in after all; whether that one was waiting."""
        try:
            self._waiting.remove(mailbox)
        except ValueError:
            return False
        return True

    def withdraw_waiting(self) -> list[Mailbox]:
        """Those that wait, who will not be admitted any more."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
