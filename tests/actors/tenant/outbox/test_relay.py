"""A tenant and what its functions send: when it leaves, how often, in which order, and who is notified."""

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
    Aborted,
    DeadlineExceeded,
    FailedPrecondition,
    NotSubscribed,
    ResourceExhausted,
    Unavailable,
)
from actors.expectations import Expected, ShowDigest
from actors.messages import ListDeliveries, PassivationDeclined, Redeliver
from actors.runtime.mailbox import Stopped
from actors.tenant.actor import Tenant
from actors.tenant.outbox.attempt import ATTEMPT_SECONDS, MAX_ATTEMPTS, MAX_NOTIFICATIONS, backoff
from actors.tenant.outbox.relay import MAX_IN_FLIGHT
from actors.tenant.request.unit_of_work import UnitOfWork
from tests.actors.tenant.outbox_harness import ACME, Crash, OutboxHarness
from transport.message import UNAVAILABLE, Refusal


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutboxHarness]:
    """With waits of no time, so that a ring of the clock is enough."""
    monkeypatch.setattr("actors.tenant.outbox.outcome_writer.backoff", lambda *_: 0.0)
    made = OutboxHarness(tmp_path, monkeypatch)
    yield made
    made.close()


# ---------------------------------------------------------------- leaving


def test_it_leaves_after_the_commit_with_all_that_a_connector_needs(harness: OutboxHarness) -> None:
    """Before the commit the connector has received nothing."""
    before: list[object] = []
    harness.commits.append(lambda: before.extend(harness.operates()))
    key = harness.sent("a parcel")
    (message,) = harness.operates()
    assert before == []
    assert (message.operation, message.params, message.key) == (
        "post.deliver",
        {"name": "a parcel"},
        key,
    )
    assert 0 < message.deadline - time.monotonic() <= ATTEMPT_SECONDS


@pytest.mark.parametrize("fail", ["refusal", "defect"])
def test_a_function_that_is_rolled_back_has_sent_nothing(harness: OutboxHarness, fail: str) -> None:
    """Whether it refuses or fails."""
    harness.call("parcels.send", name="never", fail=fail)
    assert harness.operates() == []
    assert harness.states() == []


def test_a_function_that_waits_sends_stretch_by_stretch(harness: OutboxHarness) -> None:
    """What it sent before its wait has left although it has not ended."""
    harness.call("parcels.send_two", name="two")
    assert len(harness.operates()) == 2
    assert harness.states() == ["waiting", "waiting"]


def test_a_request_that_comes_again_sends_once(harness: OutboxHarness) -> None:
    """The id's reply is stored with what was sent."""
    harness.call("parcels.send", id_="r-1", name="once")
    harness.call("parcels.send", id_="r-1", name="once")
    assert harness.replies["r-1"].meta["replayed"]
    assert len(harness.operates()) == 1


def test_a_read_may_not_send(harness: OutboxHarness) -> None:
    """What it wrote would be rolled back."""
    reply = harness.replies[harness.call("parcels.count", send=True)]
    assert reply.error is not None
    assert reply.error.code == "internal"
    assert harness.operates() == []


def test_no_more_than_some_are_under_way_at_once(harness: OutboxHarness) -> None:
    """The next leaves as one is answered."""
    for _ in range(MAX_IN_FLIGHT + 3):
        harness.sent(then="")
    first, *others = harness.operates()
    assert len(others) == MAX_IN_FLIGHT - 1
    harness.accept(first)
    assert len(harness.operates()) == 1


# ---------------------------------------------------------------- outcomes


def test_the_callback_is_called_after_a_success_and_the_row_is_gone(harness: OutboxHarness) -> None:
    """Although no one but an admin owner could call that action."""
    key = harness.sent()
    harness.accept(harness.operate())
    assert harness.heard() == [(key, True)]
    assert harness.states() == []
    assert harness.replies.keys() != {key}


def test_hearing_of_it_and_the_end_of_the_row_are_one_commit(harness: OutboxHarness) -> None:
    """A crash right after it has nothing left to tell; one right before tells it again."""
    key = harness.sent()
    (message,) = harness.operates()

    def end() -> None:
        raise Crash

    harness.after_commits.extend(
        [lambda: None, end]
    )  # its outcome; then anyone who is notified of it
    harness.accept(message)
    assert harness.rows("SELECT count(*) FROM tenantry_outbox") == [(0,)]
    assert harness.heard() == [(key, True)]

    again = harness.sent()
    (message,) = harness.operates()
    harness.commits.extend([lambda: None, end])
    harness.accept(message)
    harness.rang()
    assert harness.heard() == [(key, True), (again, True)]
    assert harness.operates() == []  # its outcome was on disk: it is not delivered again


