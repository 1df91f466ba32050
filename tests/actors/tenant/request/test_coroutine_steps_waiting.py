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
from tests.actors.mailbox_harness import WAIT, House, Watch
from tests.actors.servers import INDEX
from tests.actors.tenant.async_harness import Lounge, Map
from tests.actors.tenant.full_disk import FINE, KEPT, LOST, Disk
from tests.deadline import until
from tests.faulty.functions import ADD, COUNT, HIDDEN, fill, recurse


@pytest.fixture
def house() -> Iterator[House]:
    """Two threads."""
    made = House()
    yield made
    made.empty()


@pytest.fixture
def clock(house: House) -> Iterator[ClockMailbox]:
    """A running Clock, gone before the house is emptied."""
    mailbox = ClockMailbox()
    Clock.start(mailbox)
    yield mailbox
    stop(mailbox, WAIT)


@pytest.fixture
def lounge(tmp_path: Path, house: House) -> Lounge:
    """A tenant; what it asks of the Clock, the test has."""
    return Lounge(tmp_path, house)


@pytest.fixture
def timed(tmp_path: Path, house: House, clock: ClockMailbox) -> Lounge:
    """One with a real Clock."""
    return Lounge(tmp_path, house, clock)


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


def test_a_function_goes_on_with_the_answer(lounge: Lounge) -> None:
    """However often; what it was asked for goes out as it was given."""
    lounge.serve(send_letters)
    id_ = lounge.send(times=2)
    first = lounge.called()
    assert (first.operation, first.params, first.tenant.name) == (
        "post.send", {"to": "reader 0"}, "acme",
    )  # fmt: skip
    assert first.trace_id == f"{1:032x}"
    lounge.answer(first)
    lounge.answer(lounge.called())
    reply = lounge.reply()
    assert (reply["id"], reply["result"]) == (id_, {"ids": [1, 2, 3]})
    assert reply["meta"]["version"] == 1


def test_other_mail_is_served_while_one_waits(lounge: Lounge) -> None:
    """And sees what was committed before the wait."""
    lounge.serve(send_letters)
    id_ = lounge.send()
    call = lounge.called()
    assert lounge.count() == 1
    assert lounge.ask("other", action="marks.add")["ok"]
    lounge.answer(call)
    assert lounge.reply()["id"] == id_
    assert lounge.count() == 2


def test_many_wait_at_once_and_end_in_any_order(lounge: Lounge) -> None:
    """Each gets the answer to its own call."""

    async def echo(ctx: Context, params: Any) -> Map:
        letter = await ctx.call("post.send", to=params.text)
        return {"ids": [letter.number]}

    lounge.serve(echo)
    ids = [lounge.send(str(number)) for number in range(50)]
    calls = [lounge.called() for _ in ids]
    for call in reversed(calls):
        lounge.answer(call, {"number": int(call.params["to"])})
    replies = {reply["id"]: reply["result"] for reply in (lounge.reply() for _ in ids)}
    assert replies == {id_: {"ids": [number]} for number, id_ in enumerate(ids)}


def test_plain_functions_before_and_after_are_not_disturbed(lounge: Lounge) -> None:
    """In one turn: those before are committed first, those after come next, in the order of sending."""
    lounge.serve(send_letters)
    kinds = ["marks.add", "marks.add", "marks.slowly", "marks.add", "marks.slowly", "marks.add"]
    sent = [lounge.send(action=kind) for kind in kinds]
    for _ in range(2):
        lounge.answer(lounge.called())
    replies = {reply["id"]: reply for reply in lounge.replies(6)}
    ids = [replies[id_]["result"] for id_ in sent]
    assert [ids[n]["id"] for n in (0, 1, 3, 5)] == [1, 2, 4, 6]
    assert [ids[n]["ids"][0] for n in (2, 4)] == [3, 5]


