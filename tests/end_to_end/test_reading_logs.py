"""Reading the logs from end to end: over the admin socket, of a real server that is being called."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from actors.access import ADMIN_OWNER, DEVELOPER, DEVELOPER_ADMIN, MEMBER, OWNER
from actors.log.daily.rotation import day_of
from actors.log.events import Events
from tests.actors.callers import Being, Caller, MovableClock, Stage
from tests.actors.servers import INDEX
from tests.conftest import Server
from tests.raw_client import Map, RawClient

BEGINNING = "0000-00.0"
"""Before every line, for who waits for the first one."""

WAIT_MS = 10_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, events: Events) -> Iterator[Stage]:
    """A server whose functions can be made to fail, and whose error log records it."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("data"), clock=clock, registry=INDEX)
    events.connect(server.system.logs.errors)
    made = Stage(server, clock)
    yield made
    made.close()
    events.disconnect()
    server.stop()


@pytest.fixture(scope="module")
def owner(stage: Stage) -> Caller:
    """Of acme, in no area."""
    return stage.make(Being(OWNER))


@pytest.fixture(scope="module")
def developer(stage: Stage) -> Caller:
    """Callers who may not see tenants' messages."""
    return stage.make(Being(DEVELOPER))


@pytest.fixture(scope="module")
def super_admin(stage: Stage) -> Caller:
    """On acme."""
    return stage.make(Being(DEVELOPER_ADMIN, grant="live"))


def read(stage: Stage, caller: Caller, log: str, tenant: str | None = "acme", **params: Any) -> Map:
    """A reply of one of the logs."""
    return stage.call("admin", caller.text, tenant, f"logs.{log}", params)


def page(stage: Stage, caller: Caller, log: str, tenant: str | None = "acme", **params: Any) -> Map:
    """What is in it, if it is granted."""
    reply = read(stage, caller, log, tenant, **params)
    assert reply["ok"], reply
    result: Map = reply["result"]
    return result


def newest(stage: Stage, caller: Caller, log: str, tenant: str | None = "acme") -> Map:
    """Params that wait for the next line."""
    return {"after": page(stage, caller, log, tenant)["newest"], "wait_ms": WAIT_MS}


def call(stage: Stage, action: str, tenant: str = "acme", **params: Any) -> Map:
    """A member's message."""
    return stage.call("data", stage.server.tokens[tenant], tenant, action, params)


def code(reply: Map) -> str:
    """Of a refusal."""
    assert not reply["ok"], reply
    return str(reply["error"]["code"])


def trace_of(reply: Map) -> str:
    """Whatever came of it."""
    meta: Map = reply["meta"]
    return str(meta["trace_id"])


def test_a_line_says_who_called_what_and_how_it_went(stage: Stage, owner: Caller) -> None:
    """What a member does stands in the tenant's log a moment later."""
    waiting = {**newest(stage, owner, "tenant"), "action": "marks.add"}
    reply = call(stage, "marks.add", text="Ada")
    (line,) = page(stage, owner, "tenant", **waiting)["lines"]

    assert (line["tenant"], line["action"], line["outcome"]) == ("acme", "marks.add", "ok")
    assert (line["role"], line["params"], line["version"]) == (MEMBER, {"text": "Ada"}, 1)
    assert line["trace_id"] == trace_of(reply)
    assert page(stage, owner, "tenant", trace_id=line["trace_id"])["lines"] == [line]
    assert page(stage, owner, "tenant", text="ADA", limit=1)["lines"] == [line]


def test_no_tenant_sees_a_line_of_another(stage: Stage, owner: Caller) -> None:
    """Neither in its own logs nor by asking for the other's."""
    theirs = stage.make(Being(ADMIN_OWNER), tenant="globex")
    waiting = newest(stage, theirs, "tenant", "globex")
    trace = trace_of(call(stage, "trouble.make", "globex", kind="fail"))
    assert page(stage, theirs, "tenant", "globex", **waiting)["lines"]
    failed = page(
        stage, theirs, "errors", "globex", after=BEGINNING, wait_ms=WAIT_MS, trace_id=trace
    )
    assert len(failed["lines"]) == 1

    for log in ("tenant", "errors", "audit"):
        lines = page(stage, owner, log, limit=100)["lines"]
        assert {line["tenant"] for line in lines} <= {"acme"}
        assert page(stage, owner, log, trace_id=trace)["lines"] == []
        assert code(read(stage, owner, log, "globex")) == "unauthenticated"
        assert code(read(stage, owner, log, None)) == "invalid_argument"
    assert page(stage, owner, "trace", trace_id=trace)["lines"] == []


