"""Functions that wait: a transaction from each wait to the next, one effect for an id, one reply for each."""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.errors import FailedPrecondition, StatementRefused
from actors.index.parser import read_index
from actors.routing.table import RoutingTable
from actors.runtime.actor import stop
from actors.runtime.clock import Clock, ClockMailbox, Once
from actors.runtime.mailbox import Crashed
from actors.tenant.context import Context
from actors.tenant.request.connector_calls import AWAITABLE
from actors.tenant.request.idempotency import progress_in
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.actors.servers import INDEX
from tests.actors.tenant.async_harness import AsyncTenantHarness, Map
from tests.actors.tenant.full_disk import FINE, KEPT, LOST, Disk
from tests.deadline import until
from tests.faulty.functions import ADD, COUNT, HIDDEN, fill, recurse


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def clock(harness: MailboxHarness) -> Iterator[ClockMailbox]:
    """A running Clock, gone before the harness is emptied."""
    mailbox = ClockMailbox()
    Clock.start(mailbox)
    yield mailbox
    stop(mailbox, WAIT)


@pytest.fixture
def tenant(tmp_path: Path, harness: MailboxHarness) -> AsyncTenantHarness:
    """A tenant; what it asks of the Clock, the test has."""
    return AsyncTenantHarness(tmp_path, harness)


@pytest.fixture
def timed(tmp_path: Path, harness: MailboxHarness, clock: ClockMailbox) -> AsyncTenantHarness:
    """One with a real Clock."""
    return AsyncTenantHarness(tmp_path, harness, clock)


Passing = Callable[[float], None]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Passing:
    """Lets so many seconds pass at once: a slow machine has nothing to be late for."""
    real, ahead = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])

    def go(seconds: float) -> None:
        ahead[0] += seconds

    return go


@pytest.fixture
def later(clock: ClockMailbox, passed: Passing) -> Passing:
    """The same, once the Clock has been asked for a moment within them; and has it look."""

    def go(seconds: float) -> None:
        until(
            lambda: min(clock._timers, default=(math.inf,))[0] <= time.monotonic() + seconds,
            "a timer",
        )
        passed(seconds)
        clock.tell(Once(0.0, Watch(), None))

    return go


async def send_letters(ctx: Context, params: Any) -> Map:
    """Behaves: a mark before each letter and after the last."""
    ids = []
    for number in range(params.times):
        ids.append(ctx.db.scalar(ADD, {"text": params.text}))
        letter = await ctx.call("post.send", to=f"reader {number}")
        assert letter.number == 7
    return {"ids": [*ids, ctx.db.scalar(ADD, {"text": params.text})]}


