"""WebSockets: the message API's envelopes on one connection, many in flight, from clients of any manners."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket as sockets
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import new_id
from tests.transport.gateway.conftest import Gateway

CONTACT = {"name": "Ada Lovelace"}


def opened(gateway: Gateway, query: str = "", **options: Any) -> ClientConnection:
    """A socket; a context manager."""
    given = {"subprotocols": ["tenantry.v1"], "compression": None, **options}
    made: ClientConnection = connect(f"ws://127.0.0.1:{gateway.port}/v1/ws{query}", **given)
    return made


class Socket:
    """An open socket that speaks envelopes."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def post(self, **fields: Any) -> str:
        """Send a request as JSON; its id."""
        request = {"id": new_id(), **fields}
        self.connection.send(json.dumps(request))
        return str(request["id"])

    def receive(self) -> dict[str, Any]:
        """The next reply."""
        data = self.connection.recv(timeout=20)
        reply: dict[str, Any] = json.loads(data) if isinstance(data, str) else msgpack.unpackb(data)
        return reply

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Send and receive."""
        id = self.post(**fields)
        reply = self.receive()
        assert reply["id"] == id
        return reply

    def closed(self) -> int | None:
        """The code with which the gateway closes, once it has."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.connection.recv(timeout=20)
        return self.connection.close_code


@pytest.fixture
def socket(gateway: Gateway) -> Iterator[Socket]:
    """One without a token."""
    with opened(gateway) as connection:
        yield Socket(connection)


@pytest.fixture
def acme(socket: Socket, server: Server) -> Socket:
    """One that is authenticated as acme's member."""
    assert socket.ask(action="system.authenticate", token=server.tokens["acme"])["ok"]
    return socket


def test_the_envelope_is_that_of_the_message_api(socket: Socket, server: Server) -> None:
    """A token may be in each message, as on any other connection."""
    fields = {"tenant": "acme", "token": server.tokens["acme"], "action": "contacts.add"}
    added = socket.ask(**fields, params=CONTACT)
    assert (added["ok"], added["v"]) == (True, 1)
    assert added["result"]["id"] > 0


def test_a_token_is_sent_once_for_the_socket(socket: Socket, server: Server) -> None:
    """The answer is that of system.whoami, with the time when the token expires."""
    assert socket.ask(tenant="acme", action="contacts.add")["error"]["code"] == "unauthenticated"
    caller = socket.ask(action="system.authenticate", token=server.tokens["acme"])
    assert (caller["result"]["role"], caller["result"]["expires"]) == ("member", None)
    assert socket.ask(tenant="acme", action="contacts.add", params=CONTACT)["ok"]


def test_another_token_takes_its_place_on_the_open_socket(acme: Socket, server: Server) -> None:
    """One that is no token changes nothing."""
    assert not acme.ask(action="system.authenticate", token="tnt_nothing")["ok"]
    assert acme.ask(action="system.whoami")["result"]["tenant"] == "acme"
    assert acme.ask(action="system.authenticate", token=server.tokens["globex"])["ok"]
    assert acme.ask(action="system.whoami")["result"]["tenant"] == "globex"
    missing = acme.ask(action="system.authenticate")
    assert missing["error"]["details"][0]["field"] == "token"


def test_binary_frames_carry_msgpack(acme: Socket) -> None:
    request = {"id": "m-1", "tenant": "acme", "action": "contacts.add", "params": CONTACT}
    acme.connection.send(msgpack.packb(request))
    data = acme.connection.recv(timeout=20)
    assert isinstance(data, bytes)
    assert msgpack.unpackb(data)["result"]["id"] > 0


def test_a_message_may_come_in_fragments(acme: Socket) -> None:
    text = json.dumps({"id": "f-1", "action": "system.ping"})
    acme.connection.send(iter([text[:5], text[5:9], text[9:]]))
    assert acme.receive()["id"] == "f-1"


def test_many_are_in_flight_and_each_is_answered(acme: Socket) -> None:
    """More than the gateway takes at a time: it reads on as replies go out."""
    ids = [acme.post(tenant="acme", action="contacts.add", params=CONTACT) for _ in range(1_000)]
    replies = [acme.receive() for _ in ids]
    assert sorted(reply["id"] for reply in replies) == sorted(ids)
    assert len({reply["result"]["id"] for reply in replies}) == 1_000


def test_an_id_has_one_effect_on_whatever_connection(gateway: Gateway, server: Server) -> None:
    fields = {"tenant": "acme", "token": server.tokens["acme"], "action": "contacts.add"}
    replies = []
    for _ in range(2):
        with opened(gateway) as connection:
            replies.append(Socket(connection).ask(**fields, id="once", params=CONTACT))
    assert replies[0]["result"] == replies[1]["result"]
    assert replies[1]["meta"]["replayed"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timeout": 5}, "timeout"),
        ({"params": []}, "params"),
        ({"action": "Not.An.Action"}, "action"),
        ({"tenant": 5}, "tenant"),
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"v": 2}, "v"),
        ({"__proto__": {"token": "x"}}, "__proto__"),
    ],
)
def test_an_envelope_that_is_none_is_refused_in_the_server_s_words(
    acme: Socket, change: dict[str, Any], field: str
) -> None:
    fields = {"tenant": "acme", "action": "contacts.add", "params": CONTACT, **change}
    error = acme.ask(**fields)["error"]
    assert error["code"] == "invalid_argument"
    assert error["details"][0]["field"] == field


