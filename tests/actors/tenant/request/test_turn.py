"""A turn without savepoints: what fails after it has written is served again with them, and counts once."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, insert
from structlog.testing import capture_logs

from actors.errors import FailedPrecondition
from actors.index.parser import read_index
from actors.messages import DeadLetter
from actors.routing.table import RoutingTable
from actors.tenant.context import Context
from actors.tenant.functions.tables import contacts
from actors.tenant.request.turn import MOST_CAREFUL_TURNS, SavepointPolicy, careful_turns
from tests.actors.tenant.turn_harness import ACME, TurnHarness
from tests.faulty.functions import ADD, HIDDEN
from transport.frames import HEAVY_BYTES

DESK = RoutingTable.build(read_index(Path(__file__).parents[4] / "registry.toml"), "local-dev")

OVERFLOW = insert(contacts).values(name=func.abs(-(2**63)))
"""Fails in SQLite, and not by a constraint."""

TAKEN = insert(contacts).values(id=1, name="", created_at="", updated_at="", words="")
"""Breaks a constraint."""

Statements = list[str]
Map = dict[str, Any]


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[TurnHarness]:
    """A tenant with marks; marks.add does what its text says."""
    made = TurnHarness(tmp_path)
    made.serve("marks.add", play)
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TurnHarness]:
    """A tenant of the desk, with full-text indexes."""
    made = TurnHarness(tmp_path, DESK)
    made.turn(contact(made, "first"), contact(made, "second"))
    yield made
    made.close()


RUNS: dict[str, int] = {}
"""How often each text was run."""


@pytest.fixture(autouse=True)
def _long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns end with their mail, however slow the machine."""
    monkeypatch.setattr("actors.tenant.actor.TURN_SECONDS", 60.0)
    RUNS.clear()


def play(ctx: Context, params: Any) -> Map:
    """Write a mark where the text says so, then end as it says."""
    RUNS[params.text] = RUNS.get(params.text, 0) + 1
    writes, how = params.text.split()[:2]
    mark = ctx.db.scalar(ADD, {"text": params.text}) if writes == "write" else 0
    if how == "refuse":
        raise FailedPrecondition("as it was told")
    if how == "fail":
        raise RuntimeError("as it was told")
    return {"id": "no number" if how == "misshape" else mark}


def contact(tenant: TurnHarness, name: str) -> Any:
    """A request that adds a contact."""
    return tenant.request("contacts.add", name=name)


def traced(tenant: TurnHarness, *messages: Any) -> Statements:
    """The statements of a turn, without the engine's mark and what full-text indexes run themselves."""
    statements: Statements = []
    with tenant.database.trace(statements):
        tenant.turn(*messages)
    return [each.partition(" /*")[0] for each in statements if not each.startswith("--")]


def marks(tenant: TurnHarness, *texts: str) -> list[Any]:
    """The replies to these marks in one turn, in their order: `ok`, or the refusal's code."""
    replies = tenant.turn(*(tenant.request("marks.add", text=text) for text in texts))
    return [reply.error.code if reply.error else "ok" for reply in replies]


def calls_so_far(tenant: TurnHarness, action: str = "marks.add") -> int:
    """How many calls of a version have been counted."""
    detector = tenant.route(action).detector
    assert detector is not None
    counted = detector.track("nobody", "0" * 32)
    assert detector.track("nobody", "0" * 32).call == counted.call + 1
    return counted.call - 1


# ---------------------------------------------------------------- without savepoints


def test_a_turn_of_sixteen_adds_has_one_savepoint_in_all(desk: TurnHarness) -> None:
    """It is the one before the commit, at which full-text indexes are written out."""
    statements = traced(desk, *(contact(desk, f"c{n}") for n in range(16)))
    assert [each for each in statements if "SAVEPOINT" in each] == ["SAVEPOINT message"]
    assert statements[-3:] == ["SAVEPOINT message", "RELEASE message", "COMMIT"]
    assert desk.rows("SELECT count(*) FROM contacts") == [(18,)]


