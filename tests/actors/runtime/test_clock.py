"""The Clock: tells things later, in order, under any load, and across its own failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors.runtime.actor import stop
from actors.runtime.clock import Clock, ClockMailbox, Every, Once
from actors.runtime.mailbox import Crashed, Stopped
from tests.actors.mailbox_harness import WAIT, Watch


class Reader(Watch):
    """An address whose mail a test reads."""

    __slots__ = ()


@pytest.fixture
def watch() -> Watch:
    """The Clock's supervisor."""
    return Watch()


@pytest.fixture
def clock(watch: Watch) -> Iterator[ClockMailbox]:
    """A running Clock."""
    mailbox = ClockMailbox(watch)
    Clock.start(mailbox)
    yield mailbox
    if mailbox.incarnation is not None:
        stop(mailbox, WAIT)


def clock_threads() -> list[threading.Thread]:
    """Those that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "clock"]


def test_after_is_told_once(clock: ClockMailbox) -> None:
    """What comes next comes from another timer."""
    reader = Reader()

    clock.tell(Once(0.001, reader, "first"))
    assert reader.hear() == "first"
    clock.tell(Once(0.001, reader, "second"))

    assert reader.hear() == "second"


def test_times_decide_the_order_not_the_order_of_asking() -> None:
    """All are asked for in one turn, so that none is over before the others are known."""
    reader = Reader()
    clock = ClockMailbox()
    for seconds in (0.1, 0.0, 0.05):
        clock.tell(Once(seconds, reader, seconds))

    Clock.start(clock)

    assert [reader.hear() for _ in range(3)] == [0.0, 0.05, 0.1]
    stop(clock, WAIT)


def test_equal_times_keep_the_order_of_asking(clock: ClockMailbox) -> None:
    """And messages are never compared."""
    reader = Reader()
    messages: list[Any] = [object() for _ in range(50)]

    for message in messages:
        clock.tell(Once(0.0, reader, message))

    assert [reader.hear() for _ in messages] == messages


def test_every_is_told_again_and_again(clock: ClockMailbox) -> None:
    """Until the Clock stops."""
    reader = Reader()

    clock.tell(Every(0.001, reader, "tick"))

    assert [reader.hear() for _ in range(5)] == ["tick"] * 5


def test_a_period_of_nothing_does_not_keep_the_clock_from_its_mail(clock: ClockMailbox) -> None:
    """However fast it repeats, others are served."""
    reader, other = Reader(), Reader()

    clock.tell(Every(0.0, reader, "tick"))
    clock.tell(Once(0.001, other, "served"))

    assert other.hear() == "served"


def test_what_is_due_is_told_under_a_stream_of_mail() -> None:
    """The Clock never gets to wait, and looks at its times all the same."""
    enough = threading.Event()

    class Busy(Clock):
        def on_receive(self, message: Any) -> None:
            if message == "again":
                if not enough.is_set():
                    self.mailbox.tell(message)
            else:
                super().on_receive(message)

    reader = Reader()
    clock = ClockMailbox()
    Busy.start(clock)
    clock.tell("again")
    clock.tell(Every(0.001, reader, "tick"))
    try:
        assert [reader.hear() for _ in range(5)] == ["tick"] * 5
    finally:
        enough.set()
        stop(clock, WAIT)


def test_timers_survive_a_failure_of_the_clock(clock: ClockMailbox, watch: Watch) -> None:
    """They live in the mailbox; they fire even while no one lives there."""
    reader = Reader()
    clock.tell(Every(0.001, reader, "tick"))
    assert reader.hear() == "tick"

    clock.tell("neither After nor Every")
    news = watch.hear()
    assert isinstance(news, Crashed)
    assert isinstance(news.error, TypeError)
    reader.heard()
    assert reader.hear() == "tick"

    clock.take_up_to(1)  # what killed it; otherwise it would be tried once more
    Clock.start(clock)
    clock.tell(Once(0.001, reader, "from the next incarnation"))
    while reader.hear() != "from the next incarnation":
        pass


def test_mail_for_a_failed_clock_waits_for_the_next(clock: ClockMailbox, watch: Watch) -> None:
    """As for any actor."""
    reader = Reader()
    clock.tell("neither After nor Every")
    clock.tell(Once(0.0, reader, "asked for before"))
    for _ in range(2):
        assert isinstance(watch.hear(), Crashed)
        Clock.start(clock)

    assert reader.hear() == "asked for before"


def test_one_thread_serves_all_incarnations_and_ends_with_the_stop(
    clock: ClockMailbox, watch: Watch
) -> None:
    """Nothing keeps ticking, and no thread is left, where a server is stopped inside a process."""
    before = clock_threads()
    clock.tell("neither After nor Every")
    watch.hear()
    Clock.start(clock)
    watch.hear()
    Clock.start(clock)
    assert clock_threads() == before

    clock.tell(Every(0.001, watch, "tick"))
    stop(clock, WAIT)

    thread = before[-1]
    thread.join(WAIT)
    assert not thread.is_alive()
    assert watch.heard()[-1] == Stopped(clock)


def test_a_clock_that_was_stopped_can_be_started_again(clock: ClockMailbox, watch: Watch) -> None:
    """A permanent child that stops is; it begins without timers."""
    reader = Reader()
    clock.tell(Every(0.001, reader, "of the former life"))
    reader.hear()
    stop(clock, WAIT)
    assert watch.hear() == Stopped(clock)
    reader.heard()

    Clock.start(clock)
    clock.tell(Once(0.005, reader, "now"))

    assert reader.hear() == "now"
