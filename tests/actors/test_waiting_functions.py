"""Functions that wait, on a real server: real sockets, a real Clock, kills, stops and evictions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.actors.servers import INDEX, Servers, path_of, request
from tests.child import Child
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient

LONG = 500.0
"""Seconds of a sleep that no test waits for."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    """Makes servers, and stops the last at the end of the test."""
    servers = Servers(tmp_path / "data")
    yield servers
    servers.stop()


def slowly(server: Server, tenant: str = "acme", **params: object) -> Map:
    """A request that writes, sleeps, and writes again."""
    return {
        **request(server, tenant, "marks.slowly", **{"text": "slow", **params}),
        "timeout_ms": 600_000,
    }


def marks(path: Path) -> int:
    """How many are committed."""
    with closing(sqlite3.connect(path)) as reader:
        return int(reader.execute("SELECT count(*) FROM marks WHERE text = 'slow'").fetchone()[0])


def begun(server: Server, tenant: str = "acme", count: int = 1) -> None:
    """Wait until so many first stretches are committed."""
    path = path_of(server, tenant)
    until(lambda: marks(path) == count, "a first stretch on disk")


def test_functions_sleep_while_others_are_served(serve: Servers) -> None:
    """Fifty of them at once, on four threads; a read does not wait for any."""
    server = serve()
    with RawClient(server.endpoint) as raw_client:
        sent = [raw_client.post(**slowly(server, times=3, seconds=0.01)) for _ in range(50)]
        read = raw_client.post(**request(server, "acme", "marks.watch"))
        replies = raw_client.replies(51)
        assert all(replies[id_]["result"]["ids"] for id_ in sent)
        assert replies[read]["result"]["after"] >= replies[read]["result"]["before"]
        again = raw_client.ask(**{**slowly(server, times=3, seconds=0.01), "id": sent[0]})
        assert again["result"] == replies[sent[0]]["result"]
        assert again["meta"]["replayed"] is True
    assert marks(path_of(server, "acme")) == 200


def test_a_sleep_that_would_outlast_the_deadline_is_refused_at_once(serve: Servers) -> None:
    """The function may catch that; this one does not."""
    server = serve()
    with RawClient(server.endpoint) as raw_client:
        late = {**slowly(server, seconds=30.0), "timeout_ms": 1000}
        error = raw_client.ask(**late)["error"]
    assert error["code"] == "deadline_exceeded"
    assert "one step of it was committed" in error["message"]


def test_the_log_has_one_line_that_says_how_long_it_took(serve: Servers) -> None:
    """From its beginning to its reply, waits included."""
    server = serve()
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**slowly(server, times=2, seconds=0.05))["ok"]
    ask = partial(server.system.local.ask, "logs.tenant", "acme", action="marks.slowly")
    until(lambda: ask()["lines"], "a line")
    lines = ask()["lines"]
    assert len(lines) == 1
    assert lines[0]["handled_ms"] >= 100


def test_a_stopping_server_gives_sleepers_their_time_and_no_more(serve: Servers) -> None:
    """Who ends in time is answered; others receive what is on disk, and the next server says the same."""
    server = serve(drain_seconds=0.5)
    with RawClient(server.endpoint) as raw_client:
        short = raw_client.post(**slowly(server, seconds=0.2))
        long = {**slowly(server, seconds=LONG), "id": "long"}
        raw_client.post(**long)
        begun(server, count=2)
        began = time.monotonic()
        serve.stop()
        took = time.monotonic() - began
        replies = raw_client.replies(2)
    assert replies[short]["ok"]
    error = replies["long"]["error"]
    assert error["code"] == "unavailable"
    assert "one step of it was committed" in error["message"]
    assert 0.5 <= took < 5.0
    server = serve()
    with RawClient(server.endpoint) as raw_client:
        again = raw_client.ask(**long)
    assert again["error"] == error
    assert again["meta"]["replayed"] is True
    assert marks(path_of(server, "acme")) == 3


def test_a_server_killed_between_two_stretches_leaves_the_mark(tmp_path: Path) -> None:
    """The next one says what is on disk, does not run it again, and runs what had nothing on disk."""
    data = tmp_path / "data"
    with Child("--tenant", "acme", data=data, registry=INDEX) as child:
        endpoint = child.ready()
        who: Map = {"tenant": "acme", "token": child.said[0].split()[-1], "timeout_ms": 600_000}
        add: Map = {**who, "action": "marks.slowly", "id": "cut"}
        add["params"] = {"text": "slow", "seconds": LONG}
        with RawClient(endpoint) as raw_client:
            raw_client.post(**add)
            count: Map = {**who, "action": "marks.count", "params": {"text": "slow"}}
            until(lambda: raw_client.ask(**count)["result"] == {"count": 1}, "the first stretch")
            busy = raw_client.ask(**add)["error"]
            assert (busy["code"], busy["retry_after_ms"] > 0) == ("unavailable", True)
        child.process.kill()
    with Child(data=data, registry=INDEX) as child, RawClient(child.ready()) as raw_client:
        for _ in range(2):
            error = raw_client.ask(**add)["error"]
            assert error["code"] == "aborted"
            assert "one step of it was committed, at 20" in error["message"]
        assert raw_client.ask(**count)["result"] == {"count": 1}
        quick = {**add, "id": "quick", "params": {"text": "slow", "seconds": 0.01}}
        assert raw_client.ask(**quick)["ok"]
        assert child.stop() == 0


def test_those_who_need_a_place_get_it_from_others(serve: Servers) -> None:
    """Of two residents one sleeps: all the others take turns in the other's place, and the sleeper ends."""
    server = serve(resident=2)
    names = [f"guest-{number}" for number in range(6)]
    for name in names:
        server.add_tenant(name)
    with RawClient(server.endpoint) as raw_client, RawClient(server.endpoint) as other:
        sleeper = raw_client.post(**slowly(server, seconds=1.0))
        begun(server)
        for name in names * 2:
            assert other.ask(**request(server, name, "marks.add", text="in turn"))["ok"]
        assert raw_client.until_ping() == []
        reply = raw_client.receive()
        assert (reply["id"], reply["ok"]) == (sleeper, True)


