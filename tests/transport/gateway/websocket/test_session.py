"""The messages of one WebSocket whose address is past its rate."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from transport.gateway.admission import BURST_SECONDS, LATE_SECONDS, AddressAdmission
from transport.gateway.envelope import ReplyHead
from transport.gateway.proxies import TrustedProxies
from transport.gateway.server_link import Exchange
from transport.gateway.websocket.session import SocketSession
from transport.message import RESOURCE_EXHAUSTED
from transport.validation import LIMITS

IN_TIME = int(BURST_SECONDS)
"""Messages of an address at once, at one a second."""


class Place:
    """A session, its socket, and what lies behind: all that is asked of them is kept."""

    address = "203.0.113.7"
    is_closing = False

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.sent: list[Exchange] = []
        self.is_read = True
        self.later: list[tuple[float, Callable[[], None]]] = []
        gateway: Any = SimpleNamespace(
            admission=AddressAdmission(1.0, TrustedProxies(())),
            limits=LIMITS,
            link=SimpleNamespace(send=self.sent.append),
            figures=SimpleNamespace(replies=Counter()),
        )
        self.session = SocketSession(gateway, self)

    def write(self, body: bytes) -> None:
        """Keep a reply."""
        self.written.append(json.loads(body))

    def read_on(self, is_wanted: bool) -> None:
        """Note whether more is read."""
        self.is_read = is_wanted

    def close(self, code: int, reason: str) -> None:
        """No message here closes the socket."""
        raise AssertionError(reason)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """In place of the loop's."""
        self.later.append((seconds, call))

    def take(self, count: int) -> None:
        """So many messages without a token come."""
        for number in range(count):
            body = {"id": f"n-{number}", "tenant": "acme", "action": "contacts.find"}
            self.session.take(json.dumps(body).encode())

    def pause_ends(self) -> None:
        """The one pause that is under way is over."""
        ((seconds, call),) = self.later
        self.later.clear()
        assert seconds == LATE_SECONDS
        call()


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """One whose address has just had all that it may."""
    made = Place()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    made.take(IN_TIME)
    assert len(made.sent) == IN_TIME
    return made


def refused(place: Place) -> int:
    """How many messages were; none with another code."""
    assert {each["error"]["code"] for each in place.written} <= {RESOURCE_EXHAUSTED}
    return len(place.written)


def test_after_a_refusal_nothing_is_read_for_a_moment(place: Place) -> None:
    place.take(1)
    assert refused(place) == 1
    assert not place.is_read

    place.pause_ends()
    assert place.is_read


def test_what_had_come_with_a_refused_message_waits_and_each_pause_ends_with_one_refusal(
    place: Place,
) -> None:
    """However many are read from the connection at once."""
    place.take(10)
    assert refused(place) == 1
    for number in range(2, 5):
        place.pause_ends()
        assert refused(place) == number
        assert not place.is_read


def test_a_reply_that_comes_meanwhile_does_not_end_the_pause(place: Place) -> None:
    """It is sent, and what was to wait waits."""
    place.take(2)
    on_end = place.sent[0].on_end
    assert on_end is not None
    on_end((b'{"id": "n-0", "ok": true}', ReplyHead("n-0", True)))

    assert [each["id"] for each in place.written] == ["n-0", "n-0"]
    assert not place.is_read