def test_a_call_leaves_once_what_was_written_before_it_is_on_disk(lounge: Lounge) -> None:
    """With a mark under the request's id."""
    lounge.serve(send_letters)
    id_ = lounge.send()
    lounge.called()
    assert lounge.on_disk() == 1
    mark = progress_in(lounge.ids()[id_])
    assert mark is not None
    assert mark.steps == 1


def test_a_stretch_that_is_rolled_back_has_called_nobody(lounge: Lounge) -> None:
    """Also where the call was made before the failure."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        call = ctx.call("post.send", to="reader")
        refuse(ctx, params)
        return {"ids": [await call]}

    lounge.serve(function)
    assert lounge.ask()["error"]["code"] == "failed_precondition"
    assert lounge.post.heard() == []
    assert (lounge.count(), lounge.ids()) == (0, {})


def test_now_and_the_rest_of_ctx_are_the_same_in_every_stretch(lounge: Lounge) -> None:
    """They are the message's."""
    seen: list[tuple[Any, ...]] = []

    async def function(ctx: Context, params: Any) -> Map:
        for _ in range(3):
            seen.append((ctx.now, ctx.config, ctx.trace_id, ctx.caller))
            await ctx.call("post.send", to="reader")
        return {"ids": []}

    lounge.serve(function)
    lounge.send()
    for _ in range(3):
        lounge.answer(lounge.called())
    assert lounge.reply()["ok"]
    assert len(seen) == 3
    assert len(set(map(repr, seen))) == 1


def test_a_read_waits_as_well_and_leaves_nothing(lounge: Lounge) -> None:
    """Not even its id: sent again, it is served again."""

    async def function(ctx: Context, params: Any) -> Map:
        before = ctx.db.scalar(COUNT)
        await ctx.call("post.send", to="reader")
        return {"before": before, "after": ctx.db.scalar(COUNT)}

    lounge.serve(function, "marks.watch")
    for before in (0, 1):
        id_ = lounge.send(id_="same", action="marks.watch")
        call = lounge.called()
        assert lounge.ask(action="marks.add")["ok"]
        lounge.answer(call)
        reply = lounge.reply()
        assert (reply["id"], reply["result"]) == (id_, {"before": before, "after": before + 1})
        assert "same" not in lounge.ids()


@pytest.mark.parametrize("statement", [ADD, HIDDEN])
def test_a_read_that_writes_after_a_wait_is_rolled_back(lounge: Lounge, statement: Any) -> None:
    """As one that writes at once, whether or not the statement looks like it."""

    async def function(ctx: Context, params: Any) -> Map:
        await ctx.call("post.send", to="reader")
        ctx.db.run(statement, {"text": "by a read"})
        return {"before": 0, "after": 0}

    lounge.serve(function, "marks.watch")
    lounge.send(action="marks.watch")
    lounge.answer(lounge.called())
    assert lounge.reply()["error"]["code"] == "internal"
    assert lounge.count("by a read") == 0


# ---------------------------------------------------------------- ids


def test_the_same_id_gets_the_reply_again_and_has_one_effect(lounge: Lounge) -> None:
    """As with any function."""
    lounge.serve(send_letters)
    lounge.send(id_="once")
    lounge.answer(lounge.called())
    first, again = lounge.reply(), lounge.ask(id_="once")
    assert again["result"] == first["result"]
    assert again["meta"]["replayed"] is True
    assert lounge.count() == 2


def test_the_log_says_of_each_what_it_was_answered(lounge: Lounge) -> None:
    """One line for each reply: how long its function took, waits included, and why a stored refusal was."""
    lounge.serve(then(refuse))
    lounge.send(id_="halfway")
    call = lounge.called()
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 0.05, "some time")
    lounge.answer(call)
    lounge.reply()
    lounge.ask(id_="halfway")
    lounge.count()
    first, again = lounge.lines()[:2]  # the line of the count may be told after its reply
    assert (first.outcome, first.replayed) == ("failed_precondition", False)
    assert first.handled_ms >= 50
    assert (again.outcome, again.replayed) == ("failed_precondition", True)
    assert again.message == first.message


