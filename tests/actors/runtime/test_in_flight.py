"""Calls in flight: which answer has arrived, and which call goes on."""

from __future__ import annotations

import pytest

from actors.runtime.futures import ReplyFuture, resolve
from actors.runtime.in_flight import InFlight, ReplyArrived
from tests.actors.mailbox_harness import Watch


@pytest.fixture
def mailbox() -> Watch:
    """The mailbox of the actor whose calls they are."""
    return Watch()


def test_an_answer_that_is_announced_twice_resumes_its_call_once(mailbox: Watch) -> None:
    """By then it waits for another one, or has ended."""
    calls = InFlight[str](mailbox)
    first, second = ReplyFuture(), ReplyFuture()
    wait = calls.suspend("call", first)
    assert calls.resume(ReplyArrived(wait)) == ("call", first)
    assert calls.resume(ReplyArrived(wait)) is None

    again = calls.suspend("call", second)
    assert again != wait
    assert calls.resume(ReplyArrived(wait)) is None
    assert list(calls) == ["call"]
    calls.end("call")
    assert calls.resume(ReplyArrived(again)) is None
    assert "call" not in calls
    assert len(calls) == 0


def test_an_answer_that_was_there_before_the_wait_is_announced(mailbox: Watch) -> None:
    """And the number of the wait is the message's."""
    calls, answer = InFlight[str](mailbox), ReplyFuture()
    resolve(answer, 7)
    wait = calls.suspend("call", answer)
    assert mailbox.hear() == ReplyArrived(wait)


def test_an_answer_to_a_call_that_has_ended_wakes_no_actor(mailbox: Watch) -> None:
    """It is dropped."""
    calls, late, awaited = InFlight[str](mailbox), ReplyFuture(), ReplyFuture()
    calls.suspend("ended", late)
    wait = calls.suspend("goes on", awaited)
    calls.end("ended")
    resolve(late, 1)
    resolve(awaited, 2)
    assert mailbox.hear() == ReplyArrived(wait)


def test_waits_have_other_numbers_in_the_next_incarnation(mailbox: Watch) -> None:
    """What was announced to the one before resumes nothing."""
    wait = InFlight[str](mailbox).suspend("call", ReplyFuture())
    calls = InFlight[str](mailbox)
    calls.suspend("call", ReplyFuture())
    assert calls.resume(ReplyArrived(wait)) is None