def test_where_everybody_sleeps_the_next_one_waits_for_the_first_to_end(
    serve: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the Supervisor does not ask round and round meanwhile, nor later."""
    monkeypatch.setattr("actors.supervision.backoff.SWEEP_SECONDS", 600.0)
    server = serve(resident=2)
    server.add_tenant("initech")
    told = 0
    tell = type(server.system.supervisor).tell

    def counted(mailbox: object, message: object) -> None:
        nonlocal told
        told += type(message).__name__ == "PassivationDeclined"
        tell(mailbox, message)  # type: ignore[arg-type] # a Mailbox; monkeypatched for all of them

    monkeypatch.setattr(type(server.system.supervisor), "tell", counted)
    with RawClient(server.endpoint) as raw_client:
        sent = [raw_client.post(**slowly(server, name, seconds=0.4)) for name in ("acme", "globex")]
        for name in ("acme", "globex"):
            begun(server, name)
        waits = raw_client.post(**request(server, "initech", "marks.add", text="at last"))
        replies = raw_client.replies(3)
    assert all(replies[id_]["ok"] for id_ in (*sent, waits))
    assert 1 <= told <= 4


def is_gone(path: Path) -> bool:
    """Whether the tenant's file has been moved away."""
    return not path.exists()


def test_a_deleted_tenant_s_sleepers_are_cancelled(
    serve: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last backup does not wait for them."""
    monkeypatch.setattr("actors.admin.children.PURGE_SECONDS", 0.05)
    server = serve()
    path = path_of(server, "acme")
    with RawClient(server.endpoint) as raw_client:
        raw_client.post(**slowly(server, seconds=LONG))
        begun(server)
        server.system.local.ask("tenants.delete", "acme", reason="moved", grace_days=0)
        error = raw_client.receive()["error"]
    assert error["code"] == "unavailable"
    assert "deleted; one step of it was committed" in error["message"]
    until(partial(is_gone, path), "the file to be archived")