def then(what: Any) -> Any:
    """A function that writes, waits, writes again, and then does this."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        await ctx.call("post.send", to="reader")
        ctx.db.run(ADD, {"text": params.text})
        return what(ctx, params) or {"ids": []}

    return function


def refuse(ctx: Context, params: Any) -> None:
    """An expected refusal."""
    raise FailedPrecondition("the reader is away", user_message="Please try tomorrow.")


def fail(ctx: Context, params: Any) -> None:
    """A defect."""
    raise RuntimeError("secret detail of the defect")


# ---------------------------------------------------------------- steps


def test_a_function_goes_on_with_the_answer(tenant: AsyncTenantHarness) -> None:
    """However often; what it was asked for goes out as it was given."""
    tenant.serve(send_letters)
    id_ = tenant.send(times=2)
    first = tenant.called()
    assert (first.operation, first.params, first.tenant.name) == (
        "post.send", {"to": "reader 0"}, "acme",
    )  # fmt: skip
    assert first.trace_id == f"{1:032x}"
    tenant.answer(first)
    tenant.answer(tenant.called())
    reply = tenant.reply()
    assert (reply["id"], reply["result"]) == (id_, {"ids": [1, 2, 3]})
    assert reply["meta"]["version"] == 1


def test_other_mail_is_served_while_one_waits(tenant: AsyncTenantHarness) -> None:
    """And sees what was committed before the wait."""
    tenant.serve(send_letters)
    id_ = tenant.send()
    call = tenant.called()
    assert tenant.count() == 1
    assert tenant.ask("other", action="marks.add")["ok"]
    tenant.answer(call)
    assert tenant.reply()["id"] == id_
    assert tenant.count() == 2


def test_many_wait_at_once_and_end_in_any_order(tenant: AsyncTenantHarness) -> None:
    """Each gets the answer to its own call."""

    async def echo(ctx: Context, params: Any) -> Map:
        letter = await ctx.call("post.send", to=params.text)
        return {"ids": [letter.number]}

    tenant.serve(echo)
    ids = [tenant.send(str(number)) for number in range(50)]
    calls = [tenant.called() for _ in ids]
    for call in reversed(calls):
        tenant.answer(call, {"number": int(call.params["to"])})
    replies = {reply["id"]: reply["result"] for reply in (tenant.reply() for _ in ids)}
    assert replies == {id_: {"ids": [number]} for number, id_ in enumerate(ids)}


def test_plain_functions_before_and_after_are_not_disturbed(tenant: AsyncTenantHarness) -> None:
    """In one turn: those before are committed first, those after come next, in the order of sending."""
    tenant.serve(send_letters)
    kinds = ["marks.add", "marks.add", "marks.slowly", "marks.add", "marks.slowly", "marks.add"]
    sent = [tenant.send(action=kind) for kind in kinds]
    for _ in range(2):
        tenant.answer(tenant.called())
    replies = {reply["id"]: reply for reply in tenant.replies(6)}
    ids = [replies[id_]["result"] for id_ in sent]
    assert [ids[n]["id"] for n in (0, 1, 3, 5)] == [1, 2, 4, 6]
    assert [ids[n]["ids"][0] for n in (2, 4)] == [3, 5]


def test_a_call_leaves_once_what_was_written_before_it_is_on_disk(
    tenant: AsyncTenantHarness,
) -> None:
    """With a mark under the request's id."""
    tenant.serve(send_letters)
    id_ = tenant.send()
    tenant.called()
    assert tenant.on_disk() == 1
    mark = progress_in(tenant.ids()[id_])
    assert mark is not None
    assert mark.steps == 1


def test_a_stretch_that_is_rolled_back_has_called_no_connector(tenant: AsyncTenantHarness) -> None:
    """Also where the call was made before the failure."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        call = ctx.call("post.send", to="reader")
        refuse(ctx, params)
        return {"ids": [await call]}

    tenant.serve(function)
    assert tenant.ask()["error"]["code"] == "failed_precondition"
    assert tenant.post.heard() == []
    assert (tenant.count(), tenant.ids()) == (0, {})


def test_now_and_the_rest_of_ctx_are_the_same_in_every_stretch(tenant: AsyncTenantHarness) -> None:
    """They are the message's."""
    seen: list[tuple[Any, ...]] = []

    async def function(ctx: Context, params: Any) -> Map:
        for _ in range(3):
            seen.append((ctx.now, ctx.config, ctx.trace_id, ctx.caller))
            await ctx.call("post.send", to="reader")
        return {"ids": []}

    tenant.serve(function)
    tenant.send()
    for _ in range(3):
        tenant.answer(tenant.called())
    assert tenant.reply()["ok"]
    assert len(seen) == 3
    assert len(set(map(repr, seen))) == 1


def test_a_read_waits_as_well_and_leaves_nothing(tenant: AsyncTenantHarness) -> None:
    """Not even its id: sent again, it is served again."""

    async def function(ctx: Context, params: Any) -> Map:
        before = ctx.db.scalar(COUNT)
        await ctx.call("post.send", to="reader")
        return {"before": before, "after": ctx.db.scalar(COUNT)}

    tenant.serve(function, "marks.watch")
    for before in (0, 1):
        id_ = tenant.send(id_="same", action="marks.watch")
        call = tenant.called()
        assert tenant.ask(action="marks.add")["ok"]
        tenant.answer(call)
        reply = tenant.reply()
        assert (reply["id"], reply["result"]) == (id_, {"before": before, "after": before + 1})
        assert "same" not in tenant.ids()


