"""The pool of threads: turns run somewhere, blocked threads are relieved, extra ones leave again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from functools import partial
from queue import SimpleQueue

import pytest

from actors.runtime import scheduler as module
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import Dispatcher
from tests.actors.runtime.turn import Turn

WAIT = 10.0
"""Seconds after which a test gives up on an event that should come at once."""


class Blocking:
    """Incarnations that block their threads until they are released."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._entered: SimpleQueue[threading.Thread] = SimpleQueue()
        self._left: SimpleQueue[None] = SimpleQueue()
        self._release = threading.Event()

    def schedule(self) -> None:
        """One more function that blocks."""
        Mailbox("blocked", self._dispatcher.schedule).attach(Turn(self._block))

    def entered(self) -> threading.Thread:
        """Wait until one more blocks; the thread that it blocks."""
        return self._entered.get(timeout=WAIT)

    def release(self, blocked: int) -> None:
        """Let all go, and wait until that many have gone."""
        self._release.set()
        for _ in range(blocked):
            self._left.get(timeout=WAIT)

    def _block(self) -> None:
        self._entered.put(threading.current_thread())
        self._release.wait(WAIT)
        self._left.put(None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread counts as blocked at once, and as idle soon."""
    monkeypatch.setattr(module, "STALLED_AFTER", 0.0)
    monkeypatch.setattr(module, "IDLE_AFTER", 0.02)


@pytest.fixture
def pool() -> Iterator[Dispatcher]:
    """Two threads, and up to four."""
    dispatcher = Dispatcher("pool", threads=2, max_threads=4)
    yield dispatcher
    assert dispatcher.stop()


def run_and_wait(dispatcher: Dispatcher) -> threading.Thread:
    """The thread on which one turn was run."""
    ran: SimpleQueue[threading.Thread] = SimpleQueue()
    Mailbox("one", dispatcher.schedule).attach(Turn(lambda: ran.put(threading.current_thread())))
    return ran.get(timeout=WAIT)


def test_a_turn_runs_on_a_thread_of_the_pool(pool: Dispatcher) -> None:
    """Not on the caller's."""
    assert run_and_wait(pool).name.startswith("pool-")


def test_turns_of_different_actors_run_at_the_same_time(pool: Dispatcher) -> None:
    """As many as there are threads."""
    blocking = Blocking(pool)
    blocking.schedule()
    blocking.schedule()

    assert blocking.entered() is not blocking.entered()
    blocking.release(2)


def test_relief_comes_when_every_thread_is_blocked_and_mail_waits(pool: Dispatcher) -> None:
    """Other actors go on while functions block all the threads."""
    blocking = Blocking(pool)
    for _ in range(2):
        blocking.schedule()
        blocking.entered()
    ran: SimpleQueue[None] = SimpleQueue()
    Mailbox("other", pool.schedule).attach(Turn(lambda: ran.put(None)))
    assert ran.empty()

    assert pool.grow_if_blocked()

    ran.get(timeout=WAIT)
    assert pool.threads == 3
    blocking.release(2)


def test_no_relief_without_waiting_mail(pool: Dispatcher) -> None:
    """Blocked threads alone are no reason."""
    blocking = Blocking(pool)
    for _ in range(2):
        blocking.schedule()
        blocking.entered()

    assert not pool.grow_if_blocked()
    assert pool.threads == 2
    blocking.release(2)


def test_no_relief_while_a_turn_has_only_begun(
    pool: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy thread is not a blocked one: it will come for the mail by itself."""
    monkeypatch.setattr(module, "STALLED_AFTER", 3600.0)
    blocking = Blocking(pool)
    for _ in range(2):
        blocking.schedule()
        blocking.entered()
    blocking.schedule()

    assert not pool.grow_if_blocked()
    blocking.release(3)


def test_no_relief_while_a_thread_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail that waits at this very moment is on its way to that thread, however long ago its last turn."""
    monkeypatch.setattr(module, "IDLE_AFTER", WAIT)
    dispatcher = Dispatcher("idle", threads=1, max_threads=2)
    run_and_wait(dispatcher)
    while any(dispatcher._workers.values()):
        pass  # the turn is over, and its thread about to say so
    on_its_way = deque([Mailbox("on its way", dispatcher.schedule)])

    with monkeypatch.context() as this_moment:
        this_moment.setattr(dispatcher, "_ready", on_its_way)
        assert not dispatcher.grow_if_blocked()

    assert dispatcher.stop()


def test_the_pool_grows_to_its_most_and_no_further(pool: Dispatcher) -> None:
    """A runaway that blocks everything does not eat the process."""
    blocking = Blocking(pool)
    for _ in range(2):
        blocking.schedule()
        blocking.entered()
    for _ in range(2):
        blocking.schedule()
        assert pool.grow_if_blocked()
        blocking.entered()
    blocking.schedule()

    assert not pool.grow_if_blocked()
    assert pool.threads == 4
    blocking.release(5)


def test_extra_threads_leave_when_they_are_idle_and_the_others_stay(pool: Dispatcher) -> None:
    """The pool shrinks back to its size."""
    blocking = Blocking(pool)
    blocked = []
    for _ in range(2):
        blocking.schedule()
        blocked.append(blocking.entered())
    blocking.schedule()
    assert pool.grow_if_blocked()
    blocked.append(blocking.entered())
    blocking.release(3)

    gone = [thread for thread in blocked if ended(thread, blocked)]

    assert len(gone) == 1
    assert pool.threads == 2
    assert run_and_wait(pool) not in gone


def test_an_extra_thread_leaves_once_the_others_are_free_again(
    pool: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait to be idle: a load that never pauses would keep every thread it was ever given."""
    monkeypatch.setattr(module, "IDLE_AFTER", 3600.0)
    blocking = Blocking(pool)
    blocked = []
    for _ in range(2):
        blocking.schedule()
        blocked.append(blocking.entered())
    blocking.schedule()
    assert pool.grow_if_blocked()
    blocked.append(blocking.entered())

    blocking.release(3)

    assert len([thread for thread in blocked if ended(thread, blocked)]) == 1
    assert pool.threads == 2


def test_an_extra_thread_stays_while_it_is_needed(
    pool: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it has nothing to do for a moment: without it everybody would wait for relief again."""
    monkeypatch.setattr(module, "IDLE_AFTER", 3600.0)
    blocking = Blocking(pool)
    for _ in range(2):
        blocking.schedule()
        blocking.entered()
    ran: SimpleQueue[threading.Thread] = SimpleQueue()
    for _ in range(5):
        Mailbox("other", pool.schedule).attach(Turn(lambda: ran.put(threading.current_thread())))
        pool.grow_if_blocked()
        ran.get(timeout=WAIT)

    assert pool.threads == 3
    blocking.release(2)


def ended(thread: threading.Thread, others: list[threading.Thread]) -> bool:
    """True where this is the one that leaves; waits for any of them to."""
    while all(other.is_alive() for other in others):
        thread.join(0.001)
    return not thread.is_alive()


def test_a_process_out_of_threads_goes_on_with_those_it_has(
    pool: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relief that cannot come is no failure, and is tried again later."""
    blocking = Blocking(pool)
    for _ in range(2):
        blocking.schedule()
        blocking.entered()
    blocking.schedule()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as out_of_threads:
        out_of_threads.setattr(threading.Thread, "start", refuse)
        assert not pool.grow_if_blocked()
    assert pool.threads == 2

    assert pool.grow_if_blocked()
    blocking.entered()
    blocking.release(3)


def test_stop_ends_every_thread_after_what_was_scheduled() -> None:
    """Nothing that was queued before is dropped."""
    dispatcher = Dispatcher("stopping", threads=1)
    ran: SimpleQueue[int] = SimpleQueue()
    for n in range(100):
        Mailbox(str(n), dispatcher.schedule).attach(Turn(partial(ran.put, n)))

    assert dispatcher.stop()

    assert [ran.get_nowait() for _ in range(100)] == list(range(100))
    assert dispatcher.threads == 0


def test_stop_says_so_where_a_thread_stays_blocked() -> None:
    """It does not wait for a function that never returns."""
    dispatcher = Dispatcher("stuck")
    blocking = Blocking(dispatcher)
    blocking.schedule()
    thread = blocking.entered()

    assert not dispatcher.stop(timeout=0.0)

    assert thread.daemon, "or it would keep the stopped process alive"
    blocking.release(1)
    thread.join(WAIT)
    assert not thread.is_alive()


def test_a_turn_may_stop_its_own_dispatcher() -> None:
    """The thread that calls does not wait for itself."""
    dispatcher = Dispatcher("itself")
    stopped: SimpleQueue[bool] = SimpleQueue()

    Mailbox("one", dispatcher.schedule).attach(Turn(lambda: stopped.put(dispatcher.stop())))

    assert stopped.get(timeout=WAIT) is False