@pytest.mark.parametrize("writes_first", [True, False])
def test_while_it_is_worked_on_the_same_id_is_asked_to_wait(
    lounge: Lounge, writes_first: bool
) -> None:
    """Whether or not something of it is on disk; and one with other content is refused."""

    async def function(ctx: Context, params: Any) -> Map:
        if writes_first:
            ctx.db.run(ADD, {"text": params.text})
        await ctx.call("post.send", to="reader")
        return {"ids": []}

    lounge.serve(function)
    lounge.send(id_="once")
    call = lounge.called()
    busy = lounge.ask(id_="once")["error"]
    assert busy["code"] == "unavailable"
    assert busy["retry_after_ms"] > 0
    assert "still worked on" in busy["message"]
    other = lounge.ask("other", id_="once")["error"]
    assert other["code"] == "invalid_argument"
    lounge.answer(call)
    assert lounge.reply()["ok"]
    assert lounge.ask(id_="once")["meta"]["replayed"] is True
    assert lounge.post.heard() == []


@pytest.mark.parametrize(
    ("what", "code"),
    [(refuse, "failed_precondition"), (fail, "internal"), (recurse, "internal")],
)
def test_a_later_stretch_that_fails_takes_itself_back_and_is_the_answer_for_good(
    lounge: Lounge, what: Any, code: str
) -> None:
    """Since an earlier one is on disk, nothing of it may run again."""
    lounge.serve(then(what))
    lounge.send(id_="halfway")
    lounge.answer(lounge.called())
    first = lounge.reply()
    assert first["error"]["code"] == code
    assert "one step of it was committed" in first["error"]["message"]
    assert "secret" not in str(first)
    again = lounge.ask(id_="halfway")
    assert again["error"] == first["error"]
    assert again["meta"]["replayed"] is True
    assert lounge.count() == 1
    assert lounge.post.heard() == []


def test_a_failure_before_anything_is_on_disk_is_not_kept(lounge: Lounge) -> None:
    """Sent again, it is served again."""

    async def function(ctx: Context, params: Any) -> Map:
        await ctx.call("post.send", to="reader")
        refuse(ctx, params)
        return {"ids": []}

    lounge.serve(function)
    for _ in range(2):
        lounge.send(id_="refused")
        lounge.answer(lounge.called())
        error = lounge.reply()["error"]
        assert error["message"] == "the reader is away"
        assert error["user_message"] == "Please try tomorrow."
    assert lounge.ids() == {}


def test_what_an_incarnation_left_unfinished_is_aborted_and_not_run_again(
    lounge: Lounge, house: House
) -> None:
    """The caller hears it at once, and whoever sends the id again hears what is on disk, and when it was."""
    lounge.serve(send_letters)
    lounge.send(id_="cut", times=3)
    lounge.answer(lounge.called())
    late = lounge.called()
    before = time.time()
    lounge.mailbox.tell("no message of a tenant's")
    first = lounge.reply()["error"]
    assert first["code"] == "unavailable"
    assert "2 steps of it were committed" in first["message"]
    assert "retry_after_ms" not in first
    assert isinstance(house.watch.hear(), Crashed)
    lounge.mailbox.get()
    lounge.enter()
    lounge.answer(late)
    for _ in range(2):
        error = lounge.ask(id_="cut", times=3)["error"]
        assert error["code"] == "aborted"
        assert "2 steps of it were committed, the first at 20" in error["message"]
    assert lounge.ask("other", id_="cut")["error"]["code"] == "invalid_argument"
    assert lounge.count() == 2
    assert lounge.post.heard() == []
    mark = progress_in(lounge.ids()["cut"])
    assert mark is not None
    assert mark.first <= mark.last <= before


