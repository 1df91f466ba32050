"""A tenant keeps the promises of docs/message-api.md, whatever its functions do."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from tests.conftest import Server
from transport.client import Client
from transport.errors import CallError

INDEX = Path(__file__).parents[3] / "faulty" / "registry.toml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("data"), registry=INDEX, threads=2, database_bytes=4 * 1024 * 1024
    )
    yield running
    running.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as one:
        yield one


def marks(client: Client, text: str | None = None) -> Any:
    return client.call("marks.count", {} if text is None else {"text": text})["count"]


def refused(client: Client, kind: str, **params: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        client.call("trouble.make", {"kind": kind, **params})
    return caught.value


def test_one_id_has_one_effect_and_the_same_reply_again(client: Client) -> None:
    first = client.request("marks.add", {"text": "once"}, id="once-1")
    again = client.request("marks.add", {"text": "once"}, id="once-1")
    assert again.result == first.result
    assert again.meta["replayed"] is True
    assert "replayed" not in first.meta
    assert marks(client, "once") == 1


def test_a_replay_comes_in_the_encoding_that_is_asked_for(server: Server, client: Client) -> None:
    first = client.call("marks.add", {"text": "both"}, id="both-1")
    with server.client(encoding="json") as other:
        assert other.call("marks.add", {"text": "both"}, id="both-1") == first


def test_the_same_id_with_other_content_is_refused(client: Client) -> None:
    client.call("marks.add", {"text": "mine"}, id="twice-1")
    with pytest.raises(CallError) as caught:
        client.call("marks.add", {"text": "yours"}, id="twice-1")
    assert caught.value.code == "invalid_argument"
    assert "twice-1" in caught.value.message
    assert marks(client, "yours") == 0


def test_ids_of_different_callers_do_not_meet(server: Server, client: Client) -> None:
    client.call("marks.add", {"text": "callers"}, id="shared-1")
    token = server.system.local.issue_token("acme", "member", "another caller").text
    with Client(server.endpoint, tenant="acme", token=token) as other:
        other.call("marks.add", {"text": "callers"}, id="shared-1")
    assert marks(client, "callers") == 2


@pytest.mark.parametrize(
    "kind", ["fail", "leave", "interrupt", "misshape", "return_list", "recurse", "commit"]
)
def test_a_defect_is_internal_and_leaves_no_effect(client: Client, kind: str) -> None:
    error = refused(client, kind)
    assert error.code == "internal"
    assert error.trace_id
    assert "secret" not in str(error)
    assert marks(client, kind) == 0


def test_an_expected_refusal_says_what_the_function_said(client: Client) -> None:
    error = refused(client, "refuse")
    assert error.code == "failed_precondition"
    assert error.user_message == "Please try tomorrow."
    assert marks(client, "refuse") == 0


@pytest.mark.parametrize("kind", ["refuse_unsendably", "refuse_endlessly", "refuse_without_words"])
def test_a_refusal_that_no_reply_can_hold_is_internal_for_its_message_alone(
    client: Client, kind: str
) -> None:
    """As a result that no reply can hold is; the tenant goes on, however often it comes."""
    for _ in range(4):
        assert refused(client, kind).code == "internal"
        assert client.call("marks.add", {"text": f"beside {kind}"})
    assert marks(client, kind) == 0


def test_a_refusal_whose_text_is_none_is_made_text(client: Client) -> None:
    error = refused(client, "refuse_with_a_number")
    assert (error.code, error.message, error.user_message) == ("failed_precondition", "404", "405")


def test_a_refused_request_may_be_sent_again_with_its_id(client: Client) -> None:
    for _ in range(2):
        with pytest.raises(CallError) as caught:
            client.call("trouble.make", {"kind": "refuse"}, id="refused-1")
        assert caught.value.code == "failed_precondition"


def test_a_read_that_wrote_is_rolled_back_and_internal(client: Client) -> None:
    with pytest.raises(CallError) as caught:
        client.call("trouble.read")
    assert caught.value.code == "internal"
    assert marks(client, "written by a read") == 0


def test_one_bad_message_of_a_turn_costs_the_others_nothing(client: Client) -> None:
    requests = [
        ("trouble.make", {"kind": "fail"}) if n % 5 == 2 else ("marks.add", {"text": "turn"})
        for n in range(100)
    ]
    handles = [client.submit(action, params) for action, params in requests]
    outcomes = [handle.reply() for handle in handles]
    assert sum(outcome.ok for outcome in outcomes) == 80
    assert marks(client, "turn") == 80


def test_a_statement_past_the_deadline_ends_and_costs_the_turn_nothing(
    server: Server, client: Client
) -> None:
    adding = {"action": "marks.add", "params": {"text": "deadline"}}
    endless = {"action": "trouble.make", "params": {"kind": "run_long"}, "timeout_ms": 300}
    replies = exchange(server, [*[adding] * 20, endless, *[adding] * 20])
    assert replies.pop(20)["error"]["code"] == "deadline_exceeded"
    assert all(reply["ok"] for reply in replies)
    assert marks(client, "deadline") == 40


def exchange(server: Server, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send all at once over a socket of its own; the replies in the order of the requests."""
    socket: zmq.Socket[bytes]
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.connect(server.endpoint)
        common = {"tenant": "acme", "token": server.tokens["acme"]}
        for number, request in enumerate(requests):
            socket.send(msgpack.packb({"id": f"{socket.fd}-{number}", **common, **request}))
        replies = [msgpack.unpackb(socket.recv()) for _ in requests]
    return sorted(replies, key=lambda reply: int(reply["id"].split("-")[1]))


