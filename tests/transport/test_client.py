"""The client in ordinary code, against a real socket."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.auth import create_certificates

from tests.transport.peer import Peers, no, yes
from transport.bind import Security
from transport.client import AsyncClient, BaseClient, Client
from transport.curve import read_pair, read_public
from transport.errors import CallError, InvalidArgument, NoAnswer, NotFound, Unavailable, failure
from transport.message import CODES, Encoding, Problem, Refusal
from transport.validation import Limits


@pytest.fixture
def nowhere() -> str:
    """An address at which no process listens yet."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context.socket(zmq.ROUTER) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    context.term()
    return f"tcp://127.0.0.1:{port}"


def dropping(first: int) -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """Answers nothing to the first requests, then everything."""
    dropped: list[str] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        if len(dropped) < first:
            dropped.append(request["id"])
            return []
        return [yes(request)]

    return answer


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_call_brings_the_result(peers: Peers, encoding: Encoding) -> None:
    """The whole request arrives, and the result comes back."""
    peer = peers()
    with Client(peer.endpoint, tenant="acme", token="t_1", encoding=encoding) as client:
        assert client.call("contacts.add", {"name": "Zoë"}, timeout=5) == {
            "action": "contacts.add",
            "name": "Zoë",
        }
    seen = peer.next_seen()
    assert len(seen.pop("id")) == 32
    assert 4000 < seen.pop("timeout_ms") <= 5000
    assert seen == {
        "tenant": "acme",
        "action": "contacts.add",
        "params": {"name": "Zoë"},
        "token": "t_1",
    }


def test_a_call_may_have_its_own_tenant_token_and_id(peers: Peers) -> None:
    """One client serves a program that speaks for many."""
    peer = peers()
    with Client(peer.endpoint, tenant="acme", token="t_1") as client:
        client.call("contacts.get", tenant="globex", token="t_2", id="mine")
    seen = peer.next_seen()
    assert (seen["tenant"], seen["token"], seen["id"]) == ("globex", "t_2", "mine")


def test_a_request_brings_the_whole_reply(peers: Peers) -> None:
    """With the message for people and the meta."""
    peer = peers(lambda request: [{**yes(request), "message": "to be implemented"}])
    with Client(peer.endpoint) as client:
        reply = client.request("contacts.merge")
    assert reply.message == "to be implemented"
    assert reply.meta["version"] == 1


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_its_error(peers: Peers, code: str) -> None:
    """With everything that the server says about it."""
    details = [{"field": "params.email", "problem": "is no address"}]
    peer = peers(
        lambda request: [no(request, code, details=details, user_message="Sorry", retry_after_ms=9)]
    )
    with Client(peer.endpoint, retries=0) as client, pytest.raises(CallError) as caught:
        client.call("contacts.add", id="r-1")
    error = caught.value
    assert type(error).__name__.lower() == code.replace("_", "")
    assert error.code == code
    assert error.message == f"the {code} message"
    assert error.user_message == "Sorry"
    assert error.details == (Problem("params.email", "is no address"),)
    assert error.retry_after_ms == 9
    assert error.trace_id == "f" * 32
    assert error.id == "r-1"
    assert str(error) == f"{code}: the {code} message"


def test_a_code_of_the_future_is_an_error_all_the_same(peers: Peers) -> None:
    """A newer server may know more codes than this client."""
    peer = peers(lambda request: [no(request, "teapot")])
    with Client(peer.endpoint) as client, pytest.raises(CallError, match="teapot") as caught:
        client.call("contacts.add")
    assert type(caught.value) is CallError
    assert caught.value.code == "teapot"


def test_a_refusal_is_returned_where_the_whole_reply_is_asked_for(peers: Peers) -> None:
    """Nothing is raised that the caller wants to look at."""
    peer = peers(lambda request: [no(request, "not_found")])
    with Client(peer.endpoint) as client:
        reply = client.request("contacts.get")
    assert reply.error is not None
    assert reply.error.code == "not_found"