def test_a_turn_of_sixteen_adds_asks_for_their_ids_once_and_stores_their_replies_at_its_end(
    desk: TurnHarness,
) -> None:
    statements = traced(desk, *(contact(desk, f"c{n}") for n in range(16)))
    kinds = ["ids" if "(VALUES" in each else each.split("(")[0] for each in statements]
    replies = ["INSERT INTO tenantry_replies "] * 16
    assert kinds.count("ids") == 1
    assert kinds[-3 - 16 : -3] == replies
    assert [each for each in kinds[:-19] if "tenantry_replies" in each] == []


def test_one_id_twice_in_one_turn_has_one_effect_and_one_reply(tenant: TurnHarness) -> None:
    """Also with other content, where the second is refused."""
    first, again, other = tenant.turn(
        tenant.request("marks.add", "same", text="write return"),
        tenant.request("marks.add", "same", text="write return"),
        tenant.request("marks.add", "same", text="write return other"),
    )
    assert first.result == again.result
    assert (first.meta.get("replayed"), again.meta.get("replayed")) == (None, True)
    assert other.error is not None
    assert other.error.code == "invalid_argument"
    assert RUNS == {"write return": 1}
    assert tenant.marks() == ["write return"]
    assert tenant.call("marks.add", "same", text="write return").result == first.result


def test_an_id_that_was_refused_can_be_used_again_in_the_same_turn(tenant: TurnHarness) -> None:
    """A refusal is not stored."""
    refused, served = tenant.turn(
        tenant.request("marks.add", "same", text="read refuse"),
        tenant.request("marks.add", "same", text="write return"),
    )
    assert (refused.ok, served.ok) == (False, True)


@pytest.mark.parametrize("count", [1, 2, 3, 17, 200])
def test_ids_of_earlier_turns_are_found_among_however_many(tenant: TurnHarness, count: int) -> None:
    texts = [f"write return {n}" for n in range(count)]
    requests = [tenant.request("marks.add", f"id {text}", text=text) for text in texts]
    known = requests[::3]
    before = {reply.id: reply.result for reply in tenant.turn(*known)}
    replies = tenant.turn(*requests)
    assert [bool(reply.meta.get("replayed")) for reply in replies] == [
        n % 3 == 0 for n in range(count)
    ]
    assert all(reply.result == before[reply.id] for reply in replies[::3])
    assert tenant.rows("SELECT count(*) FROM tenantry_replies") == [(count,)]


def test_a_turn_that_only_reads_has_none(desk: TurnHarness) -> None:
    statements = traced(desk, desk.request("contacts.get", id=1))
    assert (statements[0], statements[-1]) == ("BEGIN", "COMMIT")
    assert not [each for each in statements if "SAVEPOINT" in each]


@pytest.mark.parametrize("how", ["refuse", "fail"])
def test_what_fails_before_it_has_written_costs_no_repetition(
    tenant: TurnHarness, how: str
) -> None:
    texts = ("write return 1", f"read {how} 2", "write return 3")
    assert [code == "ok" for code in marks(tenant, *texts)] == [True, False, True]
    assert tenant.marks() == ["write return 1", "write return 3"]
    assert set(RUNS.values()) == {1}


def test_a_broken_constraint_costs_none(desk: TurnHarness) -> None:
    """SQLite undoes the statement, and nothing else was written."""

    def twice(ctx: Context, params: Any) -> Map:
        RUNS["twice"] = RUNS.get("twice", 0) + 1
        ctx.db.run(TAKEN)
        return {}

    desk.serve("contacts.remove", twice)
    reply = desk.call("contacts.remove", id=1)
    assert reply.error is not None
    assert RUNS == {"twice": 1}


# ---------------------------------------------------------------- with them, once one has failed


