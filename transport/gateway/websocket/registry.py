"""All open WebSockets: how many there may be, which of them are silent, and what they have not read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Final, Protocol

from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal
from transport.message import RESOURCE_EXHAUSTED

PING_SECONDS: Final = 20.0
"""Seconds of silence after which a socket is pinged."""

SILENT_SECONDS: Final = 50.0
"""Seconds of silence after which it is closed: a ping was not answered."""

UNKNOWN_SECONDS: Final = 30.0
"""Seconds within which a socket must have shown a valid token."""

UNREAD_BYTES: Final = 64 * 1024 * 1024
"""Bytes that all sockets together may have unread before those with most are closed."""

SWEEP_SECONDS: Final = 1.0
"""Seconds in which each socket is looked at once."""

SWEEP_PARTS: Final = 20
"""Parts in which they are: to look at 2,000 at once, and to ping those that were opened together, would keep
all requests waiting."""


class OpenSocket(Protocol):
    """A socket as the registry sees it."""

    address: str
    opened: float
    last_received: float
    is_pinged: bool

    @property
    def is_known(self) -> bool:
        """Whether it has shown a valid token."""
        ...

    @property
    def unread(self) -> int:
        """Bytes that wait to be read by the peer."""
        ...

    @property
    def is_expired(self) -> bool:
        """Whether its token's time, and the time to show another, are over."""
        ...

    def ping(self) -> None:
        """Send a ping."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, then close."""
        ...

    def abort(self) -> None:
        """Close at once: a peer that does not read gets no frame."""
        ...


class Sockets:
    """The registry; for one event loop."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._open: set[OpenSocket] = set()
        self._slow: set[OpenSocket] = set()
        self._unseen: list[OpenSocket] = []
        """Those that are looked at in the rest of this round, in no order."""
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Look after the sockets from now on."""
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """End that."""
        self._sweeper.cancel()

    def add(self, peer: OpenSocket) -> None:
        """Count a socket; HttpRefusal if there are too many."""
        if len(self._open) >= self._most or self._by_address[peer.address] >= self._most_of_address:
            words = "too many WebSockets are open; use one for many requests"
            raise HttpRefusal(problem(RESOURCE_EXHAUSTED, words, retry_after_ms=5_000))
        self._open.add(peer)
        self._by_address[peer.address] += 1

    def remove(self, peer: OpenSocket) -> None:
        """Forget a socket that is closed."""
        if peer in self._open:
            self._open.remove(peer)
            self._slow.discard(peer)
            self._by_address[peer.address] -= 1
            if not self._by_address[peer.address]:
                del self._by_address[peer.address]

    def is_slow(self, peer: OpenSocket, is_slow: bool) -> None:
        """Note that a socket's peer reads more slowly than it is written to, or does no more."""
        if is_slow:
            self._slow.add(peer)
        else:
            self._slow.discard(peer)

    def bound_unread(self) -> None:
        """Close the sockets with most unread until all together keep the limit."""
        unread = {peer: peer.unread for peer in self._slow}
        total = sum(unread.values())
        for peer in sorted(unread, key=unread.__getitem__, reverse=True):
            if total <= UNREAD_BYTES:
                return
            total -= unread[peer]
            peer.abort()

    def _sweep(self) -> None:
        """Look at the next part of the sockets."""
        now = time.monotonic()
        if not self._unseen:
            self._unseen = list(self._open)
        for _ in range(min(len(self._unseen), 1 + len(self._open) // SWEEP_PARTS)):
            peer = self._unseen.pop()
            if peer in self._open:
                self._look_at(peer, now)
        pause = SWEEP_SECONDS / min(SWEEP_PARTS, max(1, len(self._open)))
        self._sweeper = asyncio.get_running_loop().call_later(pause, self._sweep)

    def _look_at(self, peer: OpenSocket, now: float) -> None:
        silent = now - peer.last_received
        if silent >= SILENT_SECONDS:
            peer.abort()
        elif not peer.is_known and now - peer.opened >= UNKNOWN_SECONDS:
            peer.close(4401, "no valid token within 30 s of opening")
        elif peer.is_expired:
            peer.close(4401, "the token has expired: connect with another")
        elif silent >= PING_SECONDS and not peer.is_pinged:
            peer.ping()
