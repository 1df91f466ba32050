"""What functions are at: in a file that reports it when nothing of the process is left."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from actors.messages import ANYONE, Peer, TenantRecord, TenantRequest
from actors.routing.health import FailureDetector, Running
from actors.routing.route import Route
from actors.watchdog import running as running_calls
from actors.watchdog.process import CALL_BYTES
from actors.watchdog.running import (
    NO_PREVIOUS_RUN,
    RecordedCall,
    RunningCalls,
    create_file,
    read_previous_run,
)
from transport.request.model import Request

ACME = TenantRecord("acme", "0f" * 16)


class Served:
    """As much of a route as counts here."""

    name = "contacts.add"
    version = 3
    detector = FailureDetector(None)
    params = SimpleNamespace(source={})


def work(id_: str) -> TenantRequest:
    request = Request(id=id_, tenant="acme", action="contacts.add")
    caller = replace(ANYONE, id="t_1")
    return TenantRequest(
        request, caller, Peer(b"", delimited=False, encoding="json"), None, 0.0, "ab" * 16
    )


def call(begun: RunningCalls, id_: str = "r-1") -> RecordedCall:
    running: Running = Served.detector.start(ACME.id, "ab" * 16)
    return RecordedCall(begun, running, cast(Route, Served()), ACME, work(id_))


def test_a_call_is_in_the_file_while_it_runs(tmp_path: Path) -> None:
    """With all by which it can be found in logs, and known again."""
    path = tmp_path / "running"
    begun = RunningCalls(create_file(path, 2))
    with call(begun):
        (found,) = read_previous_run(path).calls
        assert found == begun.oldest()
        assert found.log_fields() == {
            "tenant": "acme",
            "tenant_id": ACME.id,
            "action": "contacts.add",
            "version": 3,
            "trace_id": "ab" * 16,
        }
        assert (found.caller, found.id) == ("t_1", "r-1")
    assert read_previous_run(path).calls == ()
    assert path.stat().st_mode & 0o077 == 0


def test_more_calls_than_there_is_room_for_go_on_unseen(tmp_path: Path) -> None:
    begun = RunningCalls(create_file(tmp_path / "running", 1))
    with call(begun, "first"), call(begun, "second"):
        assert [each.id for each in read_previous_run(tmp_path / "running").calls] == ["first"]
    with call(begun, "third"):
        assert [each.id for each in read_previous_run(tmp_path / "running").calls] == ["third"]


def test_the_longest_names_have_room(tmp_path: Path) -> None:
    """As long as the envelope lets them be."""
    begun = RunningCalls(create_file(tmp_path / "running", 1))
    served = Served()
    served.name = "a" * 128
    longest = RecordedCall(
        begun,
        Served.detector.start("", ""),
        cast(Route, served),
        replace(ACME, name="b" * 63),
        work("c" * 64),
    )
    with longest:
        (found,) = read_previous_run(tmp_path / "running").calls
    assert (found.action, found.tenant, found.id) == ("a" * 128, "b" * 63, "c" * 64)


def test_a_server_that_stopped_in_order_says_so(tmp_path: Path) -> None:
    path = tmp_path / "running"
    begun = RunningCalls(create_file(path, 1))
    past = read_previous_run(path)
    assert (past.stopped, past.same_boot, past.pid) == (False, True, os.getpid())
    with call(begun):
        begun.stopped()
    assert read_previous_run(path).stopped


def test_of_another_boot_only_the_end_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written last may not have come to the disk."""
    monkeypatch.setattr(running_calls, "BOOT", tmp_path / "boot")
    (tmp_path / "boot").write_text("one")
    begun = RunningCalls(create_file(tmp_path / "running", 1))
    with call(begun):
        (tmp_path / "boot").write_text("two")
        past = read_previous_run(tmp_path / "running")
    assert (past.stopped, past.same_boot, past.calls) == (False, False, ())


@pytest.mark.parametrize("content", [b"", b"something else" * CALL_BYTES])
def test_a_file_that_is_none_of_ours_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "running").write_bytes(content)
    assert read_previous_run(tmp_path / "running") == NO_PREVIOUS_RUN


def test_one_server_does_not_write_where_the_next_one_does(tmp_path: Path) -> None:
    """A function that does not return ends after its server, and another may have begun by then."""
    path = tmp_path / "running"
    old = call(RunningCalls(create_file(path, 1)))
    old.__enter__()
    new = RunningCalls(create_file(path, 1))
    with call(new, "new"):
        old.__exit__()
        assert [each.id for each in read_previous_run(path).calls] == ["new"]


def test_who_held_the_interpreter_is_known_also_when_the_call_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that finds out may come too late to see it run."""
    begun = RunningCalls(bytearray(2 * CALL_BYTES))
    assert begun.suspect(0.0) == {}
    now = time.monotonic()
    with call(begun):
        assert begun.suspect(now)["action"] == "contacts.add"
        monkeypatch.setattr("time.monotonic", lambda: now + 2)
    assert begun.suspect(now)["action"] == "contacts.add"
    assert begun.suspect(now + 3) == {}
