"""A tenant and what its functions send: when it leaves, how often, in which order, and who hears of it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    NotSubscribed,
    ResourceExhausted,
    Unavailable,
)
from actors.messages import ListDeliveries, PassivationDeclined, Redeliver
from actors.runtime.mailbox import Stopped
from actors.tenant.actor import Tenant
from actors.tenant.outbox.attempt import ATTEMPT_SECONDS, MAX_ATTEMPTS, MAX_NOTIFICATIONS, backoff
from actors.tenant.outbox.relay import MAX_IN_FLIGHT
from actors.tenant.request.unit_of_work import UnitOfWork
from tests.actors.tenant.outbox_harness import ACME, Crash, Depot
from transport.message import UNAVAILABLE, Refusal


@pytest.fixture
def depot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Depot]:
    """With waits of no time, so that a ring of the clock is enough."""
    monkeypatch.setattr("actors.tenant.outbox.relay.backoff", lambda *_: 0.0)
    made = Depot(tmp_path, monkeypatch)
    yield made
    made.close()


# ---------------------------------------------------------------- leaving


def test_it_leaves_after_the_commit_with_all_that_a_connector_needs(depot: Depot) -> None:
    """Before the commit the connector has heard nothing."""
    before: list[object] = []
    depot.commits.append(lambda: before.extend(depot.operates()))
    key = depot.sent("a parcel")
    (message,) = depot.operates()
    assert before == []
    assert (message.operation, message.params, message.key) == (
        "post.deliver",
        {"name": "a parcel"},
        key,
    )
    assert 0 < message.deadline - time.monotonic() <= ATTEMPT_SECONDS


@pytest.mark.parametrize("fail", ["refusal", "defect"])
def test_a_function_that_is_rolled_back_has_sent_nothing(depot: Depot, fail: str) -> None:
    """Whether it refuses or fails."""
    depot.call("parcels.send", name="never", fail=fail)
    assert depot.operates() == []
    assert depot.states() == []


def test_a_function_that_waits_sends_stretch_by_stretch(depot: Depot) -> None:
    """What it sent before its wait has left although it has not ended."""
    depot.call("parcels.send_two", name="two")
    assert len(depot.operates()) == 2
    assert depot.states() == ["waiting", "waiting"]


def test_a_request_that_comes_again_sends_once(depot: Depot) -> None:
    """The id's reply is stored with what was sent."""
    depot.call("parcels.send", id_="r-1", name="once")
    depot.call("parcels.send", id_="r-1", name="once")
    assert depot.replies["r-1"].meta["replayed"]
    assert len(depot.operates()) == 1


def test_a_read_may_not_send(depot: Depot) -> None:
    """What it wrote would be rolled back."""
    reply = depot.replies[depot.call("parcels.count", send=True)]
    assert reply.error is not None
    assert reply.error.code == "internal"
    assert depot.operates() == []


def test_no_more_than_some_are_under_way_at_once(depot: Depot) -> None:
    """The next leaves as one is answered."""
    for _ in range(MAX_IN_FLIGHT + 3):
        depot.sent(then="")
    first, *others = depot.operates()
    assert len(others) == MAX_IN_FLIGHT - 1
    depot.accept(first)
    assert len(depot.operates()) == 1


# ---------------------------------------------------------------- outcomes


def test_whoever_was_named_hears_of_a_success_and_the_row_is_gone(depot: Depot) -> None:
    """Although nobody but an admin owner could call that action."""
    key = depot.sent()
    depot.accept(depot.operate())
    assert depot.heard() == [(key, True)]
    assert depot.states() == []
    assert depot.replies.keys() != {key}


def test_hearing_of_it_and_the_end_of_the_row_are_one_commit(depot: Depot) -> None:
    """A crash right after it has nothing left to tell; one right before tells it again."""
    key = depot.sent()
    (message,) = depot.operates()

    def end() -> None:
        raise Crash

    depot.after_commits.extend([lambda: None, end])  # its outcome; then whoever hears of it
    depot.accept(message)
    assert depot.rows("SELECT count(*) FROM tenantry_outbox") == [(0,)]
    assert depot.heard() == [(key, True)]

    again = depot.sent()
    (message,) = depot.operates()
    depot.commits.extend([lambda: None, end])
    depot.accept(message)
    depot.rang()
    assert depot.heard() == [(key, True), (again, True)]
    assert depot.operates() == []  # its outcome was on disk: it is not delivered again


