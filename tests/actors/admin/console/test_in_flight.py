"""Errands: whose answer has come, and who is still under way."""

from __future__ import annotations

import itertools

from actors.admin.console.in_flight import Arrived, Errands, Overdue
from actors.runtime.futures import CoroutineDriver, PendingReply, ReplyFuture


async def waits(answer: ReplyFuture) -> None:
    """Something to do."""
    await PendingReply(answer)


def test_an_answer_that_is_announced_twice_steps_its_errand_once() -> None:
    """By then it waits for another one, or has ended."""
    errands = Errands(itertools.count(1))
    first, second = ReplyFuture(), ReplyFuture()
    errand = errands.begin(CoroutineDriver(waits(first)), None)
    assert errands.park(errand, first)
    assert errands.awaiting(Arrived(errand.number, first)) is errand

    assert not errands.park(errand, second)
    assert errands.awaiting(Arrived(errand.number, first)) is None
    errands.end(errand)
    assert errands.awaiting(Arrived(errand.number, second)) is None
    assert errands.late(Overdue(errand.number)) is None
    assert len(errands) == 0
    errand.stepper.close()