@pytest.mark.parametrize(
    "error", [Unavailable("away"), DeadlineExceeded("late"), ResourceExhausted("busy")]
)
def test_what_may_help_is_tried_again_with_the_same_key(
    harness: OutboxHarness, error: Exception
) -> None:
    """No one is notified of it meanwhile."""
    key = harness.sent()
    for _ in range(3):
        (message,) = harness.operates()
        assert message.key == key
        harness.refuse(message, error)
        assert harness.heard() == []
        harness.rang()
    harness.accept(harness.operate())
    assert harness.heard() == [(key, True)]


def test_what_is_too_large_to_be_looked_at_says_how_large_it_is(harness: OutboxHarness) -> None:
    """A page of mails with attachments would be hundreds of megabytes; what is sent is whole."""
    harness.sent()
    large = json.dumps({"name": "x" * 100_000})
    with closing(sqlite3.connect(harness.storage.path(ACME.id))) as file, file:
        file.execute("UPDATE tenantry_outbox SET params = ?", (large.encode(),))
    (shown,) = harness.ask(ListDeliveries(dead=False, connector=None, after=0, limit=1))
    assert shown["params"] == {"_summary": f"{len(large)} bytes"}


@pytest.mark.parametrize("error", [NotSubscribed("no"), FailedPrecondition("no"), KeyError("no")])
def test_what_cannot_be_mended_by_trying_is_dead_at_once(
    harness: OutboxHarness, error: Exception
) -> None:
    """A defect of the connector, too: the peer may have acted before it."""
    key = harness.sent()
    harness.refuse(harness.operate(), error)
    assert harness.heard() == [(key, False)]
    assert harness.states() == ["dead"]
    harness.rang()
    assert harness.operates() == []


def test_it_is_given_up_after_so_many_attempts(harness: OutboxHarness) -> None:
    """And the callback is called with it once."""
    key = harness.sent()
    for _ in range(MAX_ATTEMPTS):
        harness.refuse(harness.operate(), Unavailable("away"))
        harness.rang()
    assert harness.operates() == []
    assert harness.heard() == [(key, False)]
    assert harness.states() == ["dead"]


def test_an_answer_that_does_not_fit_the_schema_is_a_defect(harness: OutboxHarness) -> None:
    """The function that is notified of it may rely on its shape."""
    key = harness.sent()
    (message,) = harness.operates()
    message.reply_to.set({"receipt": 7})
    harness.run()
    assert harness.heard() == [(key, False)]


