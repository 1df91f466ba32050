"""Replies as bytes: the fields of the page, in the encoding that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

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
from tests.wire import unpacked
from transport.codec import parse_reply
from transport.message import CODES, Encoding, Problem, Refusal

TABLE = RoutingTable.build(read_index(INDEX), "local-dev")


def asked(encoding: Encoding, id: str = "r-1") -> TenantRequest:
    """A request that came in this encoding."""
    return work(id, Watch())._replace(peer=Peer(b"peer", delimited=False, encoding=encoding))


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
    again = asked(asked_in)._replace(trace_id="a" * 32)
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