@pytest.mark.parametrize("how", ["refuse", "fail", "misshape"])
def test_what_fails_after_it_has_written_leaves_nothing_and_the_others_stay(
    tenant: TurnHarness, how: str
) -> None:
    """The turn is served again: each function runs twice, and each request has one reply."""
    texts = ("write return 1", f"write {how} 2", "write return 3")
    found = marks(tenant, *texts)
    assert found == ["ok", "failed_precondition" if how == "refuse" else "internal", "ok"]
    assert tenant.marks() == ["write return 1", "write return 3"]
    assert [RUNS[text] for text in texts] == [2, 2, 1]
    assert [line.outcome for line in tenant.lines()] == found
    assert calls_so_far(tenant) == 3


def test_a_defect_is_logged_and_counted_once(tenant: TurnHarness) -> None:
    """One that has written, beside one that has not and is not run again."""
    with capture_logs() as logs:
        marks(tenant, "read fail 1", "write fail 2", "write return 3")
    assert [each["event"] for each in logs] == ["function failed"] * 2
    detector = tenant.route("marks.add").detector
    assert detector is not None
    assert [each.call for each in detector.failures] == [1, 2]
    assert RUNS == {"read fail 1": 1, "write fail 2": 2, "write return 3": 1}


def test_a_read_that_writes_is_refused_and_leaves_nothing(tenant: TurnHarness) -> None:
    """It is not seen before it runs, so the turn is served again."""
    tenant.serve("marks.count", lambda ctx, _: {"count": ctx.db.run(HIDDEN, {"text": "x"})})
    with capture_logs() as logs:
        added, counted = tenant.turn(
            tenant.request("marks.add", text="write return"), tenant.request("marks.count")
        )
    assert added.ok
    assert counted.error is not None
    assert counted.error.code == "internal"
    assert tenant.marks() == ["write return"]
    assert len(logs) == 1


def test_what_was_sent_by_a_function_that_ran_twice_leaves_once(tenant: TurnHarness) -> None:
    """Under the key that its reply has."""

    def send(ctx: Context, params: Any) -> Map:
        key = ctx.send("post.send", {"to": "ada"})
        return {"ids": [int(key[:12], 16)]}

    tenant.serve("marks.slowly", send, is_async=False)
    sent, refused = tenant.turn(
        tenant.request("marks.slowly", text="x"), tenant.request("marks.add", text="write refuse")
    )
    assert not refused.ok
    assert sent.result is not None
    ((key,),) = tenant.rows("SELECT key FROM tenantry_outbox")
    assert sent.result["ids"] == [int(key[:12], 16)]
    assert [message.key for message in tenant.post.heard()] == [key]


def test_a_statement_that_fails_halfway_is_taken_back(desk: TurnHarness) -> None:
    """Although no row was counted as written when the function gave up."""

    def half(ctx: Context, params: Any) -> Map:
        try:
            ctx.db.run(OVERFLOW)
        except Exception as error:
            raise FailedPrecondition("as it was told") from error
        return {}

    desk.serve("contacts.remove", half)
    statements = traced(desk, contact(desk, "third"), desk.request("contacts.remove", id=1))
    assert statements.count("BEGIN") == 2
    assert desk.rows("SELECT count(*) FROM contacts") == [(3,)]


def test_the_quota_that_is_met_by_an_index_is_the_refusal_of_the_request_that_met_it(
    desk: TurnHarness,
) -> None:
    """Indexes are written out before the commit; what was before the full quota is kept."""
    (size,) = desk.database._driver.execute("PRAGMA page_count /* test */").fetchone()
    desk.limit(database_bytes=(size + 6) * 4096)
    requests = [
        contact(desk, " ".join(secrets.token_hex(4) for _ in range(20))) for _ in range(120)
    ]
    replies = desk.turn(*requests)
    codes = [reply.error.code if reply.error else "ok" for reply in replies]
    assert len(codes) == 120
    assert set(codes) == {"ok", "resource_exhausted"}
    kept = codes.count("ok")
    assert desk.rows("SELECT count(*) FROM contacts") == [(2 + kept,)]
    assert desk.rows("SELECT count(*) FROM tenantry_replies") == [(2 + kept,)]


