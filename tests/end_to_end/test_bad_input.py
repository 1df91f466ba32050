"""Bad input over a real socket: answered or counted, and other clients notice nothing."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Encoding, Map, RawClient, packed
from transport.client import Client
from transport.message import CODES

INDEX = Path(__file__).parents[1] / "faulty" / "registry.toml"

BODY_BYTES = 64 * 1024

FEW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
"""Examples are short and many go over one connection; the same ones every time."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all this; limits smaller than by default, so that long bodies are cheap."""
    running = Server(tmp_path_factory.mktemp("data"), registry=INDEX, body_bytes=BODY_BYTES)
    yield running
    running.stop()


@pytest.fixture
def raw_client(server: Server) -> Iterator[RawClient]:
    """The connection that misbehaves."""
    with RawClient(server.endpoint) as one:
        yield one


@pytest.fixture(scope="module")
def bystander(server: Server) -> Iterator[Client]:
    """A client of another tenant that is connected all the time."""
    with server.client("globex", retries=0) as one:
        yield one


@pytest.fixture(autouse=True)
def _others_see_nothing(server: Server, bystander: Client) -> Iterator[None]:
    """After each test connected clients are served, and so are new ones."""
    yield
    assert bystander.call("marks.add", {"text": "as if nothing had happened"}, timeout=10)["id"] > 0
    with RawClient(server.endpoint) as newcomer:
        assert newcomer.ask(action="system.ping")["ok"]


def undecodable(server: Server) -> int:
    """Messages that were dropped and counted, up to now."""
    return server.system.router.socket.counters.undecodable


def valid(server: Server, **more: Any) -> Map:
    """A request that is served."""
    token = server.tokens["acme"]
    params = {"text": "one"}
    request = {"id": "good", "tenant": "acme", "action": "marks.add", "token": token}
    return {**request, "params": params, **more}


def refused(server: Server, raw_client: RawClient, body: bytes) -> Map:
    """The one refusal that a body gets; the same connection is served afterwards."""
    before = undecodable(server)
    raw_client.send(body)
    reply = raw_client.receive()
    assert raw_client.until_ping() == []
    assert undecodable(server) == before
    assert reply["ok"] is False
    assert reply["error"]["code"] == "invalid_argument"
    return reply


def is_dropped(server: Server, raw_client: RawClient, *frames: bytes) -> bool:
    """Whether a message is counted and not answered; the same connection is served afterwards."""
    before = undecodable(server)
    raw_client.send(*frames)
    return raw_client.until_ping() == [] and undecodable(server) == before + 1


# ---------------------------------------------------------------- bodies with an id: answered


def padded(request: Map, length: int) -> bytes:
    """The request as msgpack, of exactly this length by a long text at its end."""
    text = "x" * (length - 200)
    missing = length - len(packed({**request, "params": {"text": text}}))
    body = packed({**request, "params": {"text": text + "x" * missing}})
    assert len(body) == length
    return body


def test_one_byte_over_the_limit_is_answered_and_at_the_limit_it_is_read(
    server: Server, raw_client: RawClient
) -> None:
    """What is read is refused for another reason: the text is longer than the action takes."""
    over = refused(server, raw_client, padded(valid(server), BODY_BYTES + 1))
    assert over["id"] == "good"
    assert "the body is longer than 65536 bytes" in over["error"]["message"]
    at = refused(server, raw_client, padded(valid(server), BODY_BYTES))
    assert at["error"]["details"][0]["field"] == "params.text"


def test_past_four_times_the_limit_the_connection_is_closed(
    server: Server, raw_client: RawClient
) -> None:
    """Up to there it is answered; ZeroMQ reconnects by itself."""
    assert refused(server, raw_client, padded(valid(server), 4 * BODY_BYTES))["id"] == "good"
    raw_client.send(padded(valid(server), 4 * BODY_BYTES + 1))
    raw_client.dropped()
    assert raw_client.ask(action="system.ping")["ok"]


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timeout": 5}, "timeout"),
        ({"v": 2}, "v"),
        ({"v": True}, "v"),
        ({"action": 7}, "action"),
        ({"action": "Marks.Add"}, "action"),
        ({"action": "marks..add"}, "action"),
        ({"action": "a" * 129}, "action"),
        ({"action": "../registry"}, "action"),
        ({"params": [1]}, "params"),
        ({"params": None}, "params"),
        ({"token": ["t"]}, "token"),
        ({"token": "t" * 513}, "token"),
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"timeout_ms": 1.5}, "timeout_ms"),
        ({"timeout_ms": "5000"}, "timeout_ms"),
        ({"timeout_ms": 600_001}, "timeout_ms"),
        ({"tenant": 5}, "tenant"),
        ({"params": {"text": 5}}, "params.text"),
        ({"params": {}}, "params.text"),
        ({"params": {"text": "one", "txt": "two"}}, "params.txt"),
        ({"params": {"text": "a\0b"}}, "params.text"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    server: Server, raw_client: RawClient, encoding: Encoding, change: Map, field: str
) -> None:
    """Also the fields of params, which the tenant checks."""
    reply = refused(server, raw_client, packed(valid(server, **change), encoding))
    assert reply["id"] == "good"
    assert reply["error"]["details"][0]["field"] == field


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "acme/../globex", "..", ".", "", "/etc/passwd", "ACME", "acme.db", "acme\n",
     "acme\\", "-acme", "a" * 64, "аcme", "acme%2f", "C:\\x"],
)  # fmt: skip
def test_a_tenant_named_like_a_path_reaches_no_file(
    server: Server, raw_client: RawClient, name: str
) -> None:
    """Nor does it make one."""
    data = server.system.settings.data
    before = sorted(data.parent.rglob("*"))
    reply = refused(server, raw_client, packed(valid(server, tenant=name)))
    assert reply["error"]["details"] == [
        {
            "field": "tenant",
            "problem": "must be a string of 1-63 of a-z, 0-9 and -, not beginning with -",
        }
    ]
    assert sorted(data.parent.rglob("*")) == before


