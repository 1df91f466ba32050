"""One thread of a pool runs what is ready, one stands by, and the others are left asleep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from actors.runtime import scheduler as module
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken, Dispatcher
from tests.actors.runtime.turn import Turn

WAIT = 10.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread has computed for long, on a slow machine, too."""
    monkeypatch.setattr(module, "STEAL_AFTER", 3600.0)
    monkeypatch.setattr(module, "HAND_ON_AFTER", 3600.0)


def schedule(pool: Dispatcher, *calls: Callable[[], None]) -> None:
    """One mailbox for each."""
    for call in calls:
        Mailbox("one", pool.schedule).attach(Turn(call))


def test_a_thread_that_stands_by_takes_no_mailbox_from_the_one_that_runs() -> None:
    """Each thread that took one would need the token handed over for a turn; no third is called."""
    token, left = ComputeToken(), SimpleQueue[tuple[int, int]]()
    pool = Dispatcher("pool", threads=4, token=token)

    def turn() -> None:
        while not token._beginning.waiting:
            pass
        left.put((len(pool._ready), len(token._beginning.waiting) + pool._calls.qsize()))

    token.acquire()
    schedule(pool, *[turn] * 8)
    token.release()

    assert [left.get(timeout=WAIT) for _ in range(7)] == [(ready, 1) for ready in range(7, 0, -1)]
    assert pool.stop()


def test_another_thread_goes_on_while_one_waits_for_the_disk() -> None:
    """The thread that stands by gets the token at once, and calls a third one."""
    token, ran = ComputeToken(), SimpleQueue[int]()
    pool = Dispatcher("pool", threads=3, token=token)
    last = threading.Event()

    def wait_for_disk() -> None:
        token.release()
        assert last.wait(WAIT)
        ran.put(0)

    token.acquire()
    schedule(pool, wait_for_disk, wait_for_disk, last.set)
    token.release()

    assert [ran.get(timeout=WAIT) for _ in range(2)] == [0, 0]
    assert pool.stop()


def test_a_pool_whose_threads_all_slept_runs_what_comes_next() -> None:
    """Again and again: no call is lost between the last look and the sleep."""
    token, ran = ComputeToken(), SimpleQueue[int]()
    pool = Dispatcher("pool", threads=2, token=token)
    for number in range(200):
        schedule(pool, lambda number=number: ran.put(number))  # type: ignore[misc]
        assert ran.get(timeout=WAIT) == number
    assert pool.stop()


def test_a_thread_hands_the_token_on_between_two_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another waits, and turns have followed each other for long: not in the middle of one."""
    monkeypatch.setattr(module, "HAND_ON_AFTER", 0.0)
    token, order = ComputeToken(), SimpleQueue[str]()
    pool = Dispatcher("pool", threads=1, token=token)

    def other() -> None:
        token.acquire()
        order.put("other")
        token.release()

    def first() -> None:
        waits = threading.Thread(target=other)
        waits.start()
        while not token._beginning.waiting:
            pass
        order.put("first")

    token.acquire()
    schedule(pool, first, lambda: order.put("second"))
    token.release()

    assert [order.get(timeout=WAIT) for _ in range(3)] == ["first", "other", "second"]
    assert pool.stop()