def test_errors_survive_a_process_pool() -> None:
    """They pickle, which exceptions with arguments of their own often do not."""
    error = failure(Refusal("not_found", "no contact 7", retry_after_ms=1), "r-1", "trace")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is NotFound
    assert vars(again) == vars(error)


def test_many_requests_are_under_way_at_a_time(peers: Peers) -> None:
    """Here the server answers only when it has all, and the last first."""
    held: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        held.insert(0, yes(request))
        return held if len(held) == 50 else []

    with Client(peers(answer).endpoint) as client:
        pending = [client.submit("contacts.get", {"n": n}) for n in range(50)]
        assert [each.done for each in pending] == [False] * 50
        replies = client.gather(*pending)
        assert [each.done for each in pending] == [True] * 50
    assert [reply.result["n"] for reply in replies if reply.result] == list(range(50))


def test_requests_arrive_in_the_order_they_were_made(peers: Peers) -> None:
    """Also those made before there was a connection."""
    peer = peers()
    with Client(peer.endpoint) as client:
        client.gather(*[client.submit("contacts.get", id=str(n)) for n in range(100)])
    assert [peer.next_seen()["id"] for _ in range(100)] == [str(n) for n in range(100)]


def test_a_silent_server_is_asked_again_with_the_same_id(peers: Peers) -> None:
    """Without the caller's doing."""
    peer = peers(dropping(2))
    with Client(peer.endpoint, timeout=3.5) as client:
        client.call("contacts.add", id="r-1")
    assert [peer.next_seen()["id"] for _ in range(3)] == ["r-1"] * 3


def test_a_timeout_names_the_id_to_try_again_with(peers: Peers) -> None:
    """It is both a CallError and a TimeoutError, and the client goes on."""
    peer = peers(dropping(1))
    with Client(peer.endpoint, retries=0) as client:
        with pytest.raises(TimeoutError) as caught:
            client.call("contacts.add", {"n": 1}, timeout=0.3)
        error = caught.value
        assert isinstance(error, NoAnswer)
        assert error.id == peer.next_seen()["id"]
        assert client.call("contacts.add", {"n": 1}, id=error.id)["n"] == 1
    assert peer.next_seen()["id"] == error.id


def test_late_and_repeated_replies_are_ignored(peers: Peers) -> None:
    """A reply belongs to the request with its id, and to no other."""
    held: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        held.append(yes(request))
        return [] if len(held) == 1 else [held[0], held[-1], held[-1]]

    with Client(peers(answer).endpoint, retries=0) as client:
        with pytest.raises(NoAnswer):
            client.call("contacts.get", {"n": 1}, timeout=0.3)
        assert client.call("contacts.get", {"n": 2})["n"] == 2
        assert client.call("contacts.get", {"n": 3})["n"] == 3


def test_a_server_that_asks_for_patience_gets_it(peers: Peers) -> None:
    """The caller sees the result only; the id is the same each time."""
    refused: list[str] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        if len(refused) < 2:
            refused.append(request["id"])
            return [no(request, "unavailable", retry_after_ms=1)]
        return [yes(request)]

    peer = peers(answer)
    with Client(peer.endpoint) as client:
        client.call("contacts.add")
    assert {peer.next_seen()["id"] for _ in range(3)} == set(refused)


def test_a_server_that_stays_unavailable_is_the_callers_error(peers: Peers) -> None:
    """When its timeout leaves no time to ask again, with what the server said last."""
    peer = peers(lambda request: [no(request, "unavailable", retry_after_ms=400)])
    with Client(peer.endpoint, timeout=1.0) as client, pytest.raises(Unavailable) as caught:
        client.call("contacts.add")
    assert caught.value.retry_after_ms == 400
    assert peer.next_seen()["id"] == peer.next_seen()["id"]