@pytest.mark.parametrize("statement", [ADD, HIDDEN])
def test_a_read_that_writes_after_a_wait_is_rolled_back(
    tenant: AsyncTenantHarness, statement: Any
) -> None:
    """As one that writes at once, whether or not the statement looks like it."""

    async def function(ctx: Context, params: Any) -> Map:
        await ctx.call("post.send", to="reader")
        ctx.db.run(statement, {"text": "by a read"})
        return {"before": 0, "after": 0}

    tenant.serve(function, "marks.watch")
    tenant.send(action="marks.watch")
    tenant.answer(tenant.called())
    assert tenant.reply()["error"]["code"] == "internal"
    assert tenant.count("by a read") == 0


# ---------------------------------------------------------------- ids


def test_the_same_id_gets_the_reply_again_and_has_one_effect(tenant: AsyncTenantHarness) -> None:
    """As with any function."""
    tenant.serve(send_letters)
    tenant.send(id_="once")
    tenant.answer(tenant.called())
    first, again = tenant.reply(), tenant.ask(id_="once")
    assert again["result"] == first["result"]
    assert again["meta"]["replayed"] is True
    assert tenant.count() == 2


def test_the_log_says_of_each_what_it_was_answered(tenant: AsyncTenantHarness) -> None:
    """One line for each reply: how long its function took, waits included, and why a stored refusal was."""
    tenant.serve(then(refuse))
    tenant.send(id_="halfway")
    call = tenant.called()
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 0.05, "some time")
    tenant.answer(call)
    tenant.reply()
    tenant.ask(id_="halfway")
    tenant.count()
    first, again = tenant.lines()[:2]  # the line of the count may be told after its reply
    assert (first.outcome, first.replayed) == ("failed_precondition", False)
    assert first.handled_ms >= 50
    assert (again.outcome, again.replayed) == ("failed_precondition", True)
    assert again.message == first.message


@pytest.mark.parametrize("writes_first", [True, False])
def test_while_it_is_worked_on_the_same_id_is_asked_to_wait(
    tenant: AsyncTenantHarness, writes_first: bool
) -> None:
    """Whether or not something of it is on disk; and one with other content is refused."""

    async def function(ctx: Context, params: Any) -> Map:
        if writes_first:
            ctx.db.run(ADD, {"text": params.text})
        await ctx.call("post.send", to="reader")
        return {"ids": []}

    tenant.serve(function)
    tenant.send(id_="once")
    call = tenant.called()
    busy = tenant.ask(id_="once")["error"]
    assert busy["code"] == "unavailable"
    assert busy["retry_after_ms"] > 0
    assert "still worked on" in busy["message"]
    other = tenant.ask("other", id_="once")["error"]
    assert other["code"] == "invalid_argument"
    tenant.answer(call)
    assert tenant.reply()["ok"]
    assert tenant.ask(id_="once")["meta"]["replayed"] is True
    assert tenant.post.heard() == []


@pytest.mark.parametrize(
    ("what", "code"),
    [(refuse, "failed_precondition"), (fail, "internal"), (recurse, "internal")],
)
def test_a_later_stretch_that_fails_takes_itself_back_and_is_the_answer_for_good(
    tenant: AsyncTenantHarness, what: Any, code: str
) -> None:
    """Since an earlier one is on disk, nothing of it may run again."""
    tenant.serve(then(what))
    tenant.send(id_="halfway")
    tenant.answer(tenant.called())
    first = tenant.reply()
    assert first["error"]["code"] == code
    assert "one step of it was committed" in first["error"]["message"]
    assert "secret" not in str(first)
    again = tenant.ask(id_="halfway")
    assert again["error"] == first["error"]
    assert again["meta"]["replayed"] is True
    assert tenant.count() == 1
    assert tenant.post.heard() == []


def test_a_failure_before_anything_is_on_disk_is_not_kept(tenant: AsyncTenantHarness) -> None:
    """Sent again, it is served again."""

    async def function(ctx: Context, params: Any) -> Map:
        await ctx.call("post.send", to="reader")
        refuse(ctx, params)
        return {"ids": []}

    tenant.serve(function)
    for _ in range(2):
        tenant.send(id_="refused")
        tenant.answer(tenant.called())
        error = tenant.reply()["error"]
        assert error["message"] == "the reader is away"
        assert error["user_message"] == "Please try tomorrow."
    assert tenant.ids() == {}


