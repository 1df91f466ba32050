"""The Router over real sockets: who is let in, where messages go, and what comes back at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest

from actors.messages import PublishAll
from actors.runtime.actor import Ping, ask
from actors.tenant.actor import Tenant
from tests.conftest import Server
from tests.pipe import Pipe
from tests.raw_client import Encoding, Map, RawClient

INDEX = Path(__file__).parents[2] / "faulty" / "registry.toml"

WAIT = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose mailboxes hold five messages."""
    running = Server(tmp_path_factory.mktemp("data"), registry=INDEX, mailbox=5)
    yield running
    running.stop()


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Server]:
    """A server that no one has talked to, with mailboxes of the usual size."""
    running = Server(tmp_path / "data", registry=INDEX)
    yield running
    running.stop()


@pytest.fixture
def raw_client(server: Server) -> Iterator[RawClient]:
    """A connection."""
    with RawClient(server.endpoint) as one:
        yield one


def member(server: Server, tenant: str = "acme", **more: Any) -> Map:
    """What every request of a tenant's member has."""
    return {"tenant": tenant, "token": server.tokens[tenant], **more}


def without_names(reply: Map) -> Map:
    """A reply but for what is different in every one."""
    assert len(reply["meta"]["trace_id"]) == 32
    return {**reply, "id": "", "meta": {**reply["meta"], "trace_id": ""}}


# ---------------------------------------------------------------- who is let in

REVOKED = "a token that was good"


def strangers(server: Server) -> list[Map]:
    """Requests that have no good token for the tenant they name, each for a reason of its own."""
    issued = server.system.local.issue_token("acme", "owner", REVOKED)
    server.system.local.ask("tokens.revoke", "acme", token=issued.id)
    revoked = issued.text
    unknown = "tnt_" + "x" * 43
    actions = ["marks.add", "marks.open", "owners.only", "no.such_action", "marks.ad"]
    return [
        {"action": action, "params": {"text": "in"}, **claim}
        for action in actions
        for claim in (
            {"tenant": "acme"},
            {"tenant": "acme", "token": ""},
            {"tenant": "acme", "token": unknown},
            {"tenant": "acme", "token": revoked},
            {"tenant": "acme", "token": server.tokens["globex"]},
            {"tenant": "globex", "token": server.tokens["acme"]},
            {"tenant": "nobody"},
            {"tenant": "nobody", "token": unknown},
            {"tenant": "nobody", "token": server.tokens["acme"]},
            {"tenant": "acme", "token": server.tokens["acme"][:-1]},
            {"tenant": "acme", "token": server.tokens["acme"] + " "},
            {"tenant": None},
            {},
        )
    ]


def test_whoever_has_no_good_token_hears_the_same_whatever_the_cause(roomy: Server) -> None:
    """Neither tenants, nor tokens, nor actions can be found by trying, while the tenant sleeps."""
    with RawClient(roomy.endpoint) as raw_client:
        replies = [without_names(raw_client.ask(**stranger)) for stranger in strangers(roomy)]
    assert replies[0]["error"]["code"] == "unauthenticated"
    assert [reply for reply in replies if reply != replies[0]] == []


def test_whoever_has_no_good_token_wakes_nobody_and_opens_nothing(roomy: Server) -> None:
    """No actor, no open file, no file beside the databases."""
    others = set(pykka.ActorRegistry.get_by_class(Tenant))
    directory = roomy.system.settings.data / "tenants"
    before = sorted(directory.iterdir())
    with RawClient(roomy.endpoint) as raw_client:
        for stranger in strangers(roomy):
            raw_client.ask(**stranger)
    ask(roomy.system.supervisor, Ping(), WAIT)  # whatever it was told by then is done
    assert set(pykka.ActorRegistry.get_by_class(Tenant)) == others
    assert open_files(directory) == []
    assert sorted(directory.iterdir()) == before


