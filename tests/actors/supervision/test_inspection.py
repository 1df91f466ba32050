"""Looking into a running server: what its actors show, and what a person may have them do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actors.admin.functions import actors as looking
from actors.errors import Aborted, FailedPrecondition, NotFound
from actors.runtime.actor import Ping, ask
from actors.supervision.inspection import CountTurns
from tests.actors.servers import INDEX
from tests.conftest import Server
from tests.deadline import until
from tests.pipe import Pipe

SECONDS = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With functions that block where a test wants it."""
    running = Server(tmp_path_factory.mktemp("data"), registry=INDEX)
    yield running
    running.stop()


def rows(server: Server, **wanted: Any) -> dict[str, dict[str, Any]]:
    """The actors by name, in the order of the answer."""
    listed = server.system.local.ask("actors.list", limit=200, **wanted)["actors"]
    return {row["actor"]: row for row in listed}


def end_period(server: Server) -> None:
    """What the Clock does each 5 s."""
    ask(server.system.supervisor, CountTurns(), SECONDS)


def write(server: Server, text: str) -> None:
    """One write of the tenant acme."""
    with server.client() as client:
        client.call("marks.add", {"text": text})


def count(server: Server) -> int:
    """How many writes it has."""
    with server.client() as client:
        found: int = client.call("marks.count")["count"]
        return found


def test_the_tree_has_every_actor_with_its_parent(server: Server) -> None:
    write(server, "hello")
    found = rows(server)
    assert {"supervisor", "router", "registry", "console", "clock"} <= set(found)
    assert [name for name, row in found.items() if row["parent"] is None] == ["supervisor"]
    assert found["tenant acme"]["kind"] == "tenant"
    assert found["tenant acme"]["state"] in ("runs", "idle")
    assert found["router"]["age_seconds"] >= found["tenant acme"]["age_seconds"] >= 0


def test_turns_are_those_of_the_last_whole_period(server: Server) -> None:
    end_period(server)
    write(server, "one turn at least")
    end_period(server)
    assert rows(server, sort="turns")["tenant acme"]["turns"] > 0
    end_period(server)
    assert rows(server)["tenant acme"]["turns"] == 0


def test_a_page_has_what_was_asked_for_the_most_important_first(server: Server) -> None:
    write(server, "resident")
    assert {row["kind"] for row in rows(server, kind="tenant").values()} == {"tenant"}
    assert list(rows(server, prefix="tenant a")) == ["tenant acme"]
    by_name = list(rows(server, sort="name", kind="engine"))
    assert by_name == sorted(by_name)
    youngest = [row["age_seconds"] or 0 for row in rows(server, sort="age", kind="engine").values()]
    assert youngest == sorted(youngest)
    page = server.system.local.ask("actors.list", limit=1)
    assert (len(page["actors"]), page["total"] > 5) == (1, True)


def test_an_actor_gives_a_snapshot_of_itself(server: Server) -> None:
    write(server, "resident")
    shown = server.system.local.ask("actors.show", actor="acme")
    assert shown["snapshot"]["waiting_functions"] == 0
    assert shown["actor"]["actor"] == "tenant acme"
    assert server.system.local.ask("actors.show", actor="supervisor")["snapshot"]["resident"] >= 1
    registry = server.system.local.ask("actors.show", actor="registry")["snapshot"]
    assert registry["environment"] == "local-dev"
    assert registry["actions"] > 50
    disk = server.system.local.ask("actors.show", actor="tenant log")["snapshot"]
    assert 0 < disk["disk_free_bytes"] < disk["disk_bytes"]
    with pytest.raises(NotFound, match="there is no actor 'nowhere'"):
        server.system.local.ask("actors.show", actor="nowhere")


def test_one_that_blocks_is_shown_all_the_same_and_named(
    server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "ANSWER_SECONDS", 0.01)
    pipe = Pipe(tmp_path)
    with server.client() as client:
        client.call("system.ping")
        blocked = client.submit("trouble.make", pipe.params)
        pipe.reached()
        shown = server.system.local.ask("actors.show", actor="acme")
        assert (shown["actor"]["state"], shown["snapshot"]) == ("runs", None)
        slow = server.system.local.ask("actors.slow", ms=0)["running"]
        assert [(each["tenant"], each["action"]) for each in slow] == [("acme", "trouble.make")]
        stacks = server.system.local.ask("actors.stacks")["threads"]
        assert any("trouble" in "".join(each["stack"]) for each in stacks)
        assert str(tmp_path) not in str(stacks)
        pipe.release()
        blocked.result()