def test_a_full_database_says_so_and_keeps_serving(client: Client) -> None:
    assert refused(client, "fill").code == "resource_exhausted"
    assert client.call("marks.add", {"text": "still serving"})


def test_a_function_cannot_hide_that_its_transaction_has_ended(client: Client) -> None:
    """Its reply is not stored either: sent again, it would say `ok` of what is not there."""
    for _ in range(2):
        with pytest.raises(CallError) as caught:
            client.call("trouble.make", {"kind": "swallow"}, id="swallowed-1")
        assert caught.value.code == "internal"
    assert marks(client, "swallow") == 0


def test_access_is_by_role(server: Server, client: Client) -> None:
    with pytest.raises(CallError) as caught:
        client.call("owners.only")
    assert caught.value.code == "permission_denied"
    owner = server.system.local.issue_token("acme", "owner", "an owner").text
    with Client(server.endpoint, tenant="acme", token=owner) as other:
        assert other.call("owners.only") == {}


def test_a_dummy_answers_to_be_implemented_with_an_example(client: Client) -> None:
    reply = client.request("marks.later", {"text": "soon"})
    assert reply.message == "to be implemented"
    assert reply.result == {"id": 7}
    assert reply.meta["state"] == "dummy"
    assert reply.meta["reason"] == "dummy"


def test_a_dummy_checks_its_params_like_the_real_thing(client: Client) -> None:
    with pytest.raises(CallError) as caught:
        client.call("marks.later", {"txt": "soon"})
    assert caught.value.code == "invalid_argument"
    assert any(problem.field.startswith("params") for problem in caught.value.details)


def test_other_tenants_go_on_while_a_function_blocks_every_thread(
    server: Server, tmp_path: Path
) -> None:
    pipes = [tmp_path / f"pipe-{n}" for n in range(4)]
    for pipe in pipes:
        os.mkfifo(pipe)
    names = [f"blocked-{n}" for n in range(4)]
    clients = []
    for name in names:
        server.add_tenant(name)
        clients.append(server.client(name))
        clients[-1].call("marks.count")  # connected, so that what follows is sent at once
    blocked = [
        client.submit("trouble.make", {"kind": "block", "path": str(pipe)})
        for client, pipe in zip(clients, pipes, strict=True)
    ]
    with server.client("globex") as other:
        assert other.call("marks.add", {"text": "not held up"})
    for pipe in pipes:
        opened = threading.Thread(target=pipe.write_bytes, args=[b"go on"])
        opened.start()
        opened.join(10)
    assert all(handle.reply().ok for handle in blocked)
    for client in clients:
        client.close()


def test_requests_of_one_client_begin_in_the_order_they_were_sent(client: Client) -> None:
    handles = [client.submit("marks.add", {"text": "order"}) for _ in range(300)]
    ids = [handle.result()["id"] for handle in handles]
    assert ids == sorted(ids)


def test_a_stored_reply_is_on_disk_when_the_client_has_it(server: Server, client: Client) -> None:
    client.call("marks.add", {"text": "on disk"}, id="disk-1")
    record = server.system.local.find_tenant("acme")
    assert record is not None
    path = server.system.settings.data / "tenants" / f"{record.id}.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
        found = reader.execute("SELECT count(*) FROM marks WHERE text = 'on disk'").fetchone()
    reader.close()
    assert found == (1,)


def test_the_same_work_for_two_tenants_stays_apart(server: Server, client: Client) -> None:
    client.call("marks.add", {"text": "acme's alone"})
    with server.client("globex") as other:
        assert marks(other, "acme's alone") == 0
