"""Deliveries from end to end: on a real server, over stops and starts, and as its people see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from actors.access import ADMIN_OWNER, DEVELOPER, OWNER
from actors.admin.messages import PurgeExpired
from actors.errors import NotSubscribed, Unavailable
from actors.messages import CallConnector
from actors.runtime.futures import resolve, resolve_with_error
from tests.actors.callers import Being, MovableClock, Stage
from tests.actors.mailbox_harness import Watch
from tests.actors.servers import Servers, path_of, request
from tests.actors.tenant.outbox_harness import INDEX
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient


@pytest.fixture
def post() -> Watch:
    """The connector `post` of every server of the test, which is the test itself."""
    return Watch()


class Senders(Servers):
    """Servers on one data directory, of whose tenants acme and globex may send."""

    def __init__(self, data: Path, post: Watch) -> None:
        super().__init__(data)
        self._post = post

    def __call__(self, **given: Any) -> Server:
        """A server; the one before has stopped."""
        given = {"drain_seconds": 0.1, "connectors": {"post": self._post}, **given}
        server = super().__call__(**given)
        subscribe(server)
        return server


def subscribe(server: Server) -> None:
    """Let acme and globex use what sends."""
    for tenant in ("acme", "globex"):
        server.system.local.ask("subscriptions.set", tenant, connector="post")


@pytest.fixture
def serve(tmp_path: Path, post: Watch) -> Iterator[Servers]:
    """Makes servers."""
    servers = Senders(tmp_path / "data", post)
    yield servers
    servers.stop()


def send(server: Server, tenant: str = "acme", **params: object) -> str:
    """A member has a parcel sent; its key."""
    with RawClient(server.endpoint) as raw_client:
        reply = raw_client.ask(**request(server, tenant, "parcels.send", **{"name": "a", **params}))
    assert reply["ok"], reply
    return str(reply["result"]["key"])


def count(server: Server, tenant: str = "acme") -> Map:
    """Parcels that were sent, and those with an outcome."""
    with RawClient(server.endpoint) as raw_client:
        found: Map = raw_client.ask(**request(server, tenant, "parcels.count"))["result"]
    return found


def accept(message: CallConnector) -> None:
    """As a peer that is well."""
    resolve(message.reply_to, {"receipt": "thanks"})


def test_what_was_sent_is_delivered_and_heard_of(serve: Servers, post: Watch) -> None:
    """The line in the tenant's log says that the engine called, in the sender's trace."""
    server = serve(registry=INDEX)
    key = send(server)
    message: CallConnector = post.hear()
    assert (message.key, message.tenant.name) == (key, "acme")
    accept(message)
    until(lambda: count(server)["heard"] == 1, "the outcome to arrive")

    def lines() -> list[Map]:
        found: list[Map] = server.system.local.ask("logs.tenant", "acme", action="parcels.heard")[
            "lines"
        ]
        return found

    until(lines, "its line in the log")
    (line,) = lines()
    assert (line["caller"], line["role"], line["request_id"]) == ("outbox", "machine", key)
    assert (line["outcome"], line["trace_id"]) == ("ok", message.trace_id)


def test_a_start_delivers_what_was_left_without_anybody_asking(
    serve: Servers, post: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same key. A tenant with nothing in its outbox sleeps on."""
    monkeypatch.setattr("actors.tenant.outbox.waker.SCAN_EVERY", 1)
    server = serve(registry=INDEX)
    key = send(server)
    count(server, "globex")
    assert post.hear().key == key
    server = serve(registry=INDEX)
    message = post.hear()
    assert message.key == key
    accept(message)
    until(lambda: count(server)["heard"] == 1, "the outcome to arrive")
    assert not path_of(server, "globex").with_suffix(".db-wal").exists()


def test_a_suspended_tenant_sends_when_it_is_resumed(serve: Servers, post: Watch) -> None:
    """Without a call to the tenant."""
    server = serve(registry=INDEX)
    ask = server.system.local.ask
    first = send(server, then="")
    held: CallConnector = post.hear()
    ask("tenants.suspend", "acme", reason="unpaid")
    resolve_with_error(held.reply_to, NotSubscribed("unpaid"))
    until(lambda: ask("connectors.dead", "acme")["deliveries"], "it to be given up")
    assert ask("connectors.retry", "acme", connector="post") == {"deliveries": 1}
    with pytest.raises(Empty):
        post._news.get(timeout=0.3)
    ask("tenants.resume", "acme")
    assert post.hear().key == first