def open_files(directory: Path) -> list[str]:
    """What this process has open there."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [target for link in links if (target := target_of(link)).startswith(f"{directory}/")]


def target_of(link: Path) -> str:
    """Where a descriptor leads; nowhere where it was closed meanwhile."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def test_a_token_is_good_until_the_message_after_it_is_revoked(
    server: Server, raw_client: RawClient
) -> None:
    """Without a pause in between."""
    id, token = server.system.local.issue_token("acme", "member", "for a while")
    assert raw_client.ask(tenant="acme", token=token, action="marks.count")["ok"]
    server.system.local.ask("tokens.revoke", "acme", token=id)
    refused = raw_client.ask(tenant="acme", token=token, action="marks.count")
    assert refused["error"]["code"] == "unauthenticated"
    assert raw_client.ask(token=token, action="system.whoami")["error"]["code"] == "unauthenticated"


def test_a_public_action_needs_no_token_where_the_tenant_is_awake(
    server: Server, raw_client: RawClient
) -> None:
    """And gives none of the others away."""
    open_count = {"tenant": "acme", "action": "marks.open", "params": {"text": "public"}}
    raw_client.ask(**member(server), action="marks.add", params={"text": "public"})
    assert raw_client.ask(**open_count)["result"] == {"count": 1}
    for action in ("marks.count", "no.such_action", "marks.opn"):
        reply = raw_client.ask(tenant="acme", action=action)
        assert reply["error"]["code"] == "unauthenticated"
        assert "marks" not in reply["error"]["message"]


def test_a_bad_token_is_refused_even_where_none_is_needed(
    server: Server, raw_client: RawClient
) -> None:
    """A caller who sends one names a token, and is refused because it is not known."""
    reply = raw_client.ask(tenant="acme", action="marks.open", token="tnt_wrong")
    assert reply["error"]["code"] == "unauthenticated"
    assert (
        raw_client.ask(action="system.ping", token="tnt_wrong")["error"]["code"]
        == "unauthenticated"
    )


def test_an_unknown_action_is_not_found_with_the_nearest_that_the_caller_may_call(
    server: Server, raw_client: RawClient
) -> None:
    """A member is not told of what is for owners."""
    near = raw_client.ask(**member(server), action="marks.ad")["error"]
    assert near["code"] == "not_found"
    assert "marks.add" in near["message"]
    hidden = raw_client.ask(**member(server), action="owners.onl")["error"]
    assert hidden["code"] == "not_found"
    assert "owners.only" not in hidden["message"]
    owner = server.system.local.issue_token("acme", "owner", "an owner").text
    told = raw_client.ask(tenant="acme", token=owner, action="owners.onl")["error"]
    assert "owners.only" in told["message"]


def test_a_tenant_action_without_a_tenant_is_no_question_of_tokens(
    server: Server, raw_client: RawClient
) -> None:
    """Anyone who has a good token is told what is missing."""
    error = raw_client.ask(token=server.tokens["acme"], action="marks.count")["error"]
    assert error["code"] == "invalid_argument"
    assert error["details"][0]["field"] == "tenant"


# ---------------------------------------------------------------- load


@pytest.fixture
def blocked(server: Server, raw_client: RawClient, tmp_path: Path) -> Pipe:
    """The tenant acme serves a message that does not end until the pipe is released."""
    pipe = Pipe(tmp_path)
    raw_client.post(**member(server), action="trouble.make", params=pipe.params)
    pipe.reached()
    return pipe


def test_a_full_mailbox_refuses_at_once_and_keeps_what_it_has(
    server: Server, raw_client: RawClient, blocked: Pipe
) -> None:
    """The others' mailboxes have room."""
    text = {"text": "waiting"}
    waiting = [raw_client.post(**member(server), action="marks.add", params=text) for _ in range(5)]
    for _ in range(3):
        error = raw_client.ask(**member(server), action="marks.add", params=text)["error"]
        assert error["code"] == "resource_exhausted"
        assert error["retry_after_ms"] > 0
        assert "acme" in error["message"]
    assert raw_client.ask(**member(server, "globex"), action="marks.count")["ok"]
    blocked.release()
    replies = raw_client.replies(6)
    assert set(waiting) < set(replies)
    assert all(reply["ok"] for reply in replies.values())
    assert raw_client.ask(**member(server), action="marks.count", params=text)["result"] == {
        "count": 5
    }