def test_no_answer_counts_as_one_that_may_come(
    harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connector that was lost answers nothing."""
    monkeypatch.setattr("actors.tenant.outbox.attempt.GRACE_SECONDS", -ATTEMPT_SECONDS)
    key = harness.sent()
    assert len(harness.operates()) == 1
    harness.rang()
    assert [message.key for message in harness.operates()] == [key]
    ((attempts, error),) = harness.rows("SELECT attempts, last_error FROM tenantry_outbox")
    assert attempts == 1
    assert "not answered within 60 s" in error


def test_a_refusal_of_the_callback_is_final(harness: OutboxHarness) -> None:
    """It stands in the tenant's log; nothing is told again."""
    harness.sent()
    harness.accept(harness.operate(), receipt="have them refuse")
    assert harness.heard() == []
    assert harness.states() == []


def test_a_defect_of_the_callback_is_told_again_and_then_set_aside(harness: OutboxHarness) -> None:
    """Its delivery is done and not repeated."""
    harness.sent()
    harness.accept(harness.operate(), receipt="have them fail")
    for _ in range(MAX_NOTIFICATIONS):
        harness.rang()
    assert harness.operates() == []
    assert harness.heard() == []
    assert harness.states() == ["dead"]


# ---------------------------------------------------------------- order


def test_ordered_ones_leave_one_after_another(harness: OutboxHarness) -> None:
    """A retry holds up those behind it, and no other."""
    first, second = harness.sent(ordered=True), harness.sent(ordered=True)
    other = harness.sent()
    told = {message.key: message for message in harness.operates()}
    assert set(told) == {first, other}
    harness.refuse(told[first], Unavailable("away"))
    harness.rang()
    (again,) = harness.operates()
    assert again.key == first
    harness.accept(again)
    assert [message.key for message in harness.operates()] == [second]


def test_a_dead_one_lets_the_next_go(harness: OutboxHarness) -> None:
    """It would wait for ever."""
    harness.sent(ordered=True)
    second = harness.sent(ordered=True)
    harness.refuse(harness.operate(), FailedPrecondition("no"))
    assert [message.key for message in harness.operates()] == [second]


# ---------------------------------------------------------------- leaving and coming back


def test_what_a_crash_cut_off_is_repeated_with_the_same_key(harness: OutboxHarness) -> None:
    """The answer to the first attempt is no one's any more."""
    key = harness.sent()
    (lost,) = harness.operates()
    harness.crash()
    (again,) = harness.operates()
    assert again.key == lost.key == key
    harness.accept(lost)
    assert harness.heard() == []
    harness.accept(again)
    assert harness.heard() == [(key, True)]


def test_a_tenant_with_deliveries_under_way_stays_once_and_then_leaves(
    harness: OutboxHarness,
) -> None:
    """For idleness it stays as long as that takes."""
    harness.sent()
    assert harness.asked_to_leave() == [PassivationDeclined(harness.mailbox)]
    assert harness.asked_to_leave(insist=True) == [PassivationDeclined(harness.mailbox)]
    assert harness.asked_to_leave(insist=True) == [Stopped(harness.mailbox)]


def test_a_server_that_stops_waits_for_answers_until_its_time_is_over(
    harness: OutboxHarness,
) -> None:
    """Nothing new leaves meanwhile."""
    harness.sent(then="")
    harness.sent(then="")
    first, second = harness.operates()
    harness.mailbox.closing = time.monotonic() + 60.0
    assert harness.asked_to_leave() == []
    harness.accept(first)
    assert harness.news == []
    harness.mailbox.closing = time.monotonic()
    harness.rang()
    assert harness.news == [Stopped(harness.mailbox)]
    assert harness.states() == ["waiting"]
    assert second.reply_to.done() is False


def test_a_retry_in_the_future_lets_the_tenant_go_and_wakes_it(
    harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the Clock, and for another process by the marker's time."""
    monkeypatch.setattr("actors.tenant.outbox.outcome_writer.backoff", lambda *_: 500.0)
    harness.sent()
    harness.refuse(harness.operate(), Unavailable("away"))
    alarm = harness.clock.heard()[-1]
    assert harness.asked_to_leave() == [Stopped(harness.mailbox)]
    assert 400 < harness.marker.stat().st_mtime - time.time() < 501
    assert harness.storage.due_flags(time.time()) == []
    assert len(harness.storage.due_flags(time.time() + 501)) == 1
    alarm.to.tell(alarm.message)
    assert not harness.mailbox.empty()


def test_a_due_time_that_no_wait_is_as_long_as_is_brought_back(
    harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was years ahead when the attempt failed, and is right now."""
    monkeypatch.setattr("actors.tenant.outbox.outcome_writer.backoff", lambda *_: 3650 * 86_400.0)
    harness.sent()
    harness.refuse(harness.operate(), Unavailable("away"))
    assert harness.operate().key
    ahead = time.time() + 3650 * 86_400.0
    os.utime(harness.marker, (ahead, ahead))
    assert len(harness.storage.due_flags(time.time())) == 1


def test_the_marker_is_there_before_the_commit_and_gone_with_the_last(
    harness: OutboxHarness,
) -> None:
    """A tenant that sends nothing has none."""
    harness.call("parcels.count")
    assert not harness.marker.exists()
    seen: list[bool] = []
    harness.commits.append(lambda: seen.append(harness.marker.exists()))
    harness.sent(then="")
    assert seen == [True]
    harness.accept(harness.operate())
    assert harness.asked_to_leave() == [Stopped(harness.mailbox)]
    assert not harness.marker.exists()


def test_a_backup_that_was_put_back_brings_its_marker(harness: OutboxHarness) -> None:
    """Its file has deliveries, and the directory of markers knows nothing of it."""
    harness.sent()
    harness.operates()
    harness.marker.unlink()
    harness.crash()
    assert harness.marker.exists()
    assert len(harness.operates()) == 1


def test_nothing_can_be_sent_where_the_marker_cannot_be_made(harness: OutboxHarness) -> None:
    """A delivery that a start would not find must not be there."""
    harness.marker.parent.write_text("in the way")
    reply = harness.replies[harness.call("parcels.send", name="never")]
    assert reply.error is not None
    assert reply.error.code == "unavailable"
    assert harness.states() == []


def test_a_suspended_tenant_sends_nothing_until_it_is_resumed(harness: OutboxHarness) -> None:
    """What has left may end; its outcome is written down, and reported then."""
    first = harness.sent()
    (message,) = harness.operates()
    harness.suspend()
    harness.sent()
    harness.accept(message)
    assert harness.operates() == []
    assert harness.heard() == []
    harness.resume()
    harness.rang()
    assert len(harness.operates()) == 1
    assert harness.heard() == [(first, True)]


# ---------------------------------------------------------------- people


def test_dead_letters_are_listed_and_sent_again(harness: OutboxHarness) -> None:
    """Under the same key, as a delivery of its own: the callback is called with the new outcome, too."""
    key = harness.sent("a parcel")
    harness.refuse(harness.operate(), NotSubscribed("not yet"))
    (dead,) = harness.ask(ListDeliveries(True, "post", 0, 10))
    assert dead["key"] == key
    assert dead["params"] == {"name": "a parcel"}
    assert dead["last_error"] == "not_subscribed: not yet"
    assert harness.ask(ListDeliveries(False, None, 0, 10)) == []
    assert harness.ask(ListDeliveries(True, "pos", 0, 10)) == []
    assert harness.ask(Redeliver(None, "mail")) == 0
    assert harness.ask(Redeliver(dead["id"], None)) == 1
    (message,) = harness.operates()
    assert message.key == key
    harness.accept(message)
    assert harness.heard() == [(key, False), (key, True)]
    assert harness.states() == []


@pytest.mark.parametrize("params", [{"connector": "post"}, {"id": 1}])
def test_what_another_has_sent_again_or_was_given_up_since_is_not_sent_again(
    harness: OutboxHarness, params: dict[str, Any]
) -> None:
    """The digest is that of the deliveries that were shown, and of how often each was sent again before."""

    def give_up(number: int) -> None:
        harness.sent(f"parcel {number}")
        harness.refuse(harness.operate(), NotSubscribed("not yet"))

    def shown() -> str:
        return str(harness.ask(ShowDigest("connectors.retry", params, "a" * 32))["digest"])

    def retry(digest: str) -> Redeliver:
        expected = Expected("connectors.retry", {**params, "expected": digest}, digest)
        return Redeliver(params.get("id"), params.get("connector"), expected)

    give_up(1)
    before = shown()
    give_up(2)
    assert (shown() == before) == ("id" in params)
    harness.ask(Redeliver(1, None))
    harness.refuse(harness.operate(), NotSubscribed("not yet"))
    with pytest.raises(Aborted, match="has changed"):
        harness.ask(retry(before))
    assert harness.operates() == []
    assert harness.ask(retry(shown())) == len(harness.operates())


def test_what_was_done_and_could_not_be_told_is_told_again_and_not_done_again(
    harness: OutboxHarness,
) -> None:
    """Somebody has mended the function meanwhile."""
    harness.sent()
    harness.accept(harness.operate(), receipt="have them fail")
    for _ in range(MAX_NOTIFICATIONS):
        harness.rang()
    assert harness.ask(Redeliver(None, "post")) == 1
    assert harness.operates() == []
    assert harness.rows("SELECT state, revived FROM tenantry_outbox") == [("dead", 1)]


# ---------------------------------------------------------------- disks that are full


def test_pauses_grow_while_outcomes_cannot_be_written_and_begin_anew_once_they_can(
    harness: OutboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for a moment holds nothing up for half a minute."""
    monkeypatch.setattr("actors.tenant.outbox.outcome_writer.FIRST_PAUSE", 1000.0)
    monkeypatch.setattr("actors.tenant.outbox.outcome_writer.LONGEST_PAUSE", 3000.0)
    harness.crash()
    harness.sent()
    apart = UnitOfWork.run_alone

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def paused() -> float:
        incarnation = harness.mailbox.incarnation
        assert isinstance(incarnation, Tenant)
        outcomes = incarnation._relay._outcomes
        left = outcomes.paused_until - time.monotonic()
        outcomes.paused_until = time.monotonic()
        harness.rang()
        return left

    monkeypatch.setattr(UnitOfWork, "run_alone", full)
    for most in (1000, 2000, 3000, 3000):
        harness.accept(harness.operate())
        assert most - 100 < paused() <= most
    monkeypatch.setattr(UnitOfWork, "run_alone", apart)
    harness.accept(harness.operate())
    assert harness.rows("SELECT count(*) FROM tenantry_outbox") == [(0,)]
    harness.sent()
    monkeypatch.setattr(UnitOfWork, "run_alone", full)
    harness.accept(harness.operate())
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