def test_a_restarted_server_is_asked_for_what_is_unanswered(peers: Peers) -> None:
    """With the same ids, in the same order, long before any timeout."""
    first = peers(lambda request: [yes(request)] if request["action"] == "system.ping" else [])
    with Client(first.endpoint, timeout=50, retries=0) as client:
        client.call("system.ping")
        pending = [client.submit("contacts.add", {"n": n}, id=f"r-{n}") for n in range(3)]
        assert [first.next_seen()["action"] for _ in range(4)][1:] == ["contacts.add"] * 3
        first.stop()
        second = peers(endpoint=first.endpoint)
        assert [each.result()["n"] for each in pending] == [0, 1, 2]
        assert [second.next_seen()["id"] for _ in range(3)] == ["r-0", "r-1", "r-2"]


def test_a_server_that_comes_later_is_waited_for(peers: Peers, nowhere: str) -> None:
    """Starting the client first is no mistake."""
    with Client(nowhere) as client:
        pending = client.submit("system.ping")
        peers(endpoint=nowhere)
        assert pending.result()


def test_what_was_given_up_does_not_run_later(peers: Peers, nowhere: str) -> None:
    """A request that never left is not delivered behind its caller's back."""
    with Client(nowhere) as client:
        with pytest.raises(NoAnswer):
            client.call("contacts.add", id="given-up", timeout=0.05)
        peer = peers(endpoint=nowhere)
        client.call("contacts.add", id="wanted")
    assert peer.next_seen()["id"] == "wanted"
    assert peer.seen.empty()


@pytest.mark.parametrize(
    ("action", "params", "options", "field"),
    [
        ("Not An Action", {}, {}, "action"),
        ("contacts.add", {}, {"id": "a\nb"}, "id"),
        ("contacts.add", {}, {"tenant": "../acme"}, "tenant"),
        ("contacts.add", {"photo": b"binary"}, {}, "params.photo"),
        ("contacts.add", {"n": float("nan")}, {}, "params.n"),
        ("contacts.add", {"text": "x" * 300_000}, {}, ""),
    ],
)
def test_what_is_no_request_is_not_sent(
    peers: Peers, action: str, params: dict[str, Any], options: dict[str, Any], field: str
) -> None:
    """The error is the one that the server would have given, with the field named."""
    peer = peers()
    with Client(peer.endpoint) as client:
        with pytest.raises(InvalidArgument) as caught:
            client.call(action, params, **options)
        assert [detail.field for detail in caught.value.details] == [field]
        client.call("system.ping")
    assert peer.next_seen()["action"] == "system.ping"


def test_a_server_with_larger_limits_is_sent_larger_requests(peers: Peers) -> None:
    """If the client was given them."""
    peer = peers(limits=Limits(body_bytes=1024**2))
    with Client(peer.endpoint, limits=Limits(body_bytes=1024**2)) as client:
        assert client.call("contacts.add", {"text": "x" * 300_000})


def test_an_id_under_way_is_not_taken_twice(peers: Peers) -> None:
    """Two answers under one id could not be distinguished."""
    with Client(peers(dropping(99)).endpoint) as client:
        client.submit("contacts.add", id="r-1")
        with pytest.raises(ValueError, match="under way"):
            client.submit("contacts.add", id="r-1")


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_client_used_after_a_fork_says_so(peers: Peers, client: type[BaseClient]) -> None:
    """The child has the socket's memory and not its threads; the parent's client goes on."""
    parents = client(peers().endpoint)
    words = _in_a_child(lambda: parents._start("system.ping", None, {}))
    assert words == (
        f"ValueError: the client was made by process {os.getpid()} and belongs to it: "
        "make a new one after a fork"
    )
    parents._socket.close()


def test_waiting_in_a_child_for_what_the_parent_asked_says_so(peers: Peers) -> None:
    """It would wait for ever: the answer comes to the parent."""
    with Client(peers(dropping(1)).endpoint) as client:
        pending = client.submit("contacts.add", timeout=20)
        assert "make a new one after a fork" in _in_a_child(pending.result)
        assert client.call("system.ping")


