"""What counts against a version in its tenants' turns, and what is served once it is out."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from sqlalchemy import bindparam, insert
from structlog.testing import capture_logs

from actors.errors import NotFound
from actors.index.entries import Threshold
from actors.messages import DeadLetter
from actors.registry.messages import Trip
from actors.routing.health import SEVERAL, Blame, FailureDetector
from actors.routing.table import RoutingTable
from tests.actors.mailbox_harness import MailboxHarness, Watch
from tests.actors.servers import INDEX
from tests.actors.tables import load_table
from tests.actors.tenant.request.test_profile import ACME, Desk
from tests.faulty.functions import HIDDEN, marks

LIMIT = Threshold(failures=3, calls=10, seconds=60.0)


@pytest.fixture(scope="module")
def table() -> RoutingTable:
    """Of the actions that misbehave."""
    return load_table(INDEX, "hosted-live")


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def desk(tmp_path: Path, table: RoutingTable, harness: MailboxHarness) -> Desk:
    """With a new file; `marks.add` has a sound version to fall back on, and the test is the Registry."""
    made = Desk(tmp_path / "data", table, harness)
    sound = table.routes["marks.add"]
    made.replace("marks.add", detector=FailureDetector(LIMIT), fallback=sound, version=2)
    made.snapshot.registry = Watch()
    return made


def told(desk: Desk) -> list[Any]:
    """What the Registry has been told."""
    assert isinstance(desk.snapshot.registry, Watch)
    return desk.snapshot.registry.heard()


def test_messages_that_killed_their_tenant_count_and_one_word_of_it_is_enough(desk: Desk) -> None:
    for _ in range(LIMIT.failures + 2):
        desk.mailbox.tell(DeadLetter(desk.work("marks.add", text="deadly"), "Crash()"))
        assert desk.hear()["error"]["code"] == "internal"
    (word,) = told(desk)
    assert isinstance(word, Trip)
    assert (word.name, word.version, len(word.failures)) == ("marks.add", 2, LIMIT.failures)
    assert desk.ask("marks.add", text="x")["meta"]["version"] == 1


def test_a_result_that_does_not_fit_counts_as_much_as_an_error(desk: Desk) -> None:
    def misshape(ctx: Any, params: Any) -> Any:
        return {"id": "seven"}

    desk.replace("marks.add", misshape)
    replies = [desk.ask("marks.add", text="x") for _ in range(LIMIT.failures + 1)]
    assert [reply["ok"] for reply in replies] == [False] * LIMIT.failures + [True]
    assert len(told(desk)) == 1


def test_refusals_of_any_kind_do_not_count(desk: Desk) -> None:
    def refuse(ctx: Any, params: Any) -> Any:
        raise NotFound("no such mark")

    desk.replace("marks.add", refuse)
    for _ in range(LIMIT.failures * 2):
        assert desk.ask("marks.add", text="x")["error"]["code"] == "not_found"
        assert desk.ask("marks.add")["error"]["code"] == "invalid_argument"
    assert told(desk) == []


def test_what_has_nothing_to_fall_back_on_goes_on_and_an_alarm_is_raised(desk: Desk) -> None:
    def fail(ctx: Any, params: Any) -> Any:
        if params.text == "bad":
            raise RuntimeError
        return {"id": 1}

    desk.replace("marks.add", fail, fallback=None)
    with capture_logs() as lines:
        replies = [desk.ask("marks.add", text="bad") for _ in range(LIMIT.failures * 3)]
        assert desk.ask("marks.add", text="good")["ok"]
    assert {reply["error"]["code"] for reply in replies} == {"internal"}
    assert told(desk) == []
    (alarm,) = [line for line in lines if line["event"] == Blame.ALARM.value]
    assert (alarm["log_level"], alarm["action"], alarm["version"]) == ("error", "marks.add", 2)


def test_failures_of_one_tenant_of_several_take_it_out_for_that_tenant(desk: Desk) -> None:
    def fail(ctx: Any, params: Any) -> Any:
        raise RuntimeError

    desk.snapshot.tenants = SEVERAL
    desk.replace("marks.add", fail)
    with capture_logs() as lines:
        replies = [desk.ask("marks.add", text="x") for _ in range(LIMIT.failures + 1)]
    assert [reply["ok"] for reply in replies] == [False] * LIMIT.failures + [True]
    assert replies[-1]["meta"]["version"] == 1
    assert told(desk) == []
    (line,) = [line for line in lines if line["event"] == Blame.TENANT.value]
    assert line["tenant_id"] == ACME.id
    detector = desk.snapshot.current.routes["marks.add"].detector
    assert detector is not None
    assert not detector.is_tripped_for("another")


ADD_TWICE = insert(marks).values(id=7, text=bindparam("text"))


def taken(ctx: Any, params: Any) -> Any:
    ctx.db.run(ADD_TWICE, {"text": "first"})
    ctx.db.run(ADD_TWICE, {"text": "second"})


def unfitting(ctx: Any, params: Any) -> Any:
    ctx.send("timer.sleep", {"seconds": params.text})


def full(ctx: Any, params: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device", "report.pdf")


def large(ctx: Any, params: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize(
    ("function", "code", "says"),
    [
        (taken, "already_exists", r"UNIQUE constraint failed: marks\.id"),
        (unfitting, "invalid_argument", r"ctx\.send of marks\.add.*seconds"),
        (full, "unavailable", "No space left on device"),
        (large, "unavailable", "out of memory"),
    ],
)
def test_what_a_caller_or_the_machine_brings_about_is_no_defect(
    desk: Desk, function: Any, code: str, says: str
) -> None:
    desk.replace("marks.add", function)
    desk.allow("marks.add", "timer.sleep")
    for _ in range(LIMIT.failures * 2):
        error = desk.ask("marks.add", text="x")["error"]
        assert error["code"] == code
        assert re.search(says, error["message"])
    assert told(desk) == []


def test_a_call_that_is_refused_is_answered_internal_and_does_not_count(desk: Desk) -> None:
    """Which connector may be the caller's word."""

    def call(ctx: Any, params: Any) -> Any:
        ctx.send(params.text, {})

    desk.replace("marks.add", call)
    for _ in range(LIMIT.failures * 2):
        assert desk.ask("marks.add", text="x")["error"]["code"] == "internal"
    assert told(desk) == []


@pytest.mark.parametrize("then", ["return", "fail", "misshape"])
def test_a_read_that_wrote_leaves_nothing_and_costs_its_turn_nothing(desk: Desk, then: str) -> None:
    """An INSERT behind a WITH is not seen before it has run."""

    def count(ctx: Any, params: Any) -> Any:
        ctx.db.run(HIDDEN, {"text": "any"})
        if then == "fail":
            raise RuntimeError
        return {"count": 0 if then == "return" else "many"}

    sound = desk.snapshot.current.routes["marks.count"]
    desk.replace("marks.count", count)
    actions = ["marks.add", "marks.count", "marks.add", "marks.count", "marks.add"]
    for number, action in enumerate(actions):
        desk.mailbox.try_enqueue(desk.work(action, id_=f"{number}", text="kept"))
    desk.mailbox.schedule()
    replies: dict[str, Any] = {}
    while len(replies) < len(actions):
        heard = [msgpack.unpackb(body) for _, body in desk.outlet.hear().frames]
        replies |= {reply["id"]: reply for reply in heard}
    assert [replies[f"{n}"]["ok"] for n in range(5)] == [True, False, True, False, True]
    assert {replies[n]["error"]["code"] for n in "13"} == {"internal"}
    desk.replace("marks.count", sound.function)
    assert desk.ask("marks.count")["result"]["count"] == 3