def test_a_deleted_tenant_leaves_no_marker(serve: Servers, post: Watch) -> None:
    """Its outbox is in its last backup."""
    server = serve(registry=INDEX)
    send(server)
    post.hear()
    markers = server.system.settings.data / "outbox"
    assert len(list(markers.iterdir())) == 1
    server.system.local.ask("tenants.delete", "acme", reason="over", grace_days=0)
    server.system.actors.directory.tell(PurgeExpired())
    until(lambda: not list(markers.iterdir()), "the tenant to be gone")


class TestPeople:
    """What owners and developers see."""

    @pytest.fixture
    def stage(self, tmp_path: Path, post: Watch) -> Iterator[Stage]:
        clock = MovableClock()
        given: Map = {"registry": INDEX, "drain_seconds": 0.1, "connectors": {"post": post}}
        server = Server(tmp_path / "data", clock=clock, **given)
        subscribe(server)
        made = Stage(server, clock)
        yield made
        made.close()
        server.stop()

    def ask(self, stage: Stage, being: Being, action: str, **params: object) -> Map:
        """One order about acme."""
        return stage.call("admin", stage.make(being).text, "acme", action, params)

    def test_owners_with_the_area_see_params_and_developers_do_not(
        self, stage: Stage, post: Watch
    ) -> None:
        send(stage.server, name="a secret")
        resolve_with_error(post.hear().reply_to, Unavailable("a secret is not to be repeated"))
        wanted = "connectors.outbox"

        def error(being: Being) -> str | None:
            (shown,) = self.ask(stage, being, wanted)["result"]["deliveries"]
            found: str | None = shown["last_error"]
            return found

        until(lambda: "a secret" in str(error(Being(ADMIN_OWNER))), "the error to be written down")
        for being in (Being(ADMIN_OWNER), Being(OWNER, areas=frozenset({"subscriptions"}))):
            (shown,) = self.ask(stage, being, wanted)["result"]["deliveries"]
            assert shown["params"] == {"name": "a secret"}
            assert shown["state"] == "waiting"
        (shown,) = self.ask(stage, Being(DEVELOPER), wanted)["result"]["deliveries"]
        assert (shown["params"], error(Being(DEVELOPER))) == (None, "unavailable")
        assert shown["operation"] == "post.deliver"
        refused = self.ask(stage, Being(OWNER), wanted)
        assert refused["error"]["code"] == "permission_denied"

    def test_dead_ones_are_listed_page_by_page_and_sent_again_one_by_one(
        self, stage: Stage, post: Watch
    ) -> None:
        keys = [send(stage.server, then="") for _ in range(3)]
        for _ in keys:
            resolve_with_error(post.hear().reply_to, NotSubscribed("no"))
        owner = Being(ADMIN_OWNER)

        def dead(**params: object) -> Map:
            found: Map = self.ask(stage, owner, "connectors.dead", **params)["result"]
            return found

        until(lambda: len(dead()["deliveries"]) == 3, "all to be given up")
        page = dead(limit=2)
        rest = dead(limit=2, after=page["next"])
        shown = [each["key"] for each in (*page["deliveries"], *rest["deliveries"])]
        assert shown == keys
        assert rest["next"] is None
        assert dead(connector="mail")["deliveries"] == []

        id_ = page["deliveries"][0]["id"]
        again = self.ask(stage, owner, "connectors.retry", id=id_)
        assert again["result"] == {"deliveries": 1}
        message = post.hear()
        assert message.key == keys[0]
        refused = self.ask(stage, owner, "connectors.retry", id=id_)
        assert refused["error"]["code"] == "not_found"
        for params in ({}, {"id": id_, "connector": "post"}):
            refused = self.ask(stage, owner, "connectors.retry", **params)
            assert refused["error"]["code"] == "invalid_argument"
