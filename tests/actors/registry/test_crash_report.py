"""How the server before ended: what ran then is logged, counted, and in the end not begun any more."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors.registry.crash_report import Deaths
from actors.registry.snapshot import RoutingSnapshot
from tests.actors.servers import Servers, request
from tests.actors.tables import load_table
from tests.child import Child
from tests.raw_client import Map, RawClient

INDEX = Path(__file__).parents[2] / "faulty" / "registry.toml"

ENDED = 7
"""The status that tests/faulty ends a server with."""


def start(data: Path) -> Child:
    return Child("--tenant", "acme", data=data, registry=INDEX)


def errors(child: Child, event: str) -> list[Map]:
    """What the log says of such events."""
    lines = [json.loads(line) for line in child.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_what_ends_the_server_is_named_by_the_next_start(tmp_path: Path) -> None:
    """With its tenant, action and version."""
    with start(tmp_path) as child, RawClient(child.ready()) as raw_client:
        who = {"tenant": "acme", "token": child.said[0].split()[-1]}
        raw_client.post(**who, action="trouble.make", params={"kind": "end_process"})
        assert child.ended() == ENDED
    with start(tmp_path) as child:
        child.ready()
        (told,) = errors(child, "the server before ended without a stop")
        assert told["ran"] == 1
        (told,) = errors(child, "the server before ended while this ran")
        assert (told["tenant"], told["action"], told["version"]) == ("acme", "trouble.make", 1)


def test_a_request_that_ended_the_server_twice_is_not_begun_a_third_time(tmp_path: Path) -> None:
    """Its sender sees `internal`, however often it is sent; it is set aside once. Others are served."""
    serve = Servers(tmp_path)
    server = serve()
    acme = server.system.local.find_tenant("acme")
    assert acme is not None
    poison = request(server, "acme", "marks.add", text="poison")
    with RawClient(server.endpoint) as raw_client:
        caller = raw_client.ask(**request(server, "acme", "system.whoami"))["result"]["id"]
    known = {"tenant_id": acme.id, "tenant": "acme", "caller": caller, "id": "poison"}
    (tmp_path / "deaths.json").write_text(json.dumps([death(each, **known) for each in (1, 2)]))
    serve.stop()
    with capture_logs() as told:
        server = serve()
        with RawClient(server.endpoint) as raw_client:
            for _ in range(2):
                assert raw_client.ask(**poison, id="poison")["error"]["code"] == "internal"
            assert raw_client.ask(**poison, id="another")["ok"]
        serve.stop()
    assert [each["event"] for each in told].count("message set aside") == 1


def test_a_start_tells_of_an_end_without_a_stop_and_of_no_other(tmp_path: Path) -> None:
    """However it came about: it has not said that it stopped."""
    snapshot = RoutingSnapshot(load_table(INDEX, "local-dev"))
    with capture_logs() as told:
        first = Deaths(tmp_path, 1)
        first.tell(snapshot)
        first.running_calls.stopped()
        Deaths(tmp_path, 1).tell(snapshot)
        assert told == []
        Deaths(tmp_path, 1).tell(snapshot)
    assert [each["event"] for each in told] == ["the server before ended without a stop"]
    assert (told[0]["ran"], told[0]["pid"]) == (0, os.getpid())


def death(number: int, **more: Any) -> dict[str, Any]:
    """As the file has one."""
    return {
        "at": time.time(),
        "began": float(number),
        "version": 1,
        "tenant_id": f"{number:032}",
        "tenant": f"t{number}",
        "trace_id": f"{number:032}",
        "caller": "t_1",
        "id": f"r-{number}",
        "action": "marks.add",
        **more,
    }


def killed(data: Path) -> None:
    """A server begins, and ends without a stop."""
    Deaths(data, 1)


def test_what_ran_counts_as_a_failure_of_its_version(tmp_path: Path) -> None:
    """For as long as any failure does: across the starts in between."""
    found = [death(1), death(2, at=time.time() - 3600), death(3, action="gone.long")]
    (tmp_path / "deaths.json").write_text(json.dumps(found))
    killed(tmp_path)
    snapshot = RoutingSnapshot(load_table(INDEX, "local-dev"))
    Deaths(tmp_path, 1).tell(snapshot)
    detector = snapshot.current.routes["marks.add"].detector
    assert detector is not None
    assert [each.tenant for each in detector.failures] == [death(1)["tenant_id"]]


@pytest.mark.parametrize("content", ["no json", '{"a": 1}', "[1, {}]"])
def test_a_list_that_was_damaged_is_begun_anew(tmp_path: Path, content: str) -> None:
    """The server starts all the same."""
    (tmp_path / "deaths.json").write_text(content)
    assert Deaths(tmp_path, 1).running_calls.deadly == {}


def test_a_disk_that_refuses_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    """It runs, and leaves nothing to the next one."""
    (tmp_path / "running").mkdir()
    deaths = Deaths(tmp_path, 1)
    assert deaths.running_calls.oldest() is None
    deaths.running_calls.beat()
    deaths.running_calls.stopped()