def test_an_id_that_another_request_used_meanwhile_is_not_used_twice(lounge: Lounge) -> None:
    """A plain version took the place of one that waits and has nothing on disk: one of the two counts."""

    async def function(ctx: Context, params: Any) -> Map:
        await ctx.call("post.send", to="reader")
        return {"ids": [ctx.db.scalar(ADD, {"text": params.text})]}

    def plain(ctx: Context, params: Any) -> Map:
        return {"ids": [ctx.db.scalar(ADD, {"text": params.text})]}

    lounge.serve(function, is_async=True)
    lounge.send(id_="once")
    call = lounge.called()
    lounge.serve(plain, is_async=False)
    assert lounge.ask(id_="once")["ok"]
    lounge.answer(call)
    error = lounge.reply()["error"]
    assert error["code"] == "aborted"
    assert "nothing was kept" in error["message"]
    assert lounge.count() == 1


# ---------------------------------------------------------------- what may be awaited and called


def test_awaiting_anything_else_is_an_error_that_says_what_may_be(lounge: Lounge) -> None:
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

    lounge.serve(function)
    lounge.send()
    lounge.answer(lounge.called())
    assert lounge.reply()["error"]["code"] == "internal"
    assert said == [AWAITABLE]


def test_a_call_that_was_not_awaited_fails_the_request(lounge: Lounge) -> None:
    """What the function wrote in that step is taken back: it cannot have meant it."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        ctx.call("post.send", to="reader")
        return {"ids": []}

    lounge.serve(function)
    assert lounge.ask()["error"]["code"] == "internal"
    assert (lounge.count(), lounge.post.heard()) == (0, [])


def test_a_refusal_of_the_connector_can_be_caught(lounge: Lounge) -> None:
    """It is raised at the await."""

    async def function(ctx: Context, params: Any) -> Map:
        try:
            await ctx.call("post.send", to="nobody")
        except FailedPrecondition as refusal:
            return {"ids": [len(str(refusal))]}
        return {"ids": []}

    lounge.serve(function)
    lounge.send()
    lounge.answer(lounge.called(), FailedPrecondition("gone"))
    assert lounge.reply()["result"] == {"ids": [4]}


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
    lounge: Lounge, answer: Any, code: str
) -> None:
    """Unless the function catches it."""
    lounge.serve(send_letters)
    lounge.send()
    lounge.answer(lounge.called(), answer)
    assert lounge.reply()["error"]["code"] == code
    assert lounge.count() == 1


def test_a_connector_that_is_not_there_says_so_at_the_await(tmp_path: Path, house: House) -> None:
    """As a dummy does."""
    lounge = Lounge(tmp_path, house, connectors={})
    lounge.serve(send_letters)
    error = lounge.ask()["error"]
    assert error["code"] == "unimplemented"
    assert "connector post: to be implemented" in error["message"]


def test_ctx_db_is_nobody_s_while_its_function_waits(lounge: Lounge) -> None:
    """Whoever got hold of it."""
    kept: list[Context] = []

    async def function(ctx: Context, params: Any) -> Map:
        kept.append(ctx)
        await ctx.call("post.send", to="reader")
        return {"ids": [ctx.db.scalar(ADD, {"text": params.text})]}

    def thief(ctx: Context, params: Any) -> Map:
        with pytest.raises(StatementRefused, match="nobody's while it waits"):
            kept[0].db.scalar(ADD, {"text": "stolen"})
        return {"id": 1}

    lounge.serve(function)
    lounge.serve(thief, "marks.add")
    lounge.send()
    call = lounge.called()
    assert lounge.ask(action="marks.add")["ok"]
    lounge.answer(call)
    assert lounge.reply()["result"] == {"ids": [1]}
    assert lounge.count("stolen") == 0


# ---------------------------------------------------------------- limits


def test_more_than_may_wait_are_refused_at_once(
    lounge: Lounge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain functions are not; and there is room again when one has ended."""
    monkeypatch.setattr("actors.tenant.request.suspended.MAX_SUSPENDED", 3)
    lounge.serve(send_letters)
    ids = [lounge.send(str(number)) for number in range(3)]
    calls = [lounge.called() for _ in ids]
    error = lounge.ask("one more", id_="fourth")["error"]
    assert error["code"] == "resource_exhausted"
    assert error["retry_after_ms"] > 0
    assert lounge.ask(action="marks.add")["ok"]
    lounge.answer(calls[0])
    assert lounge.reply()["ok"]
    lounge.send("one more", id_="fourth")
    lounge.answer(lounge.called())
    assert lounge.reply()["ok"]


