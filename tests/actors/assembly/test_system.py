"""The wiring: what is there after a start, and what is left after a stop."""

from __future__ import annotations

import socket as sockets
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pykka
import pytest
import zmq.auth
from structlog.testing import capture_logs

from actors.assembly.system import System
from actors.errors import IndexProblem, SettingsError
from actors.registry.messages import Reload
from actors.runtime.actor import Ping, ask
from actors.settings import Settings
from tests.actors.servers import INDEX, Servers, request
from tests.conftest import Server
from tests.raw_client import RawClient
from transport.bind import UnusableEndpoint
from transport.client import Client

ROOT = Path(__file__).parents[3]

WAIT = 20.0


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No thread and no actor of a system outlives it."""
    threads, actors = set(threading.enumerate()), set(pykka.ActorRegistry.get_all())
    yield
    assert set(threading.enumerate()) <= threads
    assert set(pykka.ActorRegistry.get_all()) <= actors


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    """Makes servers, and stops the last at the end of the test."""
    servers = Servers(tmp_path / "data")
    yield servers
    servers.stop()


def made(data: Path, **settings: Any) -> System:
    """A system that was not started."""
    return System(Settings(data=data, memory_bytes=0, registry=INDEX, **settings))


# ---------------------------------------------------------------- starting and stopping


def test_a_taken_port_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a thread, nor an actor, nor the hold on the data directory."""
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        zmq.auth.create_certificates(tmp_path, "server")
        keys = tmp_path / "server.key_secret"
        keys.chmod(0o600)
        for options in ({}, {"curve_keys": keys}):
            system = made(tmp_path / "data", endpoint=endpoint, **options)
            with pytest.raises(UnusableEndpoint, match="TENANTRY_ENDPOINT"):
                system.start()
    Server(tmp_path / "data").stop()


def test_what_is_refused_before_the_start_lets_the_data_directory_go(tmp_path: Path) -> None:
    """Mend the setting and start again, also within one process."""
    with pytest.raises(IndexProblem):
        System(Settings(data=tmp_path, memory_bytes=0, registry=tmp_path / "none.toml"))
    with pytest.raises(SettingsError):
        made(tmp_path, environment="nowhere")
    Server(tmp_path).stop()


def test_an_actor_that_cannot_start_ends_the_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come up by then is taken down; who waits for the failure is notified of it."""
    told: SimpleQueue[None] = SimpleQueue()

    def broken(path: Path, **_: str) -> None:
        raise OSError(f"no {path.name} today")

    system = made(tmp_path, endpoint="tcp://127.0.0.1:*")
    monkeypatch.setattr("actors.admin.directory.store.open_directory", broken)
    with pytest.raises(pykka.ActorDeadError, match="directory"):
        system.start(lambda: told.put(None))
    told.get(timeout=WAIT)
    assert "no directory.db today" in repr(system.failure)


def test_a_stopped_server_has_closed_every_file(tmp_path: Path) -> None:
    """Descriptors are as many as before, and no file stands beside a database."""
    Server(tmp_path / "first", registry=INDEX).stop()  # whatever a first time leaves open
    before = len(list(Path("/proc/self/fd").iterdir()))
    server = Server(tmp_path / "data", registry=INDEX)
    with RawClient(server.endpoint) as raw_client:
        for tenant in ("acme", "globex"):
            assert raw_client.ask(**request(server, tenant, "marks.add", text="one"))["ok"]
    assert list((tmp_path / "data" / "tenants").glob("*-wal"))
    server.stop()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list((tmp_path / "data").rglob("*-wal")) == []


def test_the_supervisor_s_own_failure_stops_the_system(tmp_path: Path) -> None:
    """No one supervises it: anyone who runs the system is told, and stopping does not wait for it."""
    told: SimpleQueue[None] = SimpleQueue()
    system = made(tmp_path, endpoint="tcp://127.0.0.1:*", drain_seconds=600)
    system.start(lambda: told.put(None))
    system.supervisor.tell("a message that it does not know")
    told.get(timeout=WAIT)
    system.stop()
    assert isinstance(system.failure, TypeError)


@pytest.mark.parametrize("name", ["router", "directory", "registry", "migrator", "clock"])
def test_each_actor_comes_back_after_a_failure(serve: Servers, name: str) -> None:
    """A message that it does not know takes it down twice and is then dropped; all works as before."""
    server = serve()
    system = server.system
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**request(server, "acme", "marks.add", text="before"))["ok"]
        with capture_logs() as logs:
            getattr(system.actors, name).tell("a message that it does not know")
            server.add_tenant("initech")
            ask(system.actors.registry, Reload(), WAIT)
            ask(system.actors.clock, Ping(), WAIT)
            assert raw_client.ask(**request(server, "initech", "marks.add", text="after"))["ok"]
        assert [log["actor"] for log in logs if log["event"] == "actor failed"] == [name, name]
        assert raw_client.ask(**request(server, "acme", "marks.count"))["result"] == {"count": 1}
        whose = raw_client.ask(token=server.tokens["acme"], action="system.whoami")["result"]["id"]
        system.local.ask("tokens.revoke", "acme", token=whose)
        refused = raw_client.ask(**request(server, "acme", "marks.count"))
        assert refused["error"]["code"] == "unauthenticated"
    assert system.failure is None


# ---------------------------------------------------------------- what it does for people


def test_tenants_and_tokens_outlive_the_server(serve: Servers) -> None:
    """A revoked token stays revoked."""
    server = serve()
    id, gone = server.system.local.issue_token("acme", "member", "gone")
    server.system.local.ask("tokens.revoke", "acme", token=id)
    kept = dict(server.tokens)
    with server.client() as client:
        client.call("marks.add", {"text": "kept"})
    server = serve()
    with Client(server.endpoint, tenant="acme", token=kept["acme"]) as client:
        assert client.call("marks.count") == {"count": 1}
    with RawClient(server.endpoint) as raw_client:
        refused = raw_client.ask(tenant="acme", token=gone, action="marks.count")
        assert refused["error"]["code"] == "unauthenticated"


def test_hosted_live_serves_what_is_released_and_no_dummies(serve: Servers) -> None:
    """A dummy is `unimplemented` there, and an example elsewhere."""
    server = serve(environment="hosted-live", registry=ROOT / "registry.toml")
    with server.client() as client:
        assert client.call("system.ping")["environment"] == "hosted-live"
        assert client.call("contacts.add", {"name": "Ada"}) == {"id": 1}
        merge = client.request("contacts.merge", {"keep": 1, "remove": 2})
        assert merge.error is not None
        assert merge.error.code == "unimplemented"
        assert "to be implemented" in merge.error.message
        entry = client.call("system.describe", {"action": "contacts.merge"})["actions"][0]
        assert entry["reason"] == "none served"


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_data_directory_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """Who can put a socket or a database there owns all there is; the message says how to close it."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    with pytest.raises(SettingsError, match=f"{mode:04o}.*chmod go-w {data}"):
        System(Settings(data=data, endpoint="tcp://127.0.0.1:*", memory_bytes=0))
    assert list(data.iterdir()) == []
