"""A tenant whose functions wait, and who is asked to leave: nothing is lost, and nobody asks on and on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.messages import Passivate, PassivationDeclined
from actors.runtime.actor import stop
from actors.runtime.clock import Clock, ClockMailbox, Once
from actors.runtime.mailbox import Stopped
from actors.tenant.request.idempotency import progress_in
from tests.actors.mailbox_harness import WAIT, House
from tests.actors.tenant.async_harness import Lounge
from tests.actors.tenant.request.test_coroutine_steps_waiting import send_letters
from tests.pipe import Pipe


@pytest.fixture
def house() -> Iterator[House]:
    """Two threads."""
    made = House()
    yield made
    made.empty()


@pytest.fixture
def lounge(tmp_path: Path, house: House) -> Lounge:
    """A tenant with a function that waits for letters."""
    made = Lounge(tmp_path, house)
    made.serve(send_letters)
    return made


@pytest.fixture
def timed(tmp_path: Path, house: House) -> Iterator[Lounge]:
    """As above, with a real Clock."""
    clock = ClockMailbox()
    Clock.start(clock)
    made = Lounge(tmp_path, house, clock)
    made.serve(send_letters)
    yield made
    stop(clock, WAIT)


def stays(lounge: Lounge, message: Passivate) -> bool:
    """Whether it says so, when asked to leave."""
    lounge.mailbox.tell(message)
    return bool(lounge.house.watch.hear() == PassivationDeclined(lounge.mailbox))


def is_silent(lounge: Lounge) -> bool:
    """Whether it has said nothing to its supervisor, now that it has served its mail."""
    lounge.count()
    return not lounge.house.watch.heard()


def leaves(lounge: Lounge) -> bool:
    """Whether that is what its supervisor hears next."""
    return bool(lounge.house.watch.hear() == Stopped(lounge.mailbox))


def test_an_idle_tenant_stays_while_a_function_waits(lounge: Lounge) -> None:
    """And leaves when asked again later, with all that was written in its file."""
    lounge.send()
    call = lounge.called()
    assert all(stays(lounge, Passivate()) for _ in range(3))
    lounge.answer(call)
    assert lounge.reply()["ok"]
    lounge.mailbox.tell(Passivate())
    assert leaves(lounge)
    assert lounge.on_disk() == 2


PATIENT = Passivate(insist=True, patient=True)


def test_whoever_needs_the_place_is_told_to_take_another_s(lounge: Lounge) -> None:
    """Where there is none it says nothing, so that asking does not go round, and leaves after the last."""
    lounge.send(times=2)
    call = lounge.called()
    assert all(stays(lounge, Passivate(insist=True)) for _ in range(3))
    lounge.mailbox.tell(PATIENT)
    assert is_silent(lounge)
    lounge.answer(call)
    assert is_silent(lounge)
    lounge.answer(lounge.called())
    assert lounge.reply()["ok"]
    assert leaves(lounge)
    assert lounge.on_disk() == 3


def test_on_its_way_out_it_lets_nobody_in_who_might_wait(lounge: Lounge) -> None:
    """Or it would never be gone. Plain requests are served."""
    lounge.send()
    call = lounge.called()
    lounge.mailbox.tell(PATIENT)
    error = lounge.ask()["error"]
    assert error["code"] == "resource_exhausted"
    assert error["retry_after_ms"] > 0
    assert lounge.ask(action="marks.add")["ok"]
    lounge.answer(call)
    assert lounge.reply()["ok"]
    assert leaves(lounge)


def test_one_without_functions_leaves_however_it_is_asked(lounge: Lounge) -> None:
    """At once, also where mail waits: it wakes the tenant again."""
    lounge.mailbox.tell(PATIENT)
    assert leaves(lounge)


def test_a_deleted_tenant_s_functions_are_cancelled(lounge: Lounge) -> None:
    """Their callers hear what is on disk, and that there is no use in trying again."""
    ids = [lounge.send(), lounge.send()]
    lounge.answer(lounge.called())
    assert lounge.reply()["ok"]
    lounge.mailbox.tell(Passivate(insist=True, cancel=True))
    reply = lounge.reply()
    assert reply["id"] == ids[1]
    assert reply["error"]["code"] == "unavailable"
    assert "tenant acme is deleted" in reply["error"]["message"]
    assert "one step of it was committed" in reply["error"]["message"]
    assert "retry_after_ms" not in reply["error"]
    assert leaves(lounge)


def close(lounge: Lounge) -> None:
    """Have it leave in 30 s at the latest, and wait until it has heard so."""
    lounge.clock.hear()
    lounge.mailbox.closing = time.monotonic() + 30.0
    lounge.mailbox.tell(Passivate())
    assert lounge.clock.hear().seconds < 30.0


def test_a_stopping_server_waits_for_those_who_end_in_time(lounge: Lounge) -> None:
    """It is not told that the tenant stays: it would ask at once again."""
    lounge.send()
    call = lounge.called()
    close(lounge)
    assert lounge.house.watch.heard() == []
    lounge.answer(call)
    assert lounge.reply()["ok"]
    assert leaves(lounge)


def test_what_was_accepted_before_the_last_one_ends_is_served(
    lounge: Lounge, tmp_path: Path
) -> None:
    """Before the tenant leaves."""
    lounge.send()
    call = lounge.called()
    close(lounge)
    pipe = Pipe(tmp_path)
    lounge.send(action="trouble.make", **pipe.params)
    pipe.reached()
    lounge.answer(call)
    for _ in range(20):
        lounge.send(action="marks.add")
    pipe.release()
    assert all(reply["ok"] for reply in lounge.replies(22))
    assert leaves(lounge)


@pytest.mark.parametrize("began_before", [True, False])
def test_at_closing_time_those_who_still_wait_are_cancelled(
    timed: Lounge, began_before: bool
) -> None:
    """Also those of a tenant that was on its way out for another reason."""
    timed.send(id_="closed")
    call = timed.called()
    if began_before:
        timed.mailbox.tell(PATIENT)
        assert is_silent(timed)
    timed.mailbox.closing = time.monotonic() + 0.05
    timed.mailbox.tell(Passivate())
    error = timed.reply()["error"]
    assert error["code"] == "unavailable"
    assert "the server is stopping; one step of it was committed" in error["message"]
    assert leaves(timed)
    timed.answer(call)
    stored = timed.ids()["closed"]
    assert progress_in(stored) is None
    assert b"the server is stopping" in stored
    assert (timed.outlet.heard(), timed.house.watch.heard()) == ([], [])


def test_one_of_whom_nothing_is_on_disk_may_be_sent_again(timed: Lounge) -> None:
    """To the next server."""

    async def function(ctx: Any, params: Any) -> Any:
        await ctx.call("post.send", to="reader")

    timed.serve(function)
    timed.send()
    timed.called()
    timed.mailbox.closing = time.monotonic()
    timed.mailbox.tell(Passivate())
    error = timed.reply()["error"]
    assert "nothing of it was committed" in error["message"]
    assert error["retry_after_ms"] > 0
    assert leaves(timed)


def test_a_timer_that_is_left_over_wakes_nobody(lounge: Lounge) -> None:
    """One is set for the first deadline; when it rings, nobody waits any more."""
    for seconds in (50.0, 60.0, 40.0):
        lounge.send(seconds=seconds)
        lounge.answer(lounge.called())
        assert lounge.reply()["ok"]
    timers = lounge.clock.heard()
    assert [round(timer.seconds) for timer in timers] == [50, 40]
    lounge.mailbox.tell(Passivate())
    assert leaves(lounge)
    for timer in timers:
        assert isinstance(timer, Once)
        timer.to.tell(timer.message)
    assert lounge.mailbox.empty()


def test_an_answer_that_comes_too_late_wakes_nobody(lounge: Lounge) -> None:
    """Its function was cancelled, and its tenant is gone."""
    lounge.send()
    call = lounge.called()
    lounge.mailbox.tell(Passivate(insist=True, cancel=True))
    assert lounge.reply()["error"]
    assert leaves(lounge)
    lounge.answer(call)
    assert lounge.mailbox.empty()