def test_each_stretch_is_charged_and_none_but_the_first_is_refused(lounge: Lounge) -> None:
    """A function that has begun is not ended halfway for what it costs."""

    async def function(ctx: Context, params: Any) -> Map:
        for _ in range(2):
            await ctx.call("post.send", to="reader")
            ends = time.thread_time() + 0.05
            while time.thread_time() < ends:
                pass
        return {"ids": []}

    lounge.serve(function)
    lounge.limit(function_ms_per_second=4.0)
    lounge.send()
    for _ in range(2):
        lounge.answer(lounge.called())
    assert lounge.reply()["ok"]
    error = lounge.ask()["error"]
    assert error["code"] == "resource_exhausted"
    assert error["retry_after_ms"] > 0


@pytest.mark.parametrize("writes_first", [True, False])
def test_what_waits_past_the_deadline_is_closed_and_says_what_is_kept(
    timed: Lounge, later: Passing, writes_first: bool
) -> None:
    """Its `finally` runs, without a database; a late answer is nobody's."""
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


def test_an_answer_after_the_deadline_is_no_answer(lounge: Lounge, passed: Passing) -> None:
    """Also where the Clock is late."""
    lounge.serve(send_letters)
    lounge.send(seconds=60.0)
    call = lounge.called()
    passed(60.0)
    lounge.answer(call)
    assert lounge.reply()["error"]["code"] == "deadline_exceeded"
    assert lounge.count() == 1


def test_deadlines_come_in_their_own_order(timed: Lounge, later: Passing) -> None:
    """Whoever was first to wait; one timer serves them all."""
    timed.serve(send_letters)
    ids = [timed.send(seconds=seconds) for seconds in (180.0, 60.0, 600.0, 120.0)]
    calls = [timed.called() for _ in ids]
    for due in (ids[1], ids[3], ids[0]):
        later(60.0)
        assert timed.reply()["id"] == due
    timed.answer(calls[2])
    assert timed.reply()["ok"]


