"""The right to compute, which one thread has at a time.

Threads of one process that run Python at once fight for the GIL at every call into SQLite and ZeroMQ, and
on an idle machine with two processors that doubled what a message costs
(docs/decisions/0004-turns-and-threads.md). So a thread takes the permit before it computes and lets go of
it before it waits: for mail, for a disk. From a thread that keeps it for long (a function that blocks, a
long statement) it is taken away, so that nobody is held up. It is handed on as a message is, by a queue.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue

PATIENCE = 0.01
"""Seconds after which a thread that waits may take the permit from one that has had it for so long."""

Right = deque[None]
"""Holds one element while it is good; whoever pops that has ended it."""

ENDED: Right = deque()


class Permit:
    """One for the router and the threads of the tenants."""

    def __init__(self) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()  # one element while nobody computes
        self._free.put(None)
        self._right = ENDED
        self._since = 0.0
        self._mine = threading.local()

    def take(self) -> None:
        """Wait until nobody else computes, or somebody has for too long; nothing where it is held already."""
        if self._held():
            return
        while not self._handed_over():
            if time.monotonic() - self._since > PATIENCE and self._end(self._right):
                break
        self._since = time.monotonic()
        self._mine.right = self._right = deque([None])

    def let_go(self) -> None:
        """Have another thread compute; nothing where the permit was taken away, or is not held."""
        if self._end(self._held()):
            self._free.put(None)

    def _held(self) -> Right:
        right: Right = getattr(self._mine, "right", ENDED)
        return right

    def _handed_over(self) -> bool:
        with suppress(Empty):
            self._free.get(timeout=PATIENCE)
            return True
        return False

    def _end(self, right: Right) -> bool:
        with suppress(IndexError):
            right.pop()
            return True
        return False
