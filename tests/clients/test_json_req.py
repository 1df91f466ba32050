"""A stranger with pyzmq and json is served as the page says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.clients.json_req import JsonReq
from tests.clients.msgpack_dealer import MsgpackDealer
from tests.conftest import Server


@pytest.fixture
def client(server: Server) -> Iterator[JsonReq]:
    """A member of acme."""
    made = JsonReq(server.endpoint, "acme", server.tokens["acme"])
    yield made
    made.close()


def test_the_server_is_there(server: Server) -> None:
    """Without tenant or token."""
    stranger = JsonReq(server.endpoint)
    reply = stranger.ask("system.ping")
    stranger.close()
    assert reply["v"] == 1
    assert reply["ok"] is True


def test_what_was_added_can_be_read_in_either_encoding(server: Server, client: JsonReq) -> None:
    """The data does not know how it came."""
    added = client.ask("contacts.add", {"name": "Zoë Ünal 🚀"})
    assert added["ok"], added
    other = MsgpackDealer(server.endpoint, "acme", server.tokens["acme"])
    found = other.ask("contacts.get", {"id": added["result"]["id"]})
    other.close()
    assert found["result"]["name"] == "Zoë Ünal 🚀"


def test_a_stored_reply_comes_in_the_encoding_of_who_asks(server: Server, client: JsonReq) -> None:
    """The same caller, the same id, another encoding."""
    other = MsgpackDealer(server.endpoint, "acme", server.tokens["acme"])
    first = other.ask("contacts.add", {"name": "Twice Told"}, id="twice-told")
    other.close()
    again = client.ask("contacts.add", {"name": "Twice Told"}, id="twice-told")
    assert again["result"] == first["result"]
    assert again["meta"]["replayed"] is True


def test_the_worst_timeout_is_survived(client: JsonReq) -> None:
    """The socket is replaced and the same id sent again; it has one effect."""
    params = {"name": "Impatient"}
    with suppress(TimeoutError):
        client.ask("contacts.add", params, id="impatient", patience_ms=0)
    first = client.ask("contacts.add", params, id="impatient")
    again = client.ask("contacts.add", params, id="impatient")
    assert first["result"] == again["result"]


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"r-1","action":"system.ping","params":{"n":NaN}}',
        '{"id":"r-1","action":"system.ping","params":{"n":1e999}}',
        '{"id":"r-1","token":"TOKEN","action":"system.ping","params":{"n":' + "9" * 100_000 + "}}",
        '{"id":"r-1","action":"system.ping","params":{"n":9223372036854775808}}',
        '{"id":"r-1","action":"system.ping","params":{"s":"\\u0000"}}',
        '{"id":"r-1","action":"system.ping","params":{"s":"\\ud800"}}',
        '{"id":"r-1","action":"system.ping","action":"system.ping"}',
        '{"id":"r-1","token":"TOKEN","action":"x","params":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"id":"r-1","action":"system.ping","params":{"a":' + json.dumps([0] * 1001) + "}}",
        '{"id":"r-1","action":"system.ping","timeout":5}',
        '{"id":"r-1","action":"system.ping"',
        '{"id":"r-1","action":"system.ping"} {}',
        '{"id":"r-1","action":"system.ping","params":{"s":"' + "x" * 300_000 + '"}}',
    ],
    ids=lambda text: text[30:70],
)
def test_bad_bodies_are_answered_under_their_id(server: Server, client: JsonReq, text: str) -> None:
    """And the server is there for the next one. Large ones are read for callers that it has let in."""
    reply = client.exchange(text.replace("TOKEN", server.tokens["acme"]).encode())
    assert reply["id"] == "r-1"
    assert reply["error"]["code"] == "invalid_argument"
    assert client.ask("system.ping")["ok"]


def test_a_body_without_an_id_is_dropped(client: JsonReq) -> None:
    """There is nothing to answer under; the next request is served."""
    with pytest.raises(TimeoutError):
        client.exchange(b'{"action":"system.ping"}', patience_ms=300)
    assert client.ask("system.ping")["ok"]