def test_a_function_that_clings_to_its_wait_is_closed_all_the_same(
    timed: Lounge, later: Passing
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


def test_a_full_database_ends_the_stretch_and_keeps_the_one_before(lounge: Lounge) -> None:
    """SQLite has rolled back the transaction by itself; others are served on."""
    lounge.serve(then(fill))
    lounge.send(id_="full")
    lounge.answer(lounge.called())
    error = lounge.reply()["error"]
    assert error["code"] == "resource_exhausted"
    assert "one step of it was committed" in error["message"]
    assert lounge.ask(id_="full")["error"] == error
    assert lounge.count() == 1
    assert lounge.ask(action="marks.add")["ok"]


def test_a_function_cannot_hide_that_its_stretch_is_lost(lounge: Lounge) -> None:
    """Whether it ends or waits after it has caught the error."""

    async def function(ctx: Context, params: Any) -> Map:
        ctx.db.run(ADD, {"text": params.text})
        await ctx.call("post.send", to="reader")
        with pytest.raises(Exception, match="full"):
            fill(ctx, params)
        await ctx.call("post.send", to="reader")
        return {"ids": []}

    lounge.serve(function)
    lounge.send(id_="hidden")
    lounge.answer(lounge.called())
    assert lounge.reply()["error"]["code"] == "internal"
    assert lounge.post.heard() == []
    assert lounge.count() == 1


def test_a_first_stretch_that_is_lost_has_called_nobody(disk: Disk, lounge: Lounge) -> None:
    """The caller is refused as of any commit that fails; sent again, it is served."""
    cleaned: list[None] = []

    async def function(ctx: Context, params: Any) -> Map:
        try:
            return await send_letters(ctx, params)
        finally:
            cleaned.append(None)

    disk.append(LOST)
    lounge.serve(function)
    error = lounge.ask(id_="lost")["error"]
    assert error["code"] == "unavailable"
    assert error["retry_after_ms"] > 0
    assert lounge.post.heard() == []
    assert len(cleaned) == 1
    assert lounge.count() == 0
    lounge.send(id_="lost")
    lounge.answer(lounge.called())
    assert lounge.reply()["ok"]
    assert lounge.count() == 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_later_stretch_that_is_lost_is_the_end_of_it(
    disk: Disk, lounge: Lounge, times: int
) -> None:
    """Whether it would have waited again or answered: what is said is what is on disk."""
    disk.extend([FINE, LOST])
    lounge.serve(send_letters)
    lounge.send(id_="lost", times=times)
    lounge.answer(lounge.called())
    error = lounge.reply()["error"]
    assert error["code"] == "aborted"
    assert "one step of it was committed" in error["message"]
    assert lounge.post.heard() == []
    assert lounge.count() == 1
    again = lounge.ask(id_="lost", times=times)["error"]
    assert again["code"] == "aborted"
    assert "one step of it was committed" in again["message"]


@pytest.mark.parametrize("fates", [[KEPT], [FINE, KEPT], [FINE, FINE, KEPT], [KEPT, KEPT, KEPT]])
def test_a_stretch_that_is_on_disk_all_the_same_counts(
    disk: Disk, lounge: Lounge, fates: list[str]
) -> None:
    """The table of ids tells: the function goes on, in the database that was opened anew."""
    disk.extend(fates)
    lounge.serve(send_letters)
    lounge.send(times=2)
    for _ in range(2):
        lounge.answer(lounge.called())
    assert lounge.reply()["result"] == {"ids": [1, 2, 3]}
    assert not disk


def test_those_who_wait_outlive_a_commit_of_others_that_fails(disk: Disk, lounge: Lounge) -> None:
    """Their ctx.db is that of the database that is open by then."""
    lounge.serve(send_letters)
    id_ = lounge.send()
    call = lounge.called()
    disk.append(LOST)
    assert lounge.ask("other", action="marks.add")["error"]["code"] == "unavailable"
    lounge.answer(call)
    reply = lounge.reply()
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


def test_a_function_ends_on_the_version_it_began_on(tmp_path: Path, house: House) -> None:
    """Its code, its schemas, its connectors, the SQL text that it may run: the new table has none of it."""
    path = Path(shutil.copytree(INDEX.parent, tmp_path / "index")) / INDEX.name
    (path.parent / "old.py").write_text(OLD)
    (path.parent / "new.py").write_text(NEW)
    one = path.read_text().replace("functions:add_slowly", "old:slowly")
    path.write_text(one)
    lounge = Lounge(tmp_path, house, table=RoutingTable.build(read_index(path), "local-dev"))
    lounge.send(id_="old")
    call = lounge.called()

    two = one.replace('properties.ids = { type = "array", items = { type = "integer" } }',
                      'properties.other = { type = "string" }').replace('["ids"]', '["other"]')  # fmt: skip
    path.write_text(two.replace('["timer.sleep", "post.send"]', "[]") + NEWER)
    lounge.snapshot.current = RoutingTable.build(read_index(path), "local-dev")
    new = lounge.ask("new")
    assert (new["result"], new["meta"]["version"]) == ({"other": "new"}, 2)
    lounge.answer(call)
    old = lounge.reply()

    assert (old["id"], old["result"], old["meta"]["version"]) == ("old", {"ids": [42]}, 1)