def test_a_tenants_messages_are_for_its_owners_and_for_whoever_they_let_in(
    stage: Stage, owner: Caller, developer: Caller, super_admin: Caller
) -> None:
    """A member reads nothing; a developer what the platform is for."""
    member = stage.make(Being(MEMBER))
    allowed = {
        (caller.being.role, log): read(stage, caller, log)["ok"]
        for caller in (member, owner, developer, super_admin)
        for log in ("tenant", "errors", "audit")
    }
    refused = {key for key, is_allowed in allowed.items() if not is_allowed}
    assert refused == {(MEMBER, "tenant"), (MEMBER, "errors"), (MEMBER, "audit")} | {
        (DEVELOPER, "tenant")
    }


def test_owners_hear_that_something_failed_and_developers_why(
    stage: Stage, owner: Caller, developer: Caller, super_admin: Caller
) -> None:
    """Nor can an owner find out by searching."""
    waiting = newest(stage, developer, "errors", None)
    trace = trace_of(call(stage, "trouble.make", kind="fail"))
    (error,) = page(stage, developer, "errors", None, **waiting)["lines"]
    assert error["exception"]["type"].endswith("RuntimeError")
    assert "secret detail" in error["exception"]["message"]
    assert "make_trouble" in error["exception"]["stack"]

    (line,) = page(stage, owner, "errors", trace_id=trace)["lines"]
    assert line.keys() == {"at", "level", "event", "source", "tenant", "action", "trace_id"}
    assert (line["action"], line["trace_id"]) == ("trouble.make", trace)
    for word, is_seen in (("secret detail", False), ("trouble.make", True)):
        found = page(stage, owner, "errors", text=word, trace_id=trace)["lines"]
        assert bool(found) == is_seen
        assert len(page(stage, super_admin, "errors", text=word, trace_id=trace)["lines"]) == 1


def test_a_follower_has_a_line_as_soon_as_it_is_written(stage: Stage, owner: Caller) -> None:
    """He asks before it is there, and goes on from its cursor."""
    waiting = {**newest(stage, owner, "tenant"), "action": "marks.add"}
    with RawClient(stage.server.system.admin_endpoint) as raw_client:
        for text in ("first", "second"):
            request = {"tenant": "acme", "token": owner.text, "action": "logs.tenant"}
            raw_client.post(**request, params=waiting)
            call(stage, "marks.add", text=text)
            result = raw_client.receive()["result"]
            assert [line["params"] for line in result["lines"]] == [{"text": text}]
            waiting = {**waiting, "after": result["newest"]}


def test_who_follows_the_audit_log_does_not_follow_himself(stage: Stage, owner: Caller) -> None:
    """Each look leaves a record, which would end the next wait at once, and so on for ever."""
    waiting = newest(stage, owner, "audit")
    short = {**waiting, "wait_ms": 1}
    assert page(stage, owner, "audit", **short)["lines"] == []
    assert page(stage, owner, "audit", **short)["lines"] == []

    assert stage.call("admin", owner.text, "acme", "limits.show", {})["ok"]
    actions = [line["action"] for line in page(stage, owner, "audit", **waiting)["lines"]]
    assert actions == ["limits.show"]
    shown = page(stage, owner, "audit", action="logs.audit", after=waiting["after"])["lines"]
    assert len(shown) >= 3


def test_audit_records_are_found_by_outcome_time_and_text(stage: Stage, owner: Caller) -> None:
    """As `audit.list` shows them."""
    refused = stage.call("admin", owner.text, "acme", "members.add", {"name": "Mallory"})
    assert code(refused) == "permission_denied"

    found = page(stage, owner, "audit", outcome="permission_denied", text="mallory")["lines"]
    assert [record["trace_id"] for record in found] == [trace_of(refused)]
    at = found[0]["at"]
    since = page(stage, owner, "audit", since=at, action="members.add")["lines"]
    until = page(stage, owner, "audit", until=at, action="members.add")["lines"]
    assert found[0] in since
    assert found[0] not in until
    listed = stage.call("admin", owner.text, "acme", "audit.list", {"limit": 100})
    assert found[0] in listed["result"]["records"]