def test_a_function_is_charged_for_its_first_run_alone(tenant: TurnHarness) -> None:
    """Whether a request beside it fails is no matter of its tenant's budget."""
    tenant.limit(function_ms_per_second=1000)

    def compute(ctx: Context, params: Any) -> Map:
        RUNS["compute"] = RUNS.get("compute", 0) + 1
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        return {"count": 1}

    tenant.serve("marks.count", compute)
    tenant.turn(tenant.request("marks.count"), tenant.request("marks.add", text="write refuse"))
    assert RUNS["compute"] == 2
    budget = tenant.incarnation._unit_of_work.handler.environment.cpu_budget
    assert budget is not None
    charged = budget._limiter._full_at - time.monotonic()
    assert charged < 0.09, "seconds of CPU time that the budget is away from full"


def test_a_request_that_had_begun_in_time_is_not_too_late_when_it_is_served_again(
    tenant: TurnHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deadline passes while another request of the turn is served."""
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 120.0, time=time.time)

    def late(ctx: Context, params: Any) -> Map:
        monkeypatch.setattr("actors.tenant.request.handler.time", later)
        ctx.db.scalar(ADD, {"text": "late"})
        raise FailedPrecondition("as it was told")

    tenant.serve("trouble.make", late)
    replies = tenant.turn(
        tenant.request("marks.add", text="write return"),
        tenant.request("trouble.make", kind="late"),
        tenant.request("marks.add", text="write return too late"),
    )
    assert [reply.ok for reply in replies] == [True, False, False]
    assert [reply.error and reply.error.code for reply in replies[1:]] == [
        "failed_precondition",
        "deadline_exceeded",
    ]


def test_a_dead_letter_is_written_counted_and_logged_once(tenant: TurnHarness) -> None:
    """Its row is rolled back with the turn, and written again."""
    marks(tenant, "write return first")
    letter = DeadLetter(
        tenant.request("marks.add", text="write return"), "it killed the tenant twice"
    )
    with capture_logs() as logs:
        tenant.turn(letter, tenant.request("marks.add", text="write refuse"))
    assert [each["event"] for each in logs] == ["message set aside"]
    assert tenant.rows("SELECT count(*) FROM tenantry_dead_letters") == [(1,)]
    detector = tenant.route("marks.add").detector
    assert detector is not None
    assert len(detector.failures) == 1


def test_a_request_that_ended_the_process_is_set_aside_although_its_turn_is_served_again(
    tenant: TurnHarness,
) -> None:
    """Its row goes with the first attempt, and is written again."""
    request = tenant.request("marks.add", text="write return")
    deadly = tenant.snapshot.running_calls.deadly
    deadly[ACME.id, request.principal.id, request.request.id] = True
    first, _ = tenant.turn(request, tenant.request("marks.add", text="write refuse"))
    again = tenant.turn(request)[0]
    assert [reply.error and reply.error.code for reply in (first, again)] == ["internal"] * 2
    assert tenant.rows("SELECT count(*) FROM tenantry_dead_letters") == [(1,)]
    assert RUNS.keys() == {"write refuse"}


def test_a_repetition_goes_as_far_as_the_first_attempt_although_time_is_up(
    tenant: TurnHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has begun and was counted is concluded in the same turn."""
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 1000.0)

    def slow(ctx: Context, params: Any) -> Map:
        if "slow" in params.text:
            monkeypatch.setattr("actors.tenant.request.turn.time", later)
            monkeypatch.setattr("actors.tenant.request.reply_writer.time", later)
        return play(ctx, params)

    tenant.serve("marks.add", slow)
    texts = ("write return 1", "write return 2", "write refuse slow")
    assert marks(tenant, *texts) == ["ok", "ok", "failed_precondition"]
    assert [RUNS[text] for text in texts] == [2, 2, 2]
    assert len({line.at for line in tenant.lines()}) == 1, "one turn"