@pytest.mark.parametrize(
    "error", [Unavailable("away"), DeadlineExceeded("late"), ResourceExhausted("busy")]
)
def test_what_may_help_is_tried_again_with_the_same_key(depot: Depot, error: Exception) -> None:
    """Nobody hears of it meanwhile."""
    key = depot.sent()
    for _ in range(3):
        (message,) = depot.operates()
        assert message.key == key
        depot.refuse(message, error)
        assert depot.heard() == []
        depot.rang()
    depot.accept(depot.operate())
    assert depot.heard() == [(key, True)]


def test_what_is_too_large_to_be_looked_at_says_how_large_it_is(depot: Depot) -> None:
    """A page of mails with attachments would be hundreds of megabytes; what is sent is whole."""
    depot.sent()
    large = json.dumps({"name": "x" * 100_000})
    with closing(sqlite3.connect(depot.storage.path(ACME.id))) as file, file:
        file.execute("UPDATE tenantry_outbox SET params = ?", (large.encode(),))
    (shown,) = depot.ask(ListDeliveries(dead=False, connector=None, after=0, limit=1))
    assert shown["params"] == {"_summary": f"{len(large)} bytes"}


@pytest.mark.parametrize("error", [NotSubscribed("no"), FailedPrecondition("no"), KeyError("no")])
def test_what_cannot_be_mended_by_trying_is_dead_at_once(depot: Depot, error: Exception) -> None:
    """A defect of the connector, too: the peer may have acted before it."""
    key = depot.sent()
    depot.refuse(depot.operate(), error)
    assert depot.heard() == [(key, False)]
    assert depot.states() == ["dead"]
    depot.rang()
    assert depot.operates() == []


def test_it_is_given_up_after_so_many_attempts(depot: Depot) -> None:
    """And whoever was named hears of it once."""
    key = depot.sent()
    for _ in range(MAX_ATTEMPTS):
        depot.refuse(depot.operate(), Unavailable("away"))
        depot.rang()
    assert depot.operates() == []
    assert depot.heard() == [(key, False)]
    assert depot.states() == ["dead"]


def test_an_answer_that_does_not_fit_the_schema_is_a_defect(depot: Depot) -> None:
    """The function that hears of it may rely on its shape."""
    key = depot.sent()
    (message,) = depot.operates()
    message.reply_to.set({"receipt": 7})
    depot.run()
    assert depot.heard() == [(key, False)]