def test_what_an_incarnation_left_unfinished_is_aborted_and_not_run_again(
    tenant: AsyncTenantHarness, harness: MailboxHarness
) -> None:
    """The caller receives it at once; who sends the id again receives what is on disk, and when it was."""
    tenant.serve(send_letters)
    tenant.send(id_="cut", times=3)
    tenant.answer(tenant.called())
    late = tenant.called()
    before = time.time()
    tenant.mailbox.tell("no message of a tenant's")
    first = tenant.reply()["error"]
    assert first["code"] == "unavailable"
    assert "2 steps of it were committed" in first["message"]
    assert "retry_after_ms" not in first
    assert isinstance(harness.watch.hear(), Crashed)
    tenant.mailbox.get()
    tenant.enter()
    tenant.answer(late)
    for _ in range(2):
        error = tenant.ask(id_="cut", times=3)["error"]
        assert error["code"] == "aborted"
        assert "2 steps of it were committed, the first at 20" in error["message"]
    assert tenant.ask("other", id_="cut")["error"]["code"] == "invalid_argument"
    assert tenant.count() == 2
    assert tenant.post.heard() == []
    mark = progress_in(tenant.ids()["cut"])
    assert mark is not None
    assert mark.first <= mark.last <= before


def test_an_id_that_another_request_used_meanwhile_is_not_used_twice(
    tenant: AsyncTenantHarness,
) -> None:
    """A plain version took the place of one that waits and has nothing on disk: one of the two counts."""

    async def function(ctx: Context, params: Any) -> Map:
        await ctx.call("post.send", to="reader")
        return {"ids": [ctx.db.scalar(ADD, {"text": params.text})]}

    def plain(ctx: Context, params: Any) -> Map:
        return {"ids": [ctx.db.scalar(ADD, {"text": params.text})]}

    tenant.serve(function, is_async=True)
    tenant.send(id_="once")
    call = tenant.called()
    tenant.serve(plain, is_async=False)
    assert tenant.ask(id_="once")["ok"]
    tenant.answer(call)
    error = tenant.reply()["error"]
    assert error["code"] == "aborted"
    assert "nothing was kept" in error["message"]
    assert tenant.count() == 1


# ---------------------------------------------------------------- what may be awaited and called


def test_awaiting_anything_else_is_an_error_that_says_what_may_be(
    tenant: AsyncTenantHarness,
) -> None:
    """Inside the function, which may go on."""
    said: list[str] = []

    async def function(ctx: Context, params: Any) -> Map:
        try:
            await asyncio.sleep(0)
        except TypeError as error:
            said.append(str(error))
        await ctx.call("post.send", to="reader")
        await asyncio.sleep(1)
        return {"ids": []}

    tenant.serve(function)
    tenant.send()
    tenant.answer(tenant.called())
    assert tenant.reply()["error"]["code"] == "internal"
    assert said == [AWAITABLE]


