"""Replies as bytes: the fields of the page, in the encoding that was asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.index.parser import read_index
from actors.messages import Peer, Replies, TenantRequest
from actors.replies import (
    INTERNAL_REFUSAL,
    encode_refusal,
    encode_result,
    encode_stored,
    new_trace_id,
    refusal_bytes,
    send_refusal,
)
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from tests.actors.mailbox_harness import Watch
from tests.actors.servers import INDEX
from tests.actors.tenant_messages import work
from tests.raw_client import unpacked
from transport import codec
from transport.codec import EncodeError, parse_reply
from transport.message import CODES, Encoding, Problem, Refusal

TABLE = RoutingTable.build(read_index(INDEX), "local-dev")


def asked(encoding: Encoding, id: str = "r-1") -> TenantRequest:
    """A request that came in this encoding."""
    return replace(work(id, Watch()), peer=Peer(b"peer", delimited=False, encoding=encoding))


def route() -> Route:
    """Of an action with one version."""
    return TABLE.find("marks.add")


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_success_has_the_fields_of_the_page_and_no_others(encoding: Encoding) -> None:
    """A message for people only where there is one."""
    assert unpacked(encode_result(asked(encoding), route(), {"id": 7})) == {
        "v": 1,
        "id": "r-1",
        "ok": True,
        "result": {"id": 7},
        "meta": {"version": 1, "state": "release", "reason": "newest", "trace_id": "0" * 32},
    }
    dummy = unpacked(encode_result(asked(encoding), route(), {"id": 7}, "to be implemented"))
    assert dummy["message"] == "to be implemented"


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_refusal_leaves_out_what_there_is_not(encoding: Encoding) -> None:
    """And carries all that there is."""
    bare = unpacked(refusal_bytes("r-1", Refusal("internal", "why"), "f" * 32, encoding))
    assert bare == {
        "v": 1,
        "id": "r-1",
        "ok": False,
        "error": {"code": "internal", "message": "why"},
        "meta": {"trace_id": "f" * 32},
    }
    refusal = Refusal("unavailable", "why", "Later.", (Problem("params.a", "odd"),), 100)
    full = parse_reply(refusal_bytes("r-1", refusal, "f" * 32, encoding))
    assert full.error == refusal


@pytest.mark.parametrize("asked_in", ["msgpack", "json"])
@pytest.mark.parametrize("stored_in", ["msgpack", "json"])
def test_a_replay_is_the_stored_reply_marked_and_traced_anew(
    stored_in: Encoding, asked_in: Encoding
) -> None:
    """In the encoding of the second request; version and reason are those of the first."""
    stored = encode_result(asked(stored_in), route(), {"id": 7})
    again = replace(asked(asked_in), trace_id="a" * 32)
    body = encode_stored(again, stored)
    assert (body[:1] == b"{") is (asked_in == "json")
    first, second = unpacked(stored), unpacked(body)
    meta = {**first["meta"], "replayed": True, "trace_id": "a" * 32}
    assert second == {**first, "meta": meta}


@pytest.mark.parametrize(
    "result",
    [
        {"rows": ["x" * 1000] * 1000},
        {"rows": list(range(5_000))},
        {"rows": [[number] for number in range(30_000)]},
        {f"field {number}": number for number in range(500)},
    ],
    ids=["longer", "a longer array", "more values", "a larger map"],
)
def test_a_reply_larger_than_any_request_can_be_replayed(result: dict[str, Any]) -> None:
    """Replies have limits of their own."""
    stored = encode_result(asked("msgpack"), route(), result)
    assert unpacked(encode_stored(asked("json"), stored))["result"] == result


texts = st.sampled_from(["", "a", "é", "\0", "\ud800", "x" * 40_000]) | st.text(max_size=3)
scalars = (
    texts
    | st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 300, 2**31, -(2**63), 2**63 - 1, 2**63, 2**64, 1.5, float("nan")])
    | st.sampled_from([b"", b"a", (), Decimal(1), {1: 1}, OrderedDict(a=1), MappingProxyType({})])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner, max_size=16)
    ),
    max_leaves=20,
)
results = st.dictionaries(texts | st.none(), values, max_size=17)
ids = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64)


def outcome(encode: Callable[[], bytes]) -> object:
    """The bytes, or why there are none."""
    try:
        return encode()
    except EncodeError as error:
        return error.problem


@given(result=results | results.map(OrderedDict) | results.map(MappingProxyType), id=ids)
@example(result={str(n): {} for n in range(17)}, id="r-1")
@example(result={"a": {"b": [float(n) for n in range(100_001)]}}, id="r-1")
def test_a_success_is_what_the_codec_makes_of_the_whole(result: Any, id: str) -> None:
    """Its beginning and end are packed once: bytes and errors are the same, whatever the result."""
    request = asked("msgpack", id)
    meta = {**route().meta, "trace_id": request.trace_id}
    whole = {"v": 1, "id": id, "ok": True, "result": result, "meta": meta}

    made = outcome(lambda: encode_result(request, route(), result))

    assert made == outcome(lambda: codec.encode(whole, "msgpack"))


def test_a_plain_success_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor packed as a whole: its bytes prove enough."""
    expected = encode_result(asked("msgpack"), route(), {"id": 7, "name": "Ada"})
    for name in ("encode", "check_limits"):
        monkeypatch.setattr(codec, name, None)
    assert encode_result(asked("msgpack"), route(), {"id": 7, "name": "Ada"}) == expected


def test_a_success_of_another_version_has_its_own_meta() -> None:
    """Also where the same request is answered again."""
    for meta in ({"version": 2, "state": "dummy"}, {**route().meta, "replayed": True}):
        body = encode_result(asked("msgpack"), replace(route(), meta=meta), {})
        assert unpacked(body)["meta"] == {**meta, "trace_id": "0" * 32}


def test_a_refusal_goes_back_where_the_request_came_from() -> None:
    """With its peer, so that the router knows the way."""
    outlet = Watch()
    request = work("r-1", outlet)
    send_refusal(request, INTERNAL_REFUSAL)
    sent = outlet.hear()
    assert isinstance(sent, Replies)
    assert sent.frames == [(request.peer, encode_refusal(request, INTERNAL_REFUSAL))]
    assert INTERNAL_REFUSAL.code in CODES


def test_trace_ids_are_32_hexadecimal_digits_and_none_comes_twice() -> None:
    """As W3C Trace Context has them."""
    made = {new_trace_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in made)