def test_work_that_waits_longer_than_its_timeout_is_not_begun(
    server: Server, raw_client: RawClient, blocked: Pipe
) -> None:
    """Its neighbours in the mailbox are served."""
    add = member(server, action="marks.add")
    late = raw_client.post(**add, params={"text": "too late"}, timeout_ms=1)
    good = raw_client.post(**add, params={"text": "in time"})
    for _ in range(20):  # each takes some 0.2 ms, and so the one millisecond is over
        assert raw_client.ask(action="system.ping")["ok"]
    blocked.release()
    replies = raw_client.replies(3)
    assert replies[late]["error"]["code"] == "deadline_exceeded"
    assert "1 ms" in replies[late]["error"]["message"]
    assert replies[good]["ok"]
    count = raw_client.ask(**member(server), action="marks.count", params={"text": "too late"})
    assert count["result"] == {"count": 0}


def test_first_messages_past_the_mailbox_are_refused_and_none_is_lost(server: Server) -> None:
    """No one has ever written to this tenant; what waits for its address counts as well."""
    server.add_tenant("rushed")
    with RawClient(server.endpoint) as raw_client:
        sent = [
            raw_client.post(**member(server, "rushed"), action="marks.count") for _ in range(50)
        ]
        replies = raw_client.replies(50)
    assert set(replies) == set(sent)
    refused = [reply["error"] for reply in replies.values() if not reply["ok"]]
    assert {error["code"] for error in refused} <= {"resource_exhausted"}
    assert all(error["retry_after_ms"] > 0 for error in refused)


# ---------------------------------------------------------------- order


def test_first_messages_to_tenants_never_written_to_keep_their_order(roomy: Server) -> None:
    """Many at once, mixed, while each tenant is still being found and opened."""
    names = [f"new-{number}" for number in range(8)]
    for name in names:
        roomy.add_tenant(name)
    with RawClient(roomy.endpoint) as raw_client:
        sent = [
            (
                name,
                raw_client.post(
                    **member(roomy, name), action="marks.add", params={"text": "first"}
                ),
            )
            for _ in range(60)
            for name in names
        ]
        replies = raw_client.replies(len(sent))
    for name in names:
        made = [replies[id]["result"]["id"] for whose, id in sent if whose == name]
        assert made == list(range(1, 61))


def test_each_of_many_clients_keeps_its_order(roomy: Server) -> None:
    """To one tenant, each over a connection of its own."""
    raw_clients = [RawClient(roomy.endpoint) for _ in range(4)]
    fields = member(roomy, action="marks.add", params={"text": "ordered"})
    sent = {raw_client: [] for raw_client in raw_clients}  # type: dict[RawClient, list[str]]
    for _ in range(50):
        for raw_client in raw_clients:
            sent[raw_client].append(raw_client.post(**fields))
    for raw_client, ids in sent.items():
        replies = raw_client.replies(50)
        made = [replies[id]["result"]["id"] for id in ids]
        assert made == sorted(made)
        raw_client.close()


# ---------------------------------------------------------------- what needs no tenant

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_the_system_actions_answer_over_the_wire(
    server: Server, raw_client: RawClient, encoding: Encoding
) -> None:
    """In the encoding that asks."""
    token = server.tokens["acme"]
    pong = raw_client.ask(encoding, action="system.ping")
    assert (pong["result"]["pong"], pong["result"]["environment"]) == (True, "local-dev")
    me = raw_client.ask(encoding, action="system.whoami", token=token)["result"]
    assert (me["tenant"], me["role"]) == ("acme", "member")
    page = raw_client.ask(encoding, action="system.describe", token=token)["result"]
    names = {entry["name"] for entry in page["actions"]}
    assert {"marks.add", "system.ping"} <= names
    assert "owners.only" not in names
    stranger = raw_client.ask(encoding, action="system.describe")["result"]["actions"]
    public = {"marks.open", "system.describe", "system.origin", "system.ping"}
    assert {entry["name"] for entry in stranger} == public


def test_an_unknown_system_action_is_not_found(raw_client: RawClient) -> None:
    """Everybody may know which there are."""
    error = raw_client.ask(action="system.pong")["error"]
    assert error["code"] == "not_found"
    assert "system.ping" in error["message"]