def test_a_child_may_have_a_client_of_its_own(peers: Peers) -> None:
    """Even if the parent has one."""
    peer = peers()
    with Client(peer.endpoint) as client:
        client.call("system.ping")
        assert _in_a_child(lambda: Client(peer.endpoint).call("contacts.get", timeout=20)) == "done"
        assert client.call("system.ping")


def _in_a_child(act: Callable[[], object]) -> str:
    """What a forked child says of it: "done", or the error's class and words."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            act()
            said = "done"
        except BaseException as error:  # noqa: BLE001 - the parent asks for it
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as end:
        words = end.read()
    os.waitpid(child, 0)
    return words


def test_an_empty_token_is_sent(peers: Peers) -> None:
    """The client's own token is not used in its place: the server decides what no token may do."""
    peer = peers()
    with Client(peer.endpoint, token="t_1") as client:
        client.call("system.whoami", token="")
    assert peer.next_seen()["token"] == ""


@pytest.mark.parametrize("option", ["tenant", "id"])
def test_an_empty_name_is_refused(peers: Peers, option: str) -> None:
    """The client's own tenant, or an id of its making, is not used in its place."""
    with (
        Client(peers().endpoint, tenant="acme") as client,
        pytest.raises(InvalidArgument) as refusal,
    ):
        client.call("system.whoami", **{option: ""})  # type: ignore[arg-type]
    assert [detail.field for detail in refusal.value.details] == [option]


def test_no_time_at_all_is_not_the_clients_own_time(peers: Peers) -> None:
    """A timeout of 0 ends at once."""
    with Client(peers(dropping(99)).endpoint, timeout=600) as client, pytest.raises(NoAnswer):
        client.call("contacts.get", timeout=0)


def test_an_endpoint_that_is_none_is_refused_at_once() -> None:
    """Not after a timeout."""
    with pytest.raises(ValueError, match="cannot connect to 'localhost'"):
        Client("localhost")


def test_a_closed_client_says_so(peers: Peers) -> None:
    """What was under way ends, and nothing new begins; closing twice is fine."""
    client = Client(peers(dropping(99)).endpoint)
    pending = client.submit("contacts.add")
    client.close()
    client.close()
    with pytest.raises(NoAnswer, match="closed"):
        pending.result()
    with pytest.raises(ValueError, match="closed"):
        client.call("system.ping")


def test_a_client_with_an_admitted_key_is_served(peers: Peers, tmp_path: Path) -> None:
    """Keys come from certificate files on both sides."""
    security, server_key = guarded(tmp_path)
    peer = peers(security=security)
    keys = read_pair(tmp_path / "clients" / "ada.key_secret")
    with Client(peer.endpoint, server_key=server_key, keys=keys) as client:
        assert client.call("system.ping")


def test_a_client_whose_key_is_unknown_learns_why_nothing_comes(
    peers: Peers, tmp_path: Path
) -> None:
    """A wrong key looks like silence on the wire; the error does not leave it at that."""
    security, server_key = guarded(tmp_path)
    peer = peers(security=security)
    with (
        Client(peer.endpoint, server_key=server_key, timeout=2.0) as client,
        pytest.raises(NoAnswer, match="does not admit this client's CURVE key"),
    ):
        client.call("system.ping")
    assert peer.seen.empty()


def guarded(directory: Path) -> tuple[Security, bytes]:
    """A server's security that admits one client, and the server's public key."""
    (directory / "clients").mkdir()
    create_certificates(directory, "server")
    create_certificates(directory / "clients", "ada")
    for secret in directory.rglob("*.key_secret"):
        secret.chmod(0o600)
    security = Security.from_files(directory / "server.key_secret", directory / "clients")
    return security, read_public(directory / "server.key")
