"""A channel over a real socket: what both do alike, whatever is done with what they let in."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from actors.edge.channel import (
    TURN_SECONDS,
    Channel,
    ChannelInputs,
    ChannelMailbox,
    Draining,
    FlushUses,
)
from actors.errors import NotFound, Unauthenticated
from actors.host.clocks import MonotonicWallClock
from actors.intent.suspicions import Slowdowns
from actors.messages import ANYONE, DirectoryChanged, TenantRequest, TokensUsed
from actors.profiles import Profiles
from actors.replies import send_refusal
from actors.runtime.actor import Ping, ask, stop
from tests.actors.mailbox_harness import WAIT, Watch
from tests.actors.router_harness import SNAPSHOT, Wall, digest, token
from tests.raw_client import RawClient, packed, unpacked
from transport.bind import Security, bind_router, endpoint_of
from transport.message import Refusal
from transport.request.model import Request
from transport.router_socket import RouterSocket
from transport.validation import LIMITS

REFUSED_LATER = Refusal("aborted", "as it was meant")


class Desk(Channel):
    """Lets in whatever comes: keeps it, and answers `later.*` with a refusal of its own."""

    def __init__(self, place: Place, given: ChannelInputs) -> None:
        super().__init__(place.mailbox, given)
        self._kept = place.kept
        self._strange = place.strange

    def _admit(self, work: TenantRequest) -> None:
        self._kept.append(work)
        if work.request.action == "defect":
            raise ValueError("secret")
        if work.request.action == "not.here":
            raise NotFound("it is not here")
        if work.principal is ANYONE:
            raise Unauthenticated("who are you?")
        send_refusal(work, REFUSED_LATER)

    def _on_unauthenticated(self, request: Request, trace_id: str) -> None:
        self._strange.append(request.action)


class Place:
    """A channel that runs, and what comes in."""

    def __init__(self) -> None:
        self.kept: deque[TenantRequest] = deque()
        self.strange: deque[str] = deque()
        self.directory = Watch()
        self.wall = Wall()
        self.asked = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = bind_router(self._context, "tcp://127.0.0.1:*", Security(), LIMITS)
        self.endpoint = endpoint_of(socket)
        self.mailbox = ChannelMailbox("desk", RouterSocket(socket), None)
        given = ChannelInputs(
            directory=self.directory,
            snapshot=SNAPSHOT,
            profiles=Profiles(),
            limits=LIMITS,
            read_directory=self._read_directory,
            epoch=MonotonicWallClock(self.wall),
            slowdowns=Slowdowns(),
        )
        Desk.start(self, given)

    def told(self, message: Any) -> None:
        """Tell it, and wait until it has taken that in."""
        self.mailbox.tell(message)
        ask(self.mailbox, Ping(), WAIT)

    def close(self) -> None:
        """Stop it."""
        stop(self.mailbox, WAIT)
        self._context.destroy(linger=0)

    def _read_directory(self) -> None:
        self.asked += 1


@pytest.fixture
def place() -> Iterator[Place]:
    """Where ann is known."""
    place = Place()
    place.told(DirectoryChanged(tokens=(token("ann"),), complete=True))
    yield place
    place.close()


@pytest.fixture
def raw_client(place: Place) -> Iterator[RawClient]:
    """A connection to it."""
    with RawClient(place.endpoint) as one:
        yield one


def test_what_it_lets_in_names_the_caller_and_where_replies_go(
    place: Place, raw_client: RawClient
) -> None:
    reply = raw_client.ask(action="later.on", token="ann", tenant="acme")
    assert reply["error"] == REFUSED_LATER.as_map()
    (work,) = place.kept
    assert work.principal == token("ann").principal
    assert work.request.tenant == "acme"
    assert work.trace_id == reply["meta"]["trace_id"]


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_reply_goes_back_in_the_way_its_request_came(place: Place, encoding: Any) -> None:
    """Delimited or not, in its encoding."""
    for kind in (zmq.REQ, zmq.DEALER):
        with RawClient(place.endpoint, kind) as raw_client:
            raw_client.send(packed({"id": "same", "action": "later.on", "token": "ann"}, encoding))
            (body,) = raw_client.socket.recv_multipart()
            assert (body[:1] == b"{") == (encoding == "json")
            assert unpacked(body)["error"]["code"] == "aborted"


def test_it_asks_the_directory_for_everything_when_it_starts(place: Place) -> None:
    assert place.asked == 1


def test_a_refusal_goes_back_and_a_defect_without_its_text(
    place: Place, raw_client: RawClient
) -> None:
    assert raw_client.ask(action="not.here", token="ann")["error"]["message"] == "it is not here"
    defect = raw_client.ask(action="defect", token="ann")
    assert defect["error"]["code"] == "internal"
    assert "secret" not in str(defect)
    assert raw_client.ask(action="system.ping")["ok"]


def test_it_hears_of_everybody_who_is_not_known(place: Place, raw_client: RawClient) -> None:
    """Whether their token is none, or is needed and missing."""
    assert raw_client.ask(action="later.on")["error"]["code"] == "unauthenticated"
    assert raw_client.ask(action="later.on", token="wrong")["error"]["code"] == "unauthenticated"
    assert raw_client.ask(action="system.whoami")["error"]["code"] == "unauthenticated"
    raw_client.ask(action="later.on", token="ann")
    assert list(place.strange) == ["later.on", "later.on", "system.whoami"]


def test_system_actions_are_answered_before_anything_is_let_in(
    place: Place, raw_client: RawClient
) -> None:
    assert raw_client.ask(action="system.ping")["ok"]
    assert raw_client.ask(action="system.whoami", token="ann")["result"]["person"] == "p_ann"
    assert raw_client.ask(action="system.nothing", token="ann")["error"]["code"] == "not_found"
    assert not place.kept


def test_the_directory_hears_which_tokens_were_used_once_for_many_messages(
    place: Place, raw_client: RawClient
) -> None:
    for _ in range(3):
        raw_client.ask(action="system.ping", token="ann")
    raw_client.ask(action="system.ping", token="wrong")
    place.told(FlushUses())
    assert place.directory.hear() == TokensUsed({"t_ann": place.wall.time})
    place.told(FlushUses())
    assert place.directory.heard() == []


def test_a_stopping_channel_refuses_what_is_new_and_tells_what_it_knows(
    place: Place, raw_client: RawClient
) -> None:
    raw_client.ask(action="system.ping", token="ann")
    place.told(Draining())
    assert place.directory.hear() == TokensUsed({"t_ann": place.wall.time})
    for fields in ({"action": "later.on", "token": "ann"}, {"action": "system.ping"}):
        refused = raw_client.ask(**fields)["error"]
        assert refused["code"] == "unavailable"
        assert refused["retry_after_ms"] > 0
    assert not place.kept


def test_a_token_that_is_revoked_is_not_let_in_again(place: Place, raw_client: RawClient) -> None:
    raw_client.ask(action="later.on", token="ann")
    place.told(DirectoryChanged(revoked=(digest("ann"),)))
    assert raw_client.ask(action="later.on", token="ann")["error"]["code"] == "unauthenticated"
    assert len(place.kept) == 1


def test_who_has_too_much_to_read_is_refused_before_any_work(
    place: Place, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, and with the time after which it is worth another try."""
    monkeypatch.setattr(RouterSocket, "is_full", lambda *_: True)
    refused = raw_client.ask(action="later.on", token="ann")["error"]
    assert (refused["code"], refused["retry_after_ms"]) == ("unavailable", 1000)
    assert "replies to read" in refused["message"]
    assert not place.kept