@pytest.mark.parametrize("action", ["system.ping", "marks.count", "marks.missing", "trouble.make"])
def test_the_trace_id_of_the_caller_comes_back(
    server: Server, raw_client: RawClient, action: str
) -> None:
    """From the router and from the tenant, with results and with refusals."""
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    reply = raw_client.ask(**member(server), action=action, traceparent=parent)
    assert reply["meta"]["trace_id"] == TRACE


def test_without_a_trace_each_request_gets_one(raw_client: RawClient) -> None:
    """As W3C Trace Context spells them."""
    traces = {raw_client.ask(action="system.ping")["meta"]["trace_id"] for _ in range(20)}
    assert len(traces) == 20
    assert all(len(bytes.fromhex(trace)) == 16 for trace in traces)


# ---------------------------------------------------------------- stopping


def test_a_stopping_server_answers_what_it_took_and_refuses_the_rest(
    tmp_path: Path,
) -> None:
    """With `unavailable`, and when to come again; then everybody has left."""
    others = set(pykka.ActorRegistry.get_all())
    server = Server(tmp_path / "data", registry=INDEX)
    pipe = Pipe(tmp_path)
    with RawClient(server.endpoint) as raw_client:
        raw_client.post(**member(server, id="begun"), action="trouble.make", params=pipe.params)
        pipe.reached()
        taken = raw_client.post(**member(server), action="marks.add", params={"text": "taken"})
        assert raw_client.ask(action="system.ping")["ok"]
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        while (reply := raw_client.ask(action="system.ping"))["ok"]:
            pass
        for refused in (reply, raw_client.ask(**member(server, "globex"), action="marks.count")):
            assert refused["error"]["code"] == "unavailable"
            assert refused["error"]["retry_after_ms"] > 0
        pipe.release()
        replies = raw_client.replies(2)
        stopping.join(WAIT)
    assert not stopping.is_alive()
    assert replies["begun"]["ok"]
    assert replies[taken]["ok"]
    assert set(pykka.ActorRegistry.get_all()) == others


@pytest.mark.parametrize("attempt", range(2))
def test_first_messages_are_answered_although_the_server_stops_at_that_moment(
    tmp_path: Path, attempt: int
) -> None:
    """The router has taken them all, and their tenants are still being looked for."""
    server = Server(tmp_path / "data", registry=INDEX)
    names = [f"late-{number}" for number in range(10)]
    for name in names:
        server.add_tenant(name)
    with RawClient(server.endpoint) as raw_client:
        raw_client.ask(action="system.ping")
        sent = [
            raw_client.post(**member(server, name), action="marks.add", params={"text": "late"})
            for _ in range(20)
            for name in names
        ]
        ping = raw_client.post(action="system.ping")
        early: dict[str, Map] = {}
        while ping not in early:
            reply = raw_client.receive()
            early[reply["id"]] = reply
        server.stop()
        replies = {**early, **raw_client.replies(len(sent) + 1 - len(early))}
    assert set(replies) == {ping, *sent}
    codes = {reply["error"]["code"] for reply in replies.values() if not reply["ok"]}
    assert codes <= {"unavailable"}


# ------------------------------------------------------------------ a router that fails


def test_a_router_that_fails_takes_no_good_token_for_a_bad_one(server: Server) -> None:
    with server.client(retries=5) as client:
        for _ in range(2):  # each ends two incarnations; the sixth would end the system
            server.system.router.tell("no handler for this")
            assert client.call("marks.count")


def test_what_the_directory_does_not_name_any_more_is_gone(
    server: Server, raw_client: RawClient
) -> None:
    """A revocation whose message was lost with the Directory takes effect when that is back."""
    token = server.system.local.issue_token("acme", "member", "for a while").text
    assert raw_client.ask(token=token, action="system.whoami")["ok"]
    with sqlite3.connect(server.system.settings.data / "directory.db") as behind_its_back:
        behind_its_back.execute("UPDATE tokens SET revoked_at = 'now' WHERE label = 'for a while'")
    behind_its_back.close()
    server.system.actors.directory.tell(PublishAll(server.system.router))
    ask(server.system.actors.directory, Ping(), 10)
    ask(server.system.router, Ping(), 10)
    assert raw_client.ask(token=token, action="system.whoami")["error"]["code"] == "unauthenticated"
