"""A commit that fails: no one is told `ok` about what is not on disk, and nothing on disk is denied."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.actors.servers import INDEX, path_of, request
from tests.actors.tenant.full_disk import FINE, KEPT, KEPT_AND_UNKNOWN, LOST, Disk
from tests.child import Child
from tests.conftest import Server
from tests.deadline import until
from tests.pipe import Pipe
from tests.raw_client import Map, RawClient

COLUMNS = "caller, id, digest, reply, at"


@pytest.fixture
def server(disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Its turns end with their mail, however slow the machine."""
    monkeypatch.setattr("actors.tenant.actor.TURN_SECONDS", 60.0)
    running = Server(tmp_path / "data", registry=INDEX)
    yield running
    running.stop()


@pytest.fixture
def raw_client(server: Server) -> Iterator[RawClient]:
    """A connection."""
    with RawClient(server.endpoint) as one:
        yield one


def add(server: Server, text: str) -> Map:
    """A write."""
    return request(server, "acme", "marks.add", text=text)


def count(server: Server, raw_client: RawClient, text: str) -> int:
    """How many marks there are."""
    found: int = raw_client.ask(**request(server, "acme", "marks.count", text=text))["result"][
        "count"
    ]
    return found


def one_turn(
    server: Server, raw_client: RawClient, pipe: Pipe, disk: Disk, fate: str, requests: list[Map]
) -> list[Map]:
    """The replies to these requests, served in one turn whose commit ends so."""
    blocked = raw_client.post(**request(server, "acme", "trouble.make", **pipe.params))
    pipe.reached()
    sent = [raw_client.post(**one) for one in requests]
    assert raw_client.ask(action="system.ping")["ok"]
    disk.extend([FINE, fate])
    pipe.release()
    replies = raw_client.replies(len(requests) + 1)
    assert replies[blocked]["ok"]
    assert not disk
    return [replies[id] for id in sent]


def mixed(server: Server, text: str) -> list[Map]:
    """Writes with ids of their own, a read, a refusal and a dummy."""
    writes = [{**add(server, text), "id": f"{text}-{number}"} for number in range(5)]
    return [
        *writes,
        request(server, "acme", "marks.count"),
        request(server, "acme", "trouble.make", kind="refuse"),
        request(server, "acme", "marks.later", text=text),
    ]


def is_patient(reply: Map) -> bool:
    """Whether a reply asks to come again with the same id."""
    error = reply["error"]
    return bool(error["code"] == "unavailable" and error["retry_after_ms"] > 0)


def test_what_was_lost_is_refused_and_takes_effect_once_when_sent_again(
    server: Server, raw_client: RawClient, disk: Disk, tmp_path: Path
) -> None:
    """Every message of the turn, whatever it was: it may have seen what is not there any more."""
    requests = mixed(server, "lost")
    replies = one_turn(server, raw_client, Pipe(tmp_path), disk, LOST, requests)
    assert all(is_patient(reply) for reply in replies)
    assert count(server, raw_client, "lost") == 0
    again = [raw_client.ask(**one) for one in requests[:5]]
    assert all(reply["ok"] and "replayed" not in reply["meta"] for reply in again)
    assert count(server, raw_client, "lost") == 5


def test_what_is_on_disk_all_the_same_is_answered_with_its_reply(
    server: Server, raw_client: RawClient, disk: Disk, tmp_path: Path
) -> None:
    """The table of ids tells; the same id again has no second effect."""
    requests = mixed(server, "kept")
    replies = one_turn(server, raw_client, Pipe(tmp_path), disk, KEPT, requests)
    assert [reply["ok"] for reply in replies] == [True] * 5 + [False] * 3
    assert all(is_patient(reply) for reply in replies[5:])
    assert count(server, raw_client, "kept") == 5
    again = raw_client.ask(**requests[0])
    assert again["result"] == replies[0]["result"]
    assert again["meta"]["replayed"] is True
    assert count(server, raw_client, "kept") == 5