def test_a_call_that_was_not_awaited_fails_the_request(tenant: AsyncTenantHarness) -> None:
    """What the function wrote in that step is taken back: it cannot have meant it."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        ctx.call("post.send", to="reader")
        return {"ids": []}

    tenant.serve(function)
    assert tenant.ask()["error"]["code"] == "internal"
    assert (tenant.count(), tenant.post.heard()) == (0, [])


def test_a_refusal_of_the_connector_can_be_caught(tenant: AsyncTenantHarness) -> None:
    """It is raised at the await."""

    async def function(ctx: Context, params: Any) -> Map:
        try:
            await ctx.call("post.send", to="nobody")
        except FailedPrecondition as refusal:
            return {"ids": [len(str(refusal))]}
        return {"ids": []}

    tenant.serve(function)
    tenant.send()
    tenant.answer(tenant.called(), FailedPrecondition("gone"))
    assert tenant.reply()["result"] == {"ids": [4]}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (FailedPrecondition("no such reader"), "failed_precondition"),
        (RuntimeError("the connector's defect"), "internal"),
        ({"number": "seven"}, "internal"),
        ({"number": 7, "more": 1}, "internal"),
    ],
)
def test_what_a_connector_answers_wrongly_is_the_request_s_failure(
    tenant: AsyncTenantHarness, answer: Any, code: str
) -> None:
    """Unless the function catches it."""
    tenant.serve(send_letters)
    tenant.send()
    tenant.answer(tenant.called(), answer)
    assert tenant.reply()["error"]["code"] == code
    assert tenant.count() == 1


def test_a_connector_that_is_not_there_says_so_at_the_await(
    tmp_path: Path, harness: MailboxHarness
) -> None:
    """As a dummy does."""
    tenant = AsyncTenantHarness(tmp_path, harness, connectors={})
    tenant.serve(send_letters)
    error = tenant.ask()["error"]
    assert error["code"] == "unimplemented"
    assert "connector post: to be implemented" in error["message"]


def test_ctx_db_is_nobody_s_while_its_function_waits(tenant: AsyncTenantHarness) -> None:
    """No matter who got hold of it."""
    kept: list[Context] = []

    async def function(ctx: Context, params: Any) -> Map:
        kept.append(ctx)
        await ctx.call("post.send", to="reader")
        return {"ids": [ctx.db.scalar(ADD, {"text": params.text})]}

    def thief(ctx: Context, params: Any) -> Map:
        with pytest.raises(StatementRefused, match="nobody's while it waits"):
            kept[0].db.scalar(ADD, {"text": "stolen"})
        return {"id": 1}

    tenant.serve(function)
    tenant.serve(thief, "marks.add")
    tenant.send()
    call = tenant.called()
    assert tenant.ask(action="marks.add")["ok"]
    tenant.answer(call)
    assert tenant.reply()["result"] == {"ids": [1]}
    assert tenant.count("stolen") == 0


# ---------------------------------------------------------------- limits


def test_more_than_may_wait_are_refused_at_once(
    tenant: AsyncTenantHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain functions are not; and there is room again when one has ended."""
    monkeypatch.setattr("actors.tenant.request.suspended.MAX_SUSPENDED", 3)
    tenant.serve(send_letters)
    ids = [tenant.send(str(number)) for number in range(3)]
    calls = [tenant.called() for _ in ids]
    error = tenant.ask("one more", id_="fourth")["error"]
    assert error["code"] == "resource_exhausted"
    assert error["retry_after_ms"] > 0
    assert tenant.ask(action="marks.add")["ok"]
    tenant.answer(calls[0])
    assert tenant.reply()["ok"]
    tenant.send("one more", id_="fourth")
    tenant.answer(tenant.called())
    assert tenant.reply()["ok"]


def test_each_stretch_is_charged_and_none_but_the_first_is_refused(
    tenant: AsyncTenantHarness,
) -> None:
    """A function that has begun is not ended halfway for what it costs."""

    async def function(ctx: Context, params: Any) -> Map:
        for _ in range(2):
            await ctx.call("post.send", to="reader")
            ends = time.thread_time() + 0.05
            while time.thread_time() < ends:
                pass
        return {"ids": []}

    tenant.serve(function)
    tenant.limit(function_ms_per_second=4.0)
    tenant.send()
    for _ in range(2):
        tenant.answer(tenant.called())
    assert tenant.reply()["ok"]
    error = tenant.ask()["error"]
    assert error["code"] == "resource_exhausted"
    assert error["retry_after_ms"] > 0


