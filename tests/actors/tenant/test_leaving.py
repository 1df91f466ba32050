"""A tenant whose functions wait, and who is asked to leave: nothing is lost, and no caller asks on and on."""

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
from tests.actors.mailbox_harness import WAIT, MailboxHarness
from tests.actors.tenant.async_harness import AsyncTenantHarness
from tests.actors.tenant.request.test_coroutine_steps_waiting import send_letters
from tests.pipe import Pipe


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Two threads."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def tenant(tmp_path: Path, harness: MailboxHarness) -> AsyncTenantHarness:
    """A tenant with a function that waits for letters."""
    made = AsyncTenantHarness(tmp_path, harness)
    made.serve(send_letters)
    return made


@pytest.fixture
def timed(tmp_path: Path, harness: MailboxHarness) -> Iterator[AsyncTenantHarness]:
    """As above, with a real Clock."""
    clock = ClockMailbox()
    Clock.start(clock)
    made = AsyncTenantHarness(tmp_path, harness, clock)
    made.serve(send_letters)
    yield made
    stop(clock, WAIT)


def stays(tenant: AsyncTenantHarness, message: Passivate) -> bool:
    """Whether it says so, when asked to leave."""
    tenant.mailbox.tell(message)
    return bool(tenant.harness.watch.hear() == PassivationDeclined(tenant.mailbox))


def is_silent(tenant: AsyncTenantHarness) -> bool:
    """Whether it has said nothing to its supervisor, now that it has served its mail."""
    tenant.count()
    return not tenant.harness.watch.heard()


def leaves(tenant: AsyncTenantHarness) -> bool:
    """Whether that is what its supervisor receives next."""
    return bool(tenant.harness.watch.hear() == Stopped(tenant.mailbox))


def test_an_idle_tenant_stays_while_a_function_waits(tenant: AsyncTenantHarness) -> None:
    """And leaves when asked again later, with all that was written in its file."""
    tenant.send()
    call = tenant.called()
    assert all(stays(tenant, Passivate()) for _ in range(3))
    tenant.answer(call)
    assert tenant.reply()["ok"]
    tenant.mailbox.tell(Passivate())
    assert leaves(tenant)
    assert tenant.on_disk() == 2


PATIENT = Passivate(insist=True, patient=True)


def test_whoever_needs_the_place_is_told_to_take_another_s(tenant: AsyncTenantHarness) -> None:
    """Where there is none it says nothing, so that asking does not go round, and leaves after the last."""
    tenant.send(times=2)
    call = tenant.called()
    assert all(stays(tenant, Passivate(insist=True)) for _ in range(3))
    tenant.mailbox.tell(PATIENT)
    assert is_silent(tenant)
    tenant.answer(call)
    assert is_silent(tenant)
    tenant.answer(tenant.called())
    assert tenant.reply()["ok"]
    assert leaves(tenant)
    assert tenant.on_disk() == 3


def test_on_its_way_out_it_lets_nobody_in_who_might_wait(tenant: AsyncTenantHarness) -> None:
    """Or it would never be gone. Plain requests are served."""
    tenant.send()
    call = tenant.called()
    tenant.mailbox.tell(PATIENT)
    error = tenant.ask()["error"]
    assert error["code"] == "resource_exhausted"
    assert error["retry_after_ms"] > 0
    assert tenant.ask(action="marks.add")["ok"]
    tenant.answer(call)
    assert tenant.reply()["ok"]
    assert leaves(tenant)


def test_one_without_functions_leaves_however_it_is_asked(tenant: AsyncTenantHarness) -> None:
    """At once, also where mail waits: it wakes the tenant again."""
    tenant.mailbox.tell(PATIENT)
    assert leaves(tenant)


def test_a_deleted_tenant_s_functions_are_cancelled(tenant: AsyncTenantHarness) -> None:
    """Their callers receive what is on disk, and that there is no use in trying again."""
    ids = [tenant.send(), tenant.send()]
    tenant.answer(tenant.called())
    assert tenant.reply()["ok"]
    tenant.mailbox.tell(Passivate(insist=True, cancel=True))
    reply = tenant.reply()
    assert reply["id"] == ids[1]
    assert reply["error"]["code"] == "unavailable"
    assert "tenant acme is deleted" in reply["error"]["message"]
    assert "one step of it was committed" in reply["error"]["message"]
    assert "retry_after_ms" not in reply["error"]
    assert leaves(tenant)


def close(tenant: AsyncTenantHarness) -> None:
    """Have it leave in 30 s at the latest, and wait until it has been notified."""
    tenant.clock.hear()
    tenant.mailbox.closing = time.monotonic() + 30.0
    tenant.mailbox.tell(Passivate())
    assert tenant.clock.hear().seconds < 30.0


def test_a_stopping_server_waits_for_those_who_end_in_time(tenant: AsyncTenantHarness) -> None:
    """It is not told that the tenant stays: it would ask at once again."""
    tenant.send()
    call = tenant.called()
    close(tenant)
    assert tenant.harness.watch.heard() == []
    tenant.answer(call)
    assert tenant.reply()["ok"]
    assert leaves(tenant)


def test_what_was_accepted_before_the_last_one_ends_is_served(
    tenant: AsyncTenantHarness, tmp_path: Path
) -> None:
    """Before the tenant leaves."""
    tenant.send()
    call = tenant.called()
    close(tenant)
    pipe = Pipe(tmp_path)
    tenant.send(action="trouble.make", **pipe.params)
    pipe.reached()
    tenant.answer(call)
    for _ in range(20):
        tenant.send(action="marks.add")
    pipe.release()
    assert all(reply["ok"] for reply in tenant.replies(22))
    assert leaves(tenant)


@pytest.mark.parametrize("began_before", [True, False])
def test_at_closing_time_those_who_still_wait_are_cancelled(
    timed: AsyncTenantHarness, began_before: bool
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
    assert (timed.outlet.heard(), timed.harness.watch.heard()) == ([], [])


def test_one_of_whom_nothing_is_on_disk_may_be_sent_again(timed: AsyncTenantHarness) -> None:
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


def test_a_timer_that_is_left_over_wakes_nobody(tenant: AsyncTenantHarness) -> None:
    """One is set for the first deadline; when it rings, no caller waits any more."""
    for seconds in (50.0, 60.0, 40.0):
        tenant.send(seconds=seconds)
        tenant.answer(tenant.called())
        assert tenant.reply()["ok"]
    timers = tenant.clock.heard()
    assert [round(timer.seconds) for timer in timers] == [50, 40]
    tenant.mailbox.tell(Passivate())
    assert leaves(tenant)
    for timer in timers:
        assert isinstance(timer, Once)
        timer.to.tell(timer.message)
    assert tenant.mailbox.empty()


def test_an_answer_that_comes_too_late_wakes_nobody(tenant: AsyncTenantHarness) -> None:
    """Its function was cancelled, and its tenant is gone."""
    tenant.send()
    call = tenant.called()
    tenant.mailbox.tell(Passivate(insist=True, cancel=True))
    assert tenant.reply()["error"]
    assert leaves(tenant)
    tenant.answer(call)
    assert tenant.mailbox.empty()