def test_no_answer_counts_as_one_that_may_come(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connector that was lost answers nothing."""
    monkeypatch.setattr("actors.tenant.outbox.attempt.GRACE_SECONDS", -ATTEMPT_SECONDS)
    key = depot.sent()
    assert len(depot.operates()) == 1
    depot.rang()
    assert [message.key for message in depot.operates()] == [key]
    ((attempts, error),) = depot.rows("SELECT attempts, last_error FROM tenantry_outbox")
    assert attempts == 1
    assert "not answered within 60 s" in error


def test_a_refusal_of_whoever_hears_is_final(depot: Depot) -> None:
    """It stands in the tenant's log; nothing is told again."""
    depot.sent()
    depot.accept(depot.operate(), receipt="have them refuse")
    assert depot.heard() == []
    assert depot.states() == []


def test_a_defect_of_whoever_hears_is_told_again_and_then_set_aside(depot: Depot) -> None:
    """Its delivery is done and not repeated."""
    depot.sent()
    depot.accept(depot.operate(), receipt="have them fail")
    for _ in range(MAX_NOTIFICATIONS):
        depot.rang()
    assert depot.operates() == []
    assert depot.heard() == []
    assert depot.states() == ["dead"]


# ---------------------------------------------------------------- order


def test_ordered_ones_leave_one_after_another(depot: Depot) -> None:
    """A retry holds up those behind it, and nobody else."""
    first, second = depot.sent(ordered=True), depot.sent(ordered=True)
    other = depot.sent()
    told = {message.key: message for message in depot.operates()}
    assert set(told) == {first, other}
    depot.refuse(told[first], Unavailable("away"))
    depot.rang()
    (again,) = depot.operates()
    assert again.key == first
    depot.accept(again)
    assert [message.key for message in depot.operates()] == [second]


def test_a_dead_one_lets_the_next_go(depot: Depot) -> None:
    """It would wait for ever."""
    depot.sent(ordered=True)
    second = depot.sent(ordered=True)
    depot.refuse(depot.operate(), FailedPrecondition("no"))
    assert [message.key for message in depot.operates()] == [second]


# ---------------------------------------------------------------- leaving and coming back


def test_what_a_crash_cut_off_is_repeated_with_the_same_key(depot: Depot) -> None:
    """The answer to the first attempt is nobody's any more."""
    key = depot.sent()
    (lost,) = depot.operates()
    depot.crash()
    (again,) = depot.operates()
    assert again.key == lost.key == key
    depot.accept(lost)
    assert depot.heard() == []
    depot.accept(again)
    assert depot.heard() == [(key, True)]


def test_a_tenant_with_deliveries_under_way_stays_once_and_then_leaves(depot: Depot) -> None:
    """For idleness it stays as long as that takes."""
    depot.sent()
    assert depot.asked_to_leave() == [PassivationDeclined(depot.mailbox)]
    assert depot.asked_to_leave(insist=True) == [PassivationDeclined(depot.mailbox)]
    assert depot.asked_to_leave(insist=True) == [Stopped(depot.mailbox)]


def test_a_server_that_stops_waits_for_answers_until_its_time_is_over(depot: Depot) -> None:
    """Nothing new leaves meanwhile."""
    depot.sent(then="")
    depot.sent(then="")
    first, second = depot.operates()
    depot.mailbox.closing = time.monotonic() + 60.0
    assert depot.asked_to_leave() == []
    depot.accept(first)
    assert depot.news == []
    depot.mailbox.closing = time.monotonic()
    depot.rang()
    assert depot.news == [Stopped(depot.mailbox)]
    assert depot.states() == ["waiting"]
    assert second.reply_to.done() is False


def test_a_retry_in_the_future_lets_the_tenant_go_and_wakes_it(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the Clock, and for another process by the marker's time."""
    monkeypatch.setattr("actors.tenant.outbox.relay.backoff", lambda *_: 500.0)
    depot.sent()
    depot.refuse(depot.operate(), Unavailable("away"))
    alarm = depot.clock.heard()[-1]
    assert depot.asked_to_leave() == [Stopped(depot.mailbox)]
    assert 400 < depot.marker.stat().st_mtime - time.time() < 501
    assert depot.storage.due_flags(time.time()) == []
    assert len(depot.storage.due_flags(time.time() + 501)) == 1
    alarm.to.tell(alarm.message)
    assert not depot.mailbox.empty()


def test_a_due_time_that_no_wait_is_as_long_as_is_brought_back(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was years ahead when the attempt failed, and is right now."""
    monkeypatch.setattr("actors.tenant.outbox.relay.backoff", lambda *_: 3650 * 86_400.0)
    depot.sent()
    depot.refuse(depot.operate(), Unavailable("away"))
    assert depot.operate().key
    ahead = time.time() + 3650 * 86_400.0
    os.utime(depot.marker, (ahead, ahead))
    assert len(depot.storage.due_flags(time.time())) == 1


def test_the_marker_is_there_before_the_commit_and_gone_with_the_last(depot: Depot) -> None:
    """A tenant that sends nothing has none."""
    depot.call("parcels.count")
    assert not depot.marker.exists()
    seen: list[bool] = []
    depot.commits.append(lambda: seen.append(depot.marker.exists()))
    depot.sent(then="")
    assert seen == [True]
    depot.accept(depot.operate())
    assert depot.asked_to_leave() == [Stopped(depot.mailbox)]
    assert not depot.marker.exists()


def test_a_backup_that_was_put_back_brings_its_marker(depot: Depot) -> None:
    """Its file has deliveries, and the directory of markers knows nothing of it."""
    depot.sent()
    depot.operates()
    depot.marker.unlink()
    depot.crash()
    assert depot.marker.exists()
    assert len(depot.operates()) == 1


def test_nothing_can_be_sent_where_the_marker_cannot_be_made(depot: Depot) -> None:
    """A delivery that a start would not find must not be there."""
    depot.marker.parent.write_text("in the way")
    reply = depot.replies[depot.call("parcels.send", name="never")]
    assert reply.error is not None
    assert reply.error.code == "unavailable"
    assert depot.states() == []


def test_a_suspended_tenant_sends_nothing_until_it_is_resumed(depot: Depot) -> None:
    """What has left may end; its outcome is written down, and heard of then."""
    first = depot.sent()
    (message,) = depot.operates()
    depot.suspend()
    depot.sent()
    depot.accept(message)
    assert depot.operates() == []
    assert depot.heard() == []
    depot.resume()
    depot.rang()
    assert len(depot.operates()) == 1
    assert depot.heard() == [(first, True)]


# ---------------------------------------------------------------- people


def test_dead_letters_are_listed_and_sent_again(depot: Depot) -> None:
    """Under the same key, as a delivery of its own: whoever was named hears of the new outcome, too."""
    key = depot.sent("a parcel")
    depot.refuse(depot.operate(), NotSubscribed("not yet"))
    (dead,) = depot.ask(ListDeliveries(True, "post", 0, 10))
    assert dead["key"] == key
    assert dead["params"] == {"name": "a parcel"}
    assert dead["last_error"] == "not_subscribed: not yet"
    assert depot.ask(ListDeliveries(False, None, 0, 10)) == []
    assert depot.ask(ListDeliveries(True, "pos", 0, 10)) == []
    assert depot.ask(Redeliver(None, "mail")) == 0
    assert depot.ask(Redeliver(dead["id"], None)) == 1
    (message,) = depot.operates()
    assert message.key == key
    depot.accept(message)
    assert depot.heard() == [(key, False), (key, True)]
    assert depot.states() == []


def test_what_was_done_and_could_not_be_told_is_told_again_and_not_done_again(depot: Depot) -> None:
    """Somebody has mended the function meanwhile."""
    depot.sent()
    depot.accept(depot.operate(), receipt="have them fail")
    for _ in range(MAX_NOTIFICATIONS):
        depot.rang()
    assert depot.ask(Redeliver(None, "post")) == 1
    assert depot.operates() == []
    assert depot.rows("SELECT state, revived FROM tenantry_outbox") == [("dead", 1)]


# ---------------------------------------------------------------- disks that are full


def test_pauses_grow_while_outcomes_cannot_be_written_and_begin_anew_once_they_can(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for a moment holds nothing up for half a minute."""
    monkeypatch.setattr("actors.tenant.outbox.relay.FIRST_PAUSE", 1000.0)
    monkeypatch.setattr("actors.tenant.outbox.relay.LONGEST_PAUSE", 3000.0)
    depot.crash()
    depot.sent()
    apart = UnitOfWork.run_alone

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def paused() -> float:
        incarnation = depot.mailbox.incarnation
        assert isinstance(incarnation, Tenant)
        left = incarnation._relay._paused_until - time.monotonic()
        incarnation._relay._paused_until = time.monotonic()
        depot.rang()
        return left

    monkeypatch.setattr(UnitOfWork, "run_alone", full)
    for most in (1000, 2000, 3000, 3000):
        depot.accept(depot.operate())
        assert most - 100 < paused() <= most
    monkeypatch.setattr(UnitOfWork, "run_alone", apart)
    depot.accept(depot.operate())
    assert depot.rows("SELECT count(*) FROM tenantry_outbox") == [(0,)]
    depot.sent()
    monkeypatch.setattr(UnitOfWork, "run_alone", full)
    depot.accept(depot.operate())
    assert 900 < paused() <= 1000


# ---------------------------------------------------------------- waits


def test_waits_grow_up_to_the_longest_and_last_two_days() -> None:
    """Give or take the jitter."""
    refusal = Refusal(UNAVAILABLE, "away")
    waits = [backoff(attempt, refusal) for attempt in range(1, MAX_ATTEMPTS)]
    assert 4.0 <= waits[0] <= 6.0
    assert max(waits) <= 6 * 3600 * 1.2
    assert 47.4 * 0.8 < sum(waits) / 3600 < 47.5 * 1.2


def test_a_peer_that_asks_for_more_time_gets_it() -> None:
    """And no less than it would have had."""
    assert 48.0 <= backoff(1, Refusal(UNAVAILABLE, "away", retry_after_ms=60_000)) <= 72.0
    assert backoff(9, Refusal(UNAVAILABLE, "away", retry_after_ms=10)) > 1000.0