@pytest.mark.parametrize("writes_first", [True, False])
def test_what_waits_past_the_deadline_is_closed_and_says_what_is_kept(
    timed: AsyncTenantHarness, later: Passing, writes_first: bool
) -> None:
    """Its `finally` runs, without a database; a late answer is no one's."""
    cleaned: list[str] = []

    async def function(ctx: Context, params: Any) -> Map:
        if writes_first:
            ctx.db.run(ADD, {"text": params.text})
        try:
            await ctx.call("post.send", to="reader")
        finally:
            try:
                ctx.db.run(ADD, {"text": params.text})
            except StatementRefused as refused:
                cleaned.append(str(refused))
        return {"ids": []}

    timed.serve(function)
    timed.send(id_="late", seconds=60.0)
    call = timed.called()
    later(60.0)
    error = timed.reply()["error"]
    assert error["code"] == "deadline_exceeded"
    assert "not finished within 60000 ms" in error["message"]
    kept = "one step of it was committed" if writes_first else "nothing of it was committed"
    assert kept in error["message"]
    assert len(cleaned) == 1
    timed.answer(call)
    assert timed.count() == writes_first
    again = timed.ask(id_="late", seconds=60.0) if writes_first else None
    assert again is None or again["error"] == error
    assert (timed.post.heard(), timed.outlet.heard()) == ([], [])


def test_an_answer_after_the_deadline_is_no_answer(
    tenant: AsyncTenantHarness, passed: Passing
) -> None:
    """Also where the Clock is late."""
    tenant.serve(send_letters)
    tenant.send(seconds=60.0)
    call = tenant.called()
    passed(60.0)
    tenant.answer(call)
    assert tenant.reply()["error"]["code"] == "deadline_exceeded"
    assert tenant.count() == 1


def test_deadlines_come_in_their_own_order(timed: AsyncTenantHarness, later: Passing) -> None:
    """No matter who was first to wait; one timer serves them all."""
    timed.serve(send_letters)
    ids = [timed.send(seconds=seconds) for seconds in (180.0, 60.0, 600.0, 120.0)]
    calls = [timed.called() for _ in ids]
    for due in (ids[1], ids[3], ids[0]):
        later(60.0)
        assert timed.reply()["id"] == due
    timed.answer(calls[2])
    assert timed.reply()["ok"]


def test_a_function_that_clings_to_its_wait_is_closed_all_the_same(
    timed: AsyncTenantHarness, later: Passing
) -> None:
    """That it waits in its `finally` is its own failure."""

    async def function(ctx: Context, params: Any) -> Map:
        try:
            await ctx.call("post.send", to="reader")
        finally:
            await ctx.call("post.send", to="reader")
        return {"ids": []}

    timed.serve(function)
    timed.send(seconds=60.0)
    assert timed.called()
    later(60.0)
    assert timed.reply()["error"]["code"] == "deadline_exceeded"
    assert timed.count() == 0
    assert timed.post.heard() == []


# ---------------------------------------------------------------- disks


def test_a_full_database_ends_the_stretch_and_keeps_the_one_before(
    tenant: AsyncTenantHarness,
) -> None:
    """SQLite has rolled back the transaction by itself; others are served on."""
    tenant.serve(then(fill))
    tenant.send(id_="full")
    tenant.answer(tenant.called())
    error = tenant.reply()["error"]
    assert error["code"] == "resource_exhausted"
    assert "one step of it was committed" in error["message"]
    assert tenant.ask(id_="full")["error"] == error
    assert tenant.count() == 1
    assert tenant.ask(action="marks.add")["ok"]


