"""Calls in flight: which answer has arrived, and which call goes on."""

from __future__ import annotations

import itertools

from actors.admin.console.in_flight import DeadlinePassed, InFlightCalls, ReplyArrived
from actors.runtime.futures import CoroutineDriver, PendingReply, ReplyFuture


async def waits(answer: ReplyFuture) -> None:
    """Something to do."""
    await PendingReply(answer)


def test_an_answer_that_is_announced_twice_steps_its_errand_once() -> None:
    """By then it waits for another one, or has ended."""
    calls = InFlightCalls(itertools.count(1))
    first, second = ReplyFuture(), ReplyFuture()
    call = calls.create(CoroutineDriver(waits(first)), None)
    assert calls.suspend(call, first)
    assert calls.find_awaiting(ReplyArrived(call.number, first)) is call

    assert not calls.suspend(call, second)
    assert calls.find_awaiting(ReplyArrived(call.number, first)) is None
    calls.remove(call)
    assert calls.find_awaiting(ReplyArrived(call.number, second)) is None
    assert calls.overdue(DeadlinePassed(call.number)) is None
    assert len(calls) == 0
    call.driver.close()
