"""A stranger with pyzmq and msgpack is served as the page says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from tests.clients.msgpack_dealer import MsgpackDealer
from tests.conftest import Server


@pytest.fixture
def client(server: Server) -> Iterator[MsgpackDealer]:
    """A member of acme."""
    made = MsgpackDealer(server.endpoint, "acme", server.tokens["acme"])
    yield made
    made.close()


def test_the_server_is_there(server: Server) -> None:
    """Without tenant or token."""
    stranger = MsgpackDealer(server.endpoint)
    reply = stranger.ask("system.ping")
    stranger.close()
    assert reply["v"] == 1
    assert reply["ok"] is True
    assert len(reply["meta"]["trace_id"]) == 32


def test_what_was_added_can_be_read(client: MsgpackDealer) -> None:
    """A write and a read of it, with accents and an emoji."""
    added = client.ask("contacts.add", {"name": "Zoë Ünal 🚀", "email": "zoe@example.org"})
    assert added["ok"], added
    assert isinstance(added["meta"]["version"], int)
    assert isinstance(added["meta"]["state"], str)
    assert isinstance(added["meta"]["reason"], str)
    found = client.ask("contacts.get", {"id": added["result"]["id"]})
    assert found["result"]["name"] == "Zoë Ünal 🚀"


def test_the_same_id_has_one_effect(client: MsgpackDealer) -> None:
    """The second reply is the first one, marked as replayed."""
    params = {"name": "Once Only"}
    first = client.ask("contacts.add", params, id="once-only")
    again = client.ask("contacts.add", params, id="once-only")
    assert again["result"] == first["result"]
    assert "replayed" not in first["meta"]
    assert again["meta"]["replayed"] is True
    other = client.ask("contacts.add", {"name": "Someone Else"}, id="once-only")
    assert other["error"]["code"] == "invalid_argument"


def test_requests_are_begun_in_the_order_they_were_sent(client: MsgpackDealer) -> None:
    """Ids of rows grow as the requests do."""
    sent = [client.send("contacts.add", {"name": f"Nr {n}"}) for n in range(200)]
    rows = [reply["result"]["id"] for reply in client.receive_all(sent)]
    assert rows == sorted(rows)
    assert len(set(rows)) == 200


def test_a_delimiter_comes_back_first(server: Server) -> None:
    """A DEALER that imitates a REQ."""
    client = MsgpackDealer(server.endpoint)
    client.send_bytes(b"", msgpack.packb({"id": "r-1", "action": "system.ping"}))
    with pytest.raises(ValueError, match="too many values to unpack"):
        client.next_reply()
    client.close()


@pytest.mark.parametrize("before", [[b"x"], [b"", b""], [b"", b"x"], [b"x"] * 50])
def test_other_frames_are_answered_where_the_id_can_be_read(
    client: MsgpackDealer, before: list[bytes]
) -> None:
    """The body is the last frame."""
    client.send_bytes(*before, msgpack.packb({"id": "r-1", "action": "system.ping"}))
    if before[0] == b"":
        with pytest.raises(ValueError, match="too many values to unpack"):
            client.next_reply()
    else:
        reply = client.next_reply()
        assert (reply["id"], reply["error"]["code"]) == ("r-1", "invalid_argument")


BAD_FIELDS: list[tuple[str, Any]] = [
    ("v", 2),
    ("tenant", "../acme"),
    ("action", "Contacts.Add"),
    ("params", [1]),
    ("timeout_ms", 0),
    ("timeout_ms", 600_001),
    ("timeout", 5),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_wrong_envelope_is_refused_with_the_field_named(
    client: MsgpackDealer, field: str, value: Any
) -> None:
    """Under the request's id."""
    reply = client.ask(**{"action": "system.ping", field: value})
    assert reply["ok"] is False
    assert reply["error"]["code"] == "invalid_argument"
    assert [detail["field"] for detail in reply["error"]["details"]] == [field]


def deep(levels: int) -> Any:
    """Arrays inside each other."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


BAD_VALUES: list[Any] = [
    b"binary",
    msgpack.Timestamp(0),
    2**63,
    float("nan"),
    float("inf"),
    "a\0b",
    deep(15),
    [0] * 1001,
    {str(n): n for n in range(201)},
    [[0] * 1000] * 21,
    "x" * 270_000,
]


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: repr(value)[:20])
def test_values_that_no_body_may_hold_are_refused(client: MsgpackDealer, value: Any) -> None:
    """Each under its id, and the connection goes on."""
    reply = client.ask("contacts.add", {"name": "Ada", "company": value})
    assert reply["error"]["code"] == "invalid_argument"
    assert client.ask("system.ping")["ok"]


def test_noise_is_dropped_and_hurts_no_other(client: MsgpackDealer) -> None:
    """Nothing to answer under."""
    good = msgpack.packb({"id": "r-1", "action": "system.ping"})
    for noise in (b"", b"\xc1", b"\x80", b"\xff" * 100, good[:3], b"{", b"\x91" * 100_000):
        client.send_bytes(noise)
    assert client.ask("system.ping", id="after")["id"] == "after"


def test_keys_that_come_twice_are_refused(client: MsgpackDealer) -> None:
    """Which of the two was meant is not for the server to guess."""
    client.send_bytes(b"\x83\xa2id\xa3r-2\xa6action\xabsystem.ping\xa6action\xabsystem.ping")
    reply = client.next_reply()
    assert (reply["id"], reply["error"]["code"]) == ("r-2", "invalid_argument")


def test_only_the_right_token_opens_a_tenant(server: Server) -> None:
    """And the answer is the same whether the tenant exists or not."""
    answers = []
    for tenant, token in [
        ("acme", None),
        ("acme", "wrong"),
        ("acme", server.tokens["globex"]),
        ("nobody", server.tokens["acme"]),
    ]:
        client = MsgpackDealer(server.endpoint, tenant, token)
        answers.append(client.ask("contacts.get", {"id": 1})["error"])
        client.close()
    assert {answer["code"] for answer in answers} == {"unauthenticated"}
    assert len({answer["message"] for answer in answers}) == 1


def test_a_tenants_action_needs_a_tenant(server: Server) -> None:
    """The token alone does not say whose data is meant."""
    client = MsgpackDealer(server.endpoint, None, server.tokens["acme"])
    error = client.ask("contacts.get", {"id": 1})["error"]
    client.close()
    assert error["code"] == "invalid_argument"
    assert [detail["field"] for detail in error["details"]] == ["tenant"]


def test_what_is_wrong_with_params_is_said_field_by_field(client: MsgpackDealer) -> None:
    """And unknown ones are refused."""
    reply = client.ask("contacts.add", {"name": "", "colour": "red"})
    assert reply["error"]["code"] == "invalid_argument"
    assert {detail["field"] for detail in reply["error"]["details"]} == {
        "params.name",
        "params.colour",
    }


def test_an_unknown_action_is_answered_with_near_ones(client: MsgpackDealer) -> None:
    """For the developer who misspelt it."""
    reply = client.ask("contacts.ad", {"name": "Ada"})
    assert reply["error"]["code"] == "not_found"
    assert "contacts.add" in reply["error"]["message"]


def test_the_index_describes_itself(client: MsgpackDealer) -> None:
    """Enough to build a client's menu from."""
    described = client.ask("system.describe")
    assert described["ok"], described
    assert "contacts.add" in str(described["result"])
    assert client.ask("system.whoami")["result"]["tenant"] == "acme"