@pytest.mark.parametrize("nothing", ["tenant", "token", "traceparent"])
def test_null_is_the_same_as_leaving_a_field_out(acme: Socket, nothing: str) -> None:
    fields = {"tenant": "acme", "action": "system.whoami", nothing: None}
    assert acme.ask(**fields)["result"]["tenant"] == "acme"


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"d","action":"system.ping","id":"d"}',
        '{"id":"d","action":"system.ping","action":"system.whoami"}',
        '{"id":"d","action":"system.ping","params":{"a":1,"a":2}}',
        '{"id":"d","action":"system.ping","token":"a","token":"b"}',
    ],
)
def test_a_name_that_comes_twice_is_refused(acme: Socket, text: str) -> None:
    acme.connection.send(text)
    assert acme.receive()["error"]["code"] == "invalid_argument"


@pytest.mark.parametrize(
    "data",
    [
        "[]",
        "{}",
        "",
        "null",
        '{"id":5}',
        '{"id":""}',
        "x" * 1000,
        b"",
        b"\xc0",
        b"\x80",
        b"\x93" * 9,
    ],
)
def test_a_message_without_an_id_closes_the_socket(socket: Socket, data: str | bytes) -> None:
    """There is nothing that an answer could be matched with."""
    socket.connection.send(data)
    assert socket.closed() == 4400


def test_what_is_longer_than_a_body_may_be_closes_the_socket(socket: Socket) -> None:
    socket.connection.send("x" * 300_000)
    assert socket.closed() == 1009


@pytest.mark.parametrize(
    ("query", "options", "status"),
    [
        ("", {"subprotocols": None}, 400),
        ("", {"subprotocols": ["tenantry.v2"]}, 400),
        ("?token=tnt_x", {}, 400),
        ("?tenant=acme&token=tnt_x", {}, 400),
        ("?tenant=ACME", {}, 400),
        ("/more", {}, 404),
        ("", {"origin": "https://elsewhere.example"}, 403),
        ("", {"origin": "null"}, 403),
        ("?tenant=acme", {"origin": "https://elsewhere.example"}, 403),
        ("?tenant=nowhere", {"origin": "https://elsewhere.example"}, 403),
        ("?tenant=acme", {"origin": "javascript:alert(1)"}, 403),
        ("?tenant=acme", {"origin": "http://127.0.0.1.evil.example"}, 403),
    ],
)
def test_what_may_not_be_opened_is_refused_in_the_form_of_every_error(
    gateway: Gateway, query: str, options: dict[str, Any], status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught, opened(gateway, query, **options):
        pass
    response = caught.value.response
    assert response.status_code == status
    assert response.body is not None
    assert json.loads(response.body)["error"]["code"]


def test_a_page_of_the_gateway_s_own_host_may_open_one(gateway: Gateway) -> None:
    with opened(gateway, origin=gateway.address) as connection:
        assert Socket(connection).ask(action="system.ping")["ok"]


def test_nothing_is_compressed(gateway: Gateway) -> None:
    """It would cost five times the memory for each socket."""
    with opened(gateway, compression="deflate") as connection:
        assert connection.protocol.extensions == []


def test_a_peer_that_never_reads_is_not_read_either(gateway: Gateway, server: Server) -> None:
    """What waits for it is bounded: the gateway stops reading, or has enough. Others are served."""
    deaf = sockets.create_connection(("127.0.0.1", gateway.port), timeout=1)
    deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    key = base64.b64encode(os.urandom(16)).decode()
    deaf.sendall(
        f"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: tenantry.v1\r\n\r\n".encode()
    )
    assert b"101" in deaf.recv(4096)
    text = json.dumps({"id": "d", "action": "system.describe", "token": server.tokens["acme"]})
    frame = b"\x81" + bytes((0xFE, 0, len(text))) + bytes(4) + text.encode()
    with contextlib.suppress(TimeoutError, ConnectionError):
        for _ in range(20_000):
            deaf.sendall(frame * 10)
        raise AssertionError("the gateway read everything")
    with opened(gateway) as connection:
        assert Socket(connection).ask(action="system.ping")["ok"]
    deaf.close()


def test_replies_that_come_for_a_peer_that_has_left_cost_nothing(
    gateway: Gateway, server: Server
) -> None:
    fields = {"tenant": "acme", "token": server.tokens["acme"], "action": "contacts.add"}
    with opened(gateway) as connection:
        socket = Socket(connection)
        ids = [socket.post(**fields, params=CONTACT) for _ in range(50)]
    with opened(gateway) as connection:
        again = Socket(connection)
        until(
            lambda: again.ask(**fields, id=ids[-1], params=CONTACT)["ok"], "the last to be served"
        )


def test_a_stopping_gateway_says_so(server: Server) -> None:
    """With the code for a restart: clients connect again, and send again what is unanswered."""
    with Gateway(server.endpoint) as gateway, opened(gateway) as connection:
        gateway.child.process.terminate()
        assert Socket(connection).closed() == 1012
        assert gateway.child.ended() == 0


def test_one_address_may_open_so_many(server: Server) -> None:
    with (
        Gateway(server.endpoint, "--sockets-of-address", "2") as gateway,
        opened(gateway),
        opened(gateway) as second,
    ):
        with pytest.raises(InvalidStatus) as caught, opened(gateway):
            pass
        assert caught.value.response.status_code == 429
        second.close()

        def may_open() -> bool:
            with contextlib.suppress(InvalidStatus), opened(gateway):
                return True
            return False

        until(may_open, "the place of one that has left")