def test_a_trace_id_shows_all_that_one_request_did(
    stage: Stage, owner: Caller, developer: Caller, super_admin: Caller
) -> None:
    """What was intended, what went wrong, what was answered, what came of it: in the order of time."""
    waiting = newest(stage, owner, "errors")
    reply = stage.call("admin", super_admin.text, "acme", "trouble.make", {"kind": "fail"})
    trace = trace_of(reply)
    assert page(stage, owner, "errors", **waiting)["lines"]
    page(stage, owner, "tenant", after=BEGINNING, wait_ms=WAIT_MS, trace_id=trace)

    told = page(stage, owner, "trace", trace_id=trace)
    assert told["complete"]
    assert {each["line"]["action"] for each in told["lines"]} == {"trouble.make"}
    assert [each["log"] for each in told["lines"]] == ["audit", "errors", "tenant", "audit"]
    assert [each["line"].get("kind") for each in told["lines"]][::3] == ["intent", "outcome"]
    assert {each["line"]["trace_id"] for each in told["lines"]} == {trace}
    by_developer = page(stage, developer, "trace", None, trace_id=trace)["lines"]
    assert sorted(each["log"] for each in by_developer) == ["audit", "audit", "errors"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"before": "nonsense"}, "params.before"),
        ({"after": "2026"}, "params.after"),
        ({"after": BEGINNING, "before": BEGINNING}, "params.before"),
        ({"wait_ms": 5}, "params.wait_ms"),
        ({"since": "yesterday"}, "params.since"),
        ({"since": "2026-11-24T00:00:00"}, "params.since"),
        ({"limit": 101}, "params.limit"),
        ({"after": BEGINNING, "wait_ms": 20_001}, "params.wait_ms"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_by_its_name(
    stage: Stage, owner: Caller, params: Map, field: str
) -> None:
    """Also a cursor that is none."""
    reply = read(stage, owner, "tenant", **params)
    assert code(reply) == "invalid_argument"
    assert [each["field"] for each in reply["error"]["details"]] == [field]


def test_a_server_that_stops_does_not_wait_for_followers(tmp_path: Path) -> None:
    """They are answered that nothing came."""
    clock = MovableClock()
    server = Server(tmp_path / "data", clock=clock)
    stage = Stage(server, clock)
    owner = stage.make(Being(ADMIN_OWNER))
    with RawClient(server.system.admin_endpoint) as raw_client:
        request = {"tenant": "acme", "token": owner.text}
        params = {"after": BEGINNING, "wait_ms": WAIT_MS}
        raw_client.post(**request, action="logs.tenant", params=params, timeout_ms=60_000)
        assert raw_client.ask(**request, action="limits.show")["ok"]  # the one before has begun
        stage.close()
        server.stop()

        assert raw_client.receive()["result"]["lines"] == []


def test_what_no_reply_holds_is_made_fit_where_it_is_logged(
    stage: Stage, developer: Caller, super_admin: Caller
) -> None:
    """An exception quotes what it met; it is found by every kind of search."""
    waiting = newest(stage, developer, "errors", None)
    trace = trace_of(call(stage, "trouble.make", kind="fail_with_a_nul"))
    (error,) = page(stage, developer, "errors", None, **waiting)["lines"]
    assert error["exception"]["message"] == "bad header: a\ufffdb ?"
    assert page(stage, super_admin, "trace", trace_id=trace)["lines"]


ODD_LINES = (
    b'{"at":"2026-11-29T12:00:00.000Z","action":"odd","message":"a\\u0000\\ud800","trace_id":"odd"}',
    b'{"at":"2026-11-29T12:00:00.000Z","action":"odd","message":404,"version":"x","trace_id":"odd"}',
    b'{"at":"2026-11-29T12:00:00.000Z","action":"odd","reply_bytes":1e999,"trace_id":"odd"}',
    b'{"at":"2026-11-29T12:00:00.000Z","action":"odd","params":{"n":36893488147419103232},"trace_id":"odd"}',
    b'{"at":"2026-11-29T12:00:00.000Z","action":"odd","params":' + b'{"a":' * 90 + b"1" + b"}" * 91,
    b'{"at":"yesterday","action":"odd","trace_id":"odd"}',
)
"""As an earlier version may have written them, or a hand; the last one is no record."""


def test_odd_lines_in_a_file_stop_no_page(
    stage: Stage, developer: Caller, super_admin: Caller
) -> None:
    """They are shown as far as they can be."""
    logs = stage.server.system.settings.data / "logs"
    record = stage.server.system.local.find_tenant("acme")
    assert record is not None
    today = f"{day_of(time.time(), ZoneInfo('UTC'))}.jsonl"
    for folder in (logs / "tenants" / record.id, logs / "errors"):
        folder.mkdir(parents=True, exist_ok=True)  # a moment before the first line is written
        with (folder / today).open("ab") as file:
            file.write(b"\n".join((*ODD_LINES, b"")))

    lines = page(stage, super_admin, "tenant", action="odd")["lines"]
    assert [line["message"] for line in lines] == [None, None, None, "404", "a\ufffd?"]
    assert [line["version"] for line in lines] == [None] * 5
    assert len(page(stage, developer, "errors", None, action="odd")["lines"]) == 5
    assert len(page(stage, super_admin, "trace", trace_id="odd")["lines"]) == 4