# ---------------------------------------------------------------- how often it is tried


@pytest.mark.parametrize(
    ("repeated", "turns"), [(0, 0), (1, 1), (2, 4), (3, 16), (4, 64), (5, 256), (50, 256)]
)
def test_the_more_turns_were_repeated_the_longer_savepoints_stay(repeated: int, turns: int) -> None:
    assert careful_turns(repeated) == turns <= MOST_CAREFUL_TURNS


def test_a_tenant_whose_requests_keep_failing_has_savepoints_from_the_start(
    tenant: TurnHarness,
) -> None:
    """Then each function runs once; after some turns it is tried without again."""
    begun = []
    for turn in range(12):
        RUNS.clear()
        marks(tenant, f"write refuse {turn}")
        begun.append(RUNS[f"write refuse {turn}"])
    assert begun == [2, 1, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1]


def test_a_turn_without_a_failure_is_forgiven() -> None:
    """And one that needed no savepoint counts as such only if it had none."""
    policy = SavepointPolicy()
    for repeated in (True, False, False):
        policy.ended(repeated=repeated)
    assert not policy.is_careful
    policy.ended(repeated=True)
    policy.ended(repeated=False)
    assert not policy.is_careful


def test_a_heavy_request_leaves_the_right_to_compute_to_others_until_it_is_served(
    tenant: TurnHarness,
) -> None:
    """Others would wait for 10 ms until they may steal it."""
    compute = tenant.incarnation._unit_of_work.compute
    held: list[bool] = []

    def note(ctx: Context, params: Any) -> Map:
        held.append(bool(compute._held()))
        return {"id": len(held)}

    compute.acquire()
    tenant.serve("marks.add", note)
    light = [tenant.request("marks.add", text="light") for _ in range(2)]
    heavy = replace(tenant.request("marks.add", text="heavy"), size=HEAVY_BYTES + 1)
    replies = tenant.turn(light[0], heavy, light[1])
    assert [reply.ok for reply in replies] == [True, True, True]
    assert held == [True, False, True]


def test_others_may_compute_after_requests_that_took_long_and_not_after_light_ones(
    tenant: TurnHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hand-over between threads costs as much as a light one."""
    offered: list[None] = []
    compute = tenant.incarnation._unit_of_work.compute
    monkeypatch.setattr(compute, "offer", lambda: offered.append(None))
    for seconds, offers in ((-1.0, 3), (3600.0, 0)):
        monkeypatch.setattr("actors.tenant.request.turn.SLICE_SECONDS", seconds)
        offered.clear()
        tenant.turn(*(tenant.request("marks.add", text="one") for _ in range(3)))
        assert len(offered) == offers


def test_between_light_requests_the_token_is_handed_on_before_others_would_steal_it(
    tenant: TurnHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of light requests of one tenant fills turns that are longer than others should wait."""
    compute = tenant.incarnation._unit_of_work.compute
    order: list[str] = []

    def other() -> None:
        compute.acquire()
        order.append("other")
        compute.release()

    waits = threading.Thread(target=other)

    def note(ctx: Context, params: Any) -> Map:
        order.append("request")
        if not waits.ident:
            waits.start()
            while not compute._beginning.waiting:
                pass
        return {"id": len(order)}

    monkeypatch.setattr("actors.runtime.scheduler.STEAL_AFTER", 3600.0)
    monkeypatch.setattr("actors.runtime.scheduler.HAND_ON_AFTER", 0.0)
    monkeypatch.setattr("actors.tenant.request.turn.SLICE_SECONDS", -1.0)
    monkeypatch.setattr("actors.tenant.request.turn.HEAVY_REQUESTS", 0)
    tenant.serve("marks.add", note)
    compute.acquire()
    tenant.turn(*(tenant.request("marks.add", text="light") for _ in range(3)))
    waits.join()
    assert order == ["request", "other", "request", "request"]