def test_a_function_cannot_hide_that_its_stretch_is_lost(tenant: AsyncTenantHarness) -> None:
    """Whether it ends or waits after it has caught the error."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        await ctx.call("post.send", to="reader")
        with pytest.raises(Exception, match="full"):
            fill(ctx, params)
        await ctx.call("post.send", to="reader")
        return {"ids": []}

    tenant.serve(function)
    tenant.send(id_="hidden")
    tenant.answer(tenant.called())
    assert tenant.reply()["error"]["code"] == "internal"
    assert tenant.post.heard() == []
    assert tenant.count() == 1


def test_a_first_stretch_that_is_lost_has_called_no_connector(
    disk: Disk, tenant: AsyncTenantHarness
) -> None:
    """The caller is refused as of any commit that fails; sent again, it is served."""
    cleaned: list[None] = []

    async def function(ctx: Context, params: Any) -> Map:
        try:
            return await send_letters(ctx, params)
        finally:
            cleaned.append(None)

    disk.append(LOST)
    tenant.serve(function)
    error = tenant.ask(id_="lost")["error"]
    assert error["code"] == "unavailable"
    assert error["retry_after_ms"] > 0
    assert tenant.post.heard() == []
    assert len(cleaned) == 1
    assert tenant.count() == 0
    tenant.send(id_="lost")
    tenant.answer(tenant.called())
    assert tenant.reply()["ok"]
    assert tenant.count() == 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_later_stretch_that_is_lost_is_the_end_of_it(
    disk: Disk, tenant: AsyncTenantHarness, times: int
) -> None:
    """Whether it would have waited again or answered: what is said is what is on disk."""
    disk.extend([FINE, LOST])
    tenant.serve(send_letters)
    tenant.send(id_="lost", times=times)
    tenant.answer(tenant.called())
    error = tenant.reply()["error"]
    assert error["code"] == "aborted"
    assert "one step of it was committed" in error["message"]
    assert tenant.post.heard() == []
    assert tenant.count() == 1
    again = tenant.ask(id_="lost", times=times)["error"]
    assert again["code"] == "aborted"
    assert "one step of it was committed" in again["message"]


@pytest.mark.parametrize("fates", [[KEPT], [FINE, KEPT], [FINE, FINE, KEPT], [KEPT, KEPT, KEPT]])
def test_a_stretch_that_is_on_disk_all_the_same_counts(
    disk: Disk, tenant: AsyncTenantHarness, fates: list[str]
) -> None:
    """The table of ids tells: the function goes on, in the database that was opened anew."""
    disk.extend(fates)
    tenant.serve(send_letters)
    tenant.send(times=2)
    for _ in range(2):
        tenant.answer(tenant.called())
    assert tenant.reply()["result"] == {"ids": [1, 2, 3]}
    assert not disk


def test_those_who_wait_outlive_a_commit_of_others_that_fails(
    disk: Disk, tenant: AsyncTenantHarness
) -> None:
    """Their ctx.db is that of the database that is open by then."""
    tenant.serve(send_letters)
    id_ = tenant.send()
    call = tenant.called()
    disk.append(LOST)
    assert tenant.ask("other", action="marks.add")["error"]["code"] == "unavailable"
    tenant.answer(call)
    reply = tenant.reply()
    assert (reply["id"], reply["result"]) == (id_, {"ids": [1, 2]})


# ---------------------------------------------------------------- other versions


OLD = """
from sqlalchemy import text

async def slowly(ctx, params):
    await ctx.call("post.send", to="reader")
    (row,) = ctx.db.all(text("SELECT 41 + 1 AS answer"))
    return {"ids": [row.answer]}
"""

NEW = """
def slowly(ctx, params):
    return {"other": params.text}
"""

NEWER = """
[[actions."marks.slowly".versions]]
version = 2
state   = "release"
code    = "new:slowly"
"""


def test_a_function_ends_on_the_version_it_began_on(
    tmp_path: Path, harness: MailboxHarness
) -> None:
    """Its code, its schemas, its connectors, the SQL text that it may run: the new table has none of it."""
    path = Path(shutil.copytree(INDEX.parent, tmp_path / "index")) / INDEX.name
    (path.parent / "old.py").write_text(OLD)
    (path.parent / "new.py").write_text(NEW)
    one = path.read_text().replace("functions:add_slowly", "old:slowly")
    path.write_text(one)
    tenant = AsyncTenantHarness(
        tmp_path, harness, table=RoutingTable.build(read_index(path), "local-dev")
    )
    tenant.send(id_="old")
    call = tenant.called()

    two = one.replace('properties.ids = { type = "array", items = { type = "integer" } }',
                      'properties.other = { type = "string" }').replace('["ids"]', '["other"]')  # fmt: skip
    path.write_text(two.replace('["timer.sleep", "post.send"]', "[]") + NEWER)
    tenant.snapshot.current = RoutingTable.build(read_index(path), "local-dev")
    new = tenant.ask("new")
    assert (new["result"], new["meta"]["version"]) == ({"other": "new"}, 2)
    tenant.answer(call)
    old = tenant.reply()

    assert (old["id"], old["result"], old["meta"]["version"]) == ("old", {"ids": [42]}, 1)