def test_while_the_disk_cannot_be_asked_nothing_is_claimed_about_it(
    server: Server, raw_client: RawClient, disk: Disk, tmp_path: Path
) -> None:
    """The refusal does not say that nothing was kept, since all of it was."""
    requests = mixed(server, "unknown")
    replies = one_turn(server, raw_client, Pipe(tmp_path), disk, KEPT_AND_UNKNOWN, requests)
    assert all(is_patient(reply) for reply in replies)
    assert all("not known" in reply["error"]["message"] for reply in replies)
    assert count(server, raw_client, "unknown") == 5, "reads go on"
    until(lambda: raw_client.ask(**requests[0])["ok"], "writes to be served again")
    assert raw_client.ask(**requests[0])["meta"]["replayed"] is True
    assert count(server, raw_client, "unknown") == 5


def test_other_tenants_and_later_messages_see_nothing_of_it(
    server: Server, raw_client: RawClient, disk: Disk
) -> None:
    """Ten commits fail in a row; each is a turn of its own."""
    assert raw_client.ask(**add(server, "before"))["ok"]
    disk.extend([LOST, KEPT] * 5)
    replies = [raw_client.ask(**add(server, "in between")) for _ in range(10)]
    assert [reply["ok"] for reply in replies] == [False, True] * 5
    assert raw_client.ask(**request(server, "globex", "marks.add", text="other"))["ok"]
    assert raw_client.ask(**add(server, "after"))["ok"]
    assert count(server, raw_client, "in between") == 5


@pytest.mark.parametrize("left", ["a -wal", "nothing"])
def test_who_reads_needs_no_file_that_can_be_written(
    server: Server, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """Another process holds the write lock when the tenant is woken, and old replies cannot be forgotten."""
    monkeypatch.setattr("actors.tenant.database.connection.BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(path_of(server, "acme"), isolation_level=None)) as other:
        old = ("someone", "old", b"digest", b"reply", 0)
        other.execute(f"INSERT INTO tenantry_replies ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", old)
        if left == "nothing":
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.execute("BEGIN IMMEDIATE")
        with capture_logs() as logged:
            assert [count(server, raw_client, "any") for _ in range(3)] == [0, 0, 0]
        error = raw_client.ask(**add(server, "held"))["error"]
        assert error["code"] == "unavailable"
        assert error["message"].startswith("the tenant's database is held by another process")
        other.execute("ROLLBACK")
    events = [each["event"] for each in logged]
    assert "actor failed" not in events
    assert events.count("old replies not forgotten") == (left == "nothing")
    until(lambda: raw_client.ask(**add(server, "held"))["ok"], "writes to be served")


# ---------------------------------------------------------------- a disk that is really full


def test_nothing_acknowledged_is_missing_when_writes_really_fail(tmp_path: Path) -> None:
    """The kernel refuses to let any file grow, again and again, under load; then the process is killed."""
    data = tmp_path / "data"
    free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with Child("--tenant", "acme", data=data, registry=INDEX) as child:
        endpoint, pid = child.ready(), child.process.pid
        token = child.said[0].split()[-1]
        who: Map = {"tenant": "acme", "token": token, "action": "marks.add"}
        acknowledged: set[str] = set()
        refused: set[str] = set()
        with RawClient(endpoint) as raw_client:
            for wave in range(6):
                wal = max((each.stat().st_size for each in data.glob("tenants/*-wal")), default=0)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal, free[1]) if wave % 2 else free)
                names = [f"{wave}-{number}" for number in range(40)]
                for name in names:
                    raw_client.post(**who, id=name, params={"text": name})
                for name, reply in raw_client.replies(40).items():
                    (acknowledged if reply["ok"] else refused).add(name)
                    assert reply["ok"] or is_patient(reply)
        child.process.kill()
        assert "disk I/O error" in child.log()
    assert refused
    with Child(data=data, registry=INDEX) as child, RawClient(child.ready()) as raw_client:
        for name in acknowledged:
            assert marks(raw_client, who, name) == 1
        for name in refused:
            assert raw_client.ask(**who, id=name, params={"text": name})["ok"]
            assert marks(raw_client, who, name) == 1
        assert child.stop() == 0


def marks(raw_client: RawClient, who: Map, text: str) -> int:
    """How many marks say this."""
    reply = raw_client.ask(**{**who, "action": "marks.count", "params": {"text": text}})
    found: int = reply["result"]["count"]
    return found