def test_an_engine_actor_is_restarted_once_and_goes_on(server: Server) -> None:
    before = rows(server)["registry"]
    done = server.system.local.ask("actors.restart", actor="registry", why="to see it")
    assert done["actor"] == "registry"
    until(lambda: rows(server)["registry"]["restarts"] == before["restarts"] + 1, "a restart")
    ask(server.system.actors.registry, Ping(), SECONDS)
    assert rows(server)["registry"]["restarts"] == before["restarts"] + 1
    assert rows(server)["registry"]["age_seconds"] <= before["age_seconds"]


def test_many_restarts_by_a_person_do_not_stop_the_server(server: Server) -> None:
    """Of failures six in ten seconds would."""
    before = rows(server)["waker"]["restarts"]
    for done in range(1, 9):
        server.system.local.ask("actors.restart", actor="waker", why="again")
        until(lambda: rows(server)["waker"]["restarts"] == before + done, "a restart")  # noqa: B023
    assert server.system.failure is None
    ask(server.system.actors.waker, Ping(), SECONDS)


def test_a_tenant_that_is_restarted_keeps_what_is_on_disk(server: Server) -> None:
    write(server, "kept")
    before = count(server)
    server.system.local.ask("actors.restart", actor="acme", why="to see it")
    write(server, "after it")
    assert count(server) == before + 1
    assert rows(server)["tenant acme"]["restarts"] > 0


def test_a_tenant_that_is_passivated_comes_back_with_its_next_message(server: Server) -> None:
    write(server, "resident")
    server.system.local.ask("actors.passivate", actor="acme")
    until(lambda: rows(server)["tenant acme"]["state"] == "not resident", "it to leave")
    with pytest.raises(FailedPrecondition, match="has no incarnation"):
        server.system.local.ask("actors.restart", actor="acme", why="to see it")
    write(server, "back")
    assert rows(server)["tenant acme"]["state"] != "not resident"


def test_a_tenant_may_have_the_name_of_a_part_of_the_engine(server: Server) -> None:
    server.add_tenant("log")
    with server.client("log") as client:
        client.call("marks.add", {"text": "mine"})
    shown = {
        name: server.system.local.ask("actors.show", actor=name) for name in ("log", "tenant log")
    }
    assert shown["log"]["actor"]["kind"] == "tenant"
    assert shown["tenant log"]["actor"]["kind"] == "engine"


@pytest.mark.parametrize("actor", ["supervisor", "console"])
def test_what_the_answer_goes_through_is_not_restarted(server: Server, actor: str) -> None:
    with pytest.raises(FailedPrecondition, match="restart the server"):
        server.system.local.ask("actors.restart", actor=actor, why="to see it")


def test_only_tenants_leave(server: Server) -> None:
    with pytest.raises(FailedPrecondition, match="router is no tenant"):
        server.system.local.ask("actors.passivate", actor="router")


@pytest.mark.parametrize("action", ["actors.restart", "actors.passivate"])
def test_an_incarnation_that_was_not_shown_is_left_alone(server: Server, action: str) -> None:
    """Another operator restarts it between the look and the change."""
    write(server, "resident")
    local = server.system.local
    params = {"actor": "acme"} | ({"why": "it hangs"} if action == "actors.restart" else {})
    shown = local.ask("changes.digest", action=action, params=params)["digest"]
    restarts = rows(server)["tenant acme"]["restarts"]
    local.ask("actors.restart", actor="acme", why="it hangs")
    until(lambda: rows(server)["tenant acme"]["restarts"] == restarts + 1, "a restart")
    with pytest.raises(Aborted, match=f"what {action} is about has changed"):
        local.ask(action, **params, expected=shown)
    assert rows(server)["tenant acme"]["restarts"] == restarts + 1
    again = local.ask("changes.digest", action=action, params=params)["digest"]
    assert local.ask(action, **params, expected=again)["actor"] == "tenant acme"
    write(server, "it comes back")
