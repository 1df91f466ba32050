"""The open WebSockets are looked at in parts: none waits for more than a second, and not all come at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from transport.gateway.websocket.registry import (
    PING_SECONDS,
    SWEEP_PARTS,
    SWEEP_SECONDS,
    Sockets,
)


class Silent:
    """A socket on which nothing has come since it was opened."""

    address = "203.0.113.7"
    opened = last_received = 0.0
    is_known, is_expired, unread = True, False, 0

    def __init__(self) -> None:
        self.is_pinged = False

    def ping(self) -> None:
        """As it is asked to."""
        self.is_pinged = True

    def close(self, code: int, reason: str) -> None:
        """Not yet."""
        raise AssertionError(reason)

    def abort(self) -> None:
        """Nor this."""
        raise AssertionError


class Time:
    """In place of the loop: what is to be called next, and when."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._next: Callable[[], None] | None = None
        self._pause = 0.0

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Keep it."""
        self._pause, self._next = seconds, call

    def go_on(self) -> None:
        """Call it."""
        assert self._next is not None
        self.passed += self._pause
        self._next()


@pytest.mark.parametrize("count", [1, 7, SWEEP_PARTS, 2_000])
def test_sockets_are_looked_at_once_a_second_in_parts(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have been opened, and so have to be pinged, all at once."""
    loop = Time()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    monkeypatch.setattr("time.monotonic", lambda: PING_SECONDS + 1.0)
    sockets, peers = Sockets(count, count), [Silent() for _ in range(count)]
    for each in peers:
        sockets.add(each)
    sockets.start()

    loop.go_on()
    loop.passed, before = 0.0, 0
    while not all(each.is_pinged for each in peers):
        before = sum(each.is_pinged for each in peers)
        loop.go_on()
        assert sum(each.is_pinged for each in peers) - before <= 1 + count // SWEEP_PARTS
    assert loop.passed <= SWEEP_SECONDS


def test_a_socket_that_was_closed_in_the_meantime_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others of its round are."""
    loop = Time()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    monkeypatch.setattr("time.monotonic", lambda: PING_SECONDS + 1.0)
    sockets, peers = Sockets(3, 3), [Silent() for _ in range(3)]
    for each in peers:
        sockets.add(each)
    sockets.start()
    loop.go_on()
    gone = next(each for each in peers if not each.is_pinged)
    sockets.remove(gone)
    loop.go_on()
    loop.go_on()

    assert [each.is_pinged for each in peers] == [each is not gone for each in peers]