def test_frames_that_are_no_envelope_are_refused_where_they_have_an_id(
    place: Place, raw_client: RawClient
) -> None:
    """And counted where they have none."""
    body = packed({"id": "odd", "action": "later.on", "token": "ann"})
    raw_client.send(b"more", body)
    refused = raw_client.receive()
    assert (refused["id"], refused["error"]["code"]) == ("odd", "invalid_argument")
    raw_client.send(b"\xc1")
    assert raw_client.until_ping() == []
    assert place.mailbox.socket.counters.undecodable == 1
    assert not place.kept


def test_a_turn_that_takes_long_ends_and_the_rest_of_its_messages_is_handled_in_others(
    place: Place, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here after each message; those of one connection stay in their order."""
    look = partial(next, count(time.monotonic(), 2 * TURN_SECONDS))
    monkeypatch.setattr("actors.edge.channel.time", SimpleNamespace(monotonic=look))
    before, ids = place.mailbox.turns, [f"n-{n}" for n in range(50)]
    for id in ids:
        raw_client.send(packed({"id": id, "action": "not.here", "token": "ann"}, "msgpack"))

    assert [unpacked(raw_client.socket.recv_multipart()[-1])["id"] for _ in ids] == ids
    assert place.mailbox.turns - before >= len(ids)