def nested(levels: int, encoding: Encoding, token: str) -> bytes:
    """A body with that many maps inside each other, put together by hand."""
    fields = {"id": "deep", "action": "system.ping", "token": token, "params": 0}
    if encoding == "json":
        inside = b'{"a":' * levels + b"1" + b"}" * levels
        return json.dumps(fields).encode()[:-2] + inside + b"}"
    head = packed(fields)[:-1]
    return head + b"\x81\xa1a" * levels + b"\x01"


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
@pytest.mark.parametrize("levels", [16, 600, 10_000])
def test_deep_nesting_is_refused(
    server: Server, raw_client: RawClient, encoding: Encoding, levels: int
) -> None:
    """Whatever the depth, the id that stands before it is found."""
    reply = refused(server, raw_client, nested(levels, encoding, server.tokens["acme"]))
    assert reply["id"] == "deep"
    assert "nested deeper" in reply["error"]["message"]


def beginning(encoding: Encoding) -> bytes:
    """The beginning of a request, up to the value of its second field."""
    return b'{"id":"odd","action":' if encoding == "json" else b"\x82\xa2id\xa3odd\xa6action"


ODD = {
    "nan": (b"NaN}", struct.pack(">Bd", 0xCB, float("nan"))),
    "infinity": (b"Infinity}", struct.pack(">Bd", 0xCB, float("inf"))),
    "a number past a double": (b"1e999}", struct.pack(">Bf", 0xCA, float("-inf"))),
    "2**63": (b"9223372036854775808}", b"\xcf" + b"\x80" + bytes(7)),
    "400 digits": (b"9" * 400 + b"}", b"\xcf" + b"\xff" * 8),
    "binary": (b'"\\u0000"}', b"\xc4\x03abc"),
    "an extension": (b"undefined}", msgpack.packb(msgpack.ExtType(5, b"x"))),
    "a timestamp": (b"'system.ping'}", msgpack.packb(msgpack.Timestamp(1))),
    "a lone surrogate": (b'"\\ud800"}', b"\xa3\xed\xa0\x80"),
    "no utf-8": (b'"\xe9t\xe9"}', b"\xa3\xe9t\xe9"),
    "the same key twice": (b'"system.ping","id":"other"}', b"\xabsystem.ping\xa2id\xa1x"),
    "cut short": (b'"system.pi', b"\xabsystem.pi"),
    "more behind it": (b'"system.ping"}{}', b"\xabsystem.ping\x80"),
    "no value": (b"}", b""),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
@pytest.mark.parametrize("kind", ODD)
def test_a_value_that_no_body_may_hold_is_refused(
    server: Server, raw_client: RawClient, encoding: Encoding, kind: str
) -> None:
    """The id before it is found, and the reply has the request's encoding."""
    body = beginning(encoding) + ODD[kind][encoding == "msgpack"]
    if kind == "the same key twice" and encoding == "msgpack":
        body = b"\x83" + body[1:]
    raw_client.send(body)
    raw = raw_client.socket.recv()
    assert (raw[:1] == b"{") is (encoding == "json")
    reply = json.loads(raw) if encoding == "json" else msgpack.unpackb(raw)
    assert (reply["id"], reply["error"]["code"]) == ("odd", "invalid_argument")


# ---------------------------------------------------------------- bodies without one: counted


@pytest.mark.parametrize(
    "id",
    ["", "a" * 65, "tab\t", "line\n", "bell\x07", "nul\0", "delete\x7f", "größe", "\u202e", 7, None,
     True, ["good"], {"id": "good"}, 1.5],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_an_id_that_is_none_is_not_echoed(
    server: Server, raw_client: RawClient, encoding: Encoding, id: Any
) -> None:
    """A control character in an id would reach terminals and logs."""
    assert is_dropped(server, raw_client, packed(valid(server, id=id), encoding))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"\x80",
        b"\xc1",
        b"null",
        b"[]",
        b"\x93\x01\x02\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"<?xml version='1.0'?><id>good</id>",
        json.dumps({"id": "good", "action": "system.ping"}).encode("utf-16"),
        json.dumps({"id": "good", "action": "system.ping"}).encode("utf-16-le"),
        json.dumps({"id": "good", "action": "system.ping"}).encode("utf-32"),
        b"\xef\xbb\xbf" + json.dumps({"id": "good", "action": "system.ping"}).encode(),
        b" " + json.dumps({"id": "good", "action": "system.ping"}).encode(),
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\xa2id\xc4\x04good",
        b"\x81\xc4\x02id\xa4good",
        b"\x81" * 10_000,
        b'{"' * 10_000,
        bytes(BODY_BYTES),
    ],
)
def test_what_has_no_id_is_dropped_and_counted(
    server: Server, raw_client: RawClient, body: bytes
) -> None:
    """Nothing can be answered."""
    assert is_dropped(server, raw_client, body)


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize(
    "before",
    [[b"x"], [b"", b""], [b"x", b""], [b"", b"x"], [b""] * 5_000],
    ids=["a frame", "two empty", "a frame, an empty", "an empty, a frame", "five thousand"],
)
def test_frames_that_are_no_envelope_are_refused_where_the_last_has_an_id(
    server: Server, raw_client: RawClient, before: list[bytes]
) -> None:
    """Even if that last frame is a request that would have been served."""
    raw_client.send(*before, packed(valid(server)))
    (reply,) = raw_client.until_ping()
    assert (reply["id"], reply["error"]["code"]) == ("good", "invalid_argument")
    assert "one body frame" in reply["error"]["message"]
    assert is_dropped(server, raw_client, *before, b"no id")


