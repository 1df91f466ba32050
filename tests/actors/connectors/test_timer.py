"""The connector `timer`: answers once the Clock says so, and does not begin what no one would wait for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from actors.connectors.timer import SLEEP, Timer, TimerFired
from actors.errors import ActionError, DeadlineExceeded, Unimplemented
from actors.index.parser import built_in_index
from actors.messages import CallConnector, TenantRecord
from actors.runtime.clock import Once
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """One thread."""
    made = MailboxHarness(threads=1)
    yield made
    made.empty()


@pytest.fixture
def clock() -> Watch:
    """What the Clock is told."""
    return Watch()


@pytest.fixture
def timer(harness: MailboxHarness, clock: Watch) -> Mailbox:
    """A running Timer."""
    mailbox = harness.mailbox("timer")
    Timer.start(mailbox, clock)
    return mailbox


def operate(operation: str = SLEEP, within: float = 60.0, **params: Any) -> CallConnector:
    """For a function whose deadline is so many seconds from now."""
    deadline = time.monotonic() + within
    return CallConnector(
        operation,
        params,
        TenantRecord("acme", "a" * 32),
        "0" * 32,
        "key",
        0.0,
        deadline,
        ReplyFuture(),
    )


def test_a_sleep_is_answered_when_the_clock_says_that_it_is_over(
    timer: Mailbox, clock: Watch
) -> None:
    """And not before; with the time that it took, which fits the index."""
    message = operate(seconds=2.5)
    timer.tell(message)
    asked = clock.hear()
    assert (asked.seconds, asked.to) == (2.5, timer)
    assert isinstance(asked, Once)
    assert isinstance(asked.message, TimerFired)
    assert not message.reply_to.done()

    timer.tell(asked.message)

    answer = message.reply_to.get(timeout=WAIT)
    assert 0.0 <= answer["seconds"] < WAIT
    built_in_index().operations()[SLEEP].result.check(answer)


def test_sleeps_do_not_wait_for_each_other(timer: Mailbox, clock: Watch) -> None:
    """A thousand of them are a thousand entries in the Clock, and no thread."""
    messages = [operate(seconds=n % 7) for n in range(1000)]
    for message in messages:
        timer.tell(message)
    for asked in reversed([clock.hear() for _ in messages]):
        timer.tell(asked.message)
    assert all(message.reply_to.get(timeout=WAIT) for message in messages)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (operate(seconds=600.0, within=60.0), DeadlineExceeded),
        (operate(seconds=0, within=-1.0), DeadlineExceeded),
        (operate("timer.wake"), Unimplemented),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    timer: Mailbox, clock: Watch, message: CallConnector, error: type[ActionError]
) -> None:
    """As the function's matter: it may catch it. The Clock receives nothing."""
    timer.tell(message)
    with pytest.raises(error):
        message.reply_to.get(timeout=WAIT)
    assert clock.heard() == []