@pytest.mark.parametrize("frames", [[b""], [b"", b""], [b"", b"", b""], [packed({"id": "a"}), b""]])
def test_empty_frames_are_dropped_and_counted(
    server: Server, raw_client: RawClient, frames: list[bytes]
) -> None:
    """The body is the last frame, and an empty one has no id."""
    assert is_dropped(server, raw_client, *frames)


def test_a_req_socket_gets_its_refusal_behind_the_delimiter(server: Server) -> None:
    """It could not read it otherwise, and would wait for ever."""
    with RawClient(server.endpoint, zmq.REQ) as raw_client:
        assert raw_client.ask(**valid(server, timeout=5))["error"]["code"] == "invalid_argument"
        assert raw_client.ask("json", **valid(server, id="again"))["ok"]


def test_a_req_socket_whose_message_has_no_id_is_counted(
    server: Server, raw_client: RawClient
) -> None:
    """It gets no answer; its owner closes it."""
    before = undecodable(server)
    with RawClient(server.endpoint, zmq.REQ) as other:
        other.send(b"no id")
        until(lambda: undecodable(server) == before + 1, "the message to be counted")


# ---------------------------------------------------------------- anything at all


def accounted(server: Server, raw_client: RawClient, messages: list[list[bytes]]) -> None:
    """Each message is answered once, by a reply that the page knows, or counted."""
    before = undecodable(server)
    for frames in messages:
        raw_client.send(*frames)
    replies = raw_client.until_ping()
    assert len(replies) + undecodable(server) - before == len(messages)
    assert all(reply["ok"] or reply["error"]["code"] in CODES for reply in replies)
    assert all(reply["ok"] or reply["error"]["code"] != "internal" for reply in replies)


@FEW
@given(st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=4), max_size=20))
def test_random_bytes_are_answered_or_counted(
    server: Server, raw_client: RawClient, messages: list[list[bytes]]
) -> None:
    """Each exactly once."""
    accounted(server, raw_client, messages)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = ["v", "id", "tenant", "action", "params", "token", "timeout_ms", "traceparent", "other"]


def as_msgpack(value: Any) -> bytes:
    """Whatever msgpack can say; integers it cannot become their text."""
    try:
        return packed(value)
    except (OverflowError, ValueError):
        return packed(str(value))


@FEW
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5), max_size=20))
def test_random_values_in_the_fields_of_a_request_are_answered_or_counted(
    server: Server, raw_client: RawClient, requests: list[Map]
) -> None:
    """The rest of each request is as it should be, and `system.ping` answers at once."""
    bodies = [
        as_msgpack({"id": "good", "action": "system.whoami", **request}) for request in requests
    ]
    accounted(server, raw_client, [[body] for body in bodies])


@FEW
@given(
    st.sampled_from(["msgpack", "json"]),
    st.integers(0, 200),
    st.integers(0, 200),
    st.binary(max_size=4),
)
def test_a_request_with_bytes_changed_is_answered_or_counted(
    server: Server, raw_client: RawClient, encoding: Encoding, at: int, length: int, instead: bytes
) -> None:
    """Cut short, too long, or with something else inside."""
    body = packed({"id": "good", "action": "system.describe", "params": {"limit": 1}}, encoding)
    changed = body[:at] + instead + body[at + length :]
    accounted(server, raw_client, [[changed], [body[:at]], [body + instead]])
