"""One thread computes at a time, and no actor waits for one that is blocked."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from actors.runtime import scheduler as module
from actors.runtime.scheduler import ComputeToken, Waiters

WAIT = 10.0


class Worker:
    """A thread that does what it is told, one thing after the other."""

    def __init__(self, token: ComputeToken) -> None:
        self.token = token
        self.done: SimpleQueue[str] = SimpleQueue()
        self._orders: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def order(self, what: str) -> None:
        self._orders.put(what)

    def has(self, what: str) -> None:
        assert self.done.get(timeout=WAIT) == what

    def end(self) -> None:
        self._orders.put(None)
        self._thread.join(WAIT)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        while (what := self._orders.get()) is not None:
            getattr(self.token, what)()
            self.done.put(what)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEAL_AFTER", 3600.0)


@pytest.mark.usefixtures("patient")
def test_the_second_waits_until_the_first_lets_go() -> None:
    token = ComputeToken()
    first, second = Worker(token), Worker(token)
    first.order("acquire")
    first.has("acquire")
    second.order("acquire")
    assert second.done.empty()
    first.order("release")
    second.has("acquire")
    first.end()
    second.end()


@pytest.mark.usefixtures("patient")
def test_taking_what_one_has_and_letting_go_of_what_one_has_not_is_nothing() -> None:
    token = ComputeToken()
    worker = Worker(token)
    for what in ("release", "acquire", "acquire", "release", "release", "acquire"):
        worker.order(what)
        worker.has(what)
    assert token._free.qsize() == 0
    worker.end()


def test_a_permit_that_is_kept_for_long_is_taken_away_and_not_given_back_twice() -> None:
    token = ComputeToken()
    blocked, other = Worker(token), Worker(token)
    blocked.order("acquire")
    blocked.has("acquire")
    other.order("acquire")
    other.has("acquire")
    blocked.order("release")
    blocked.has("release")
    assert token._free.qsize() == 0, "it is the other's now"
    other.order("release")
    other.has("release")
    assert token._free.qsize() == 1
    blocked.end()
    other.end()


@pytest.mark.usefixtures("patient")
def test_of_many_threads_one_is_inside_at_a_time() -> None:
    token = ComputeToken()
    inside: list[int] = []
    most: list[int] = []

    def come_and_go(number: int) -> None:
        for _ in range(200):
            token.acquire()
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)
            token.release()

    threads = [threading.Thread(target=come_and_go, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert len(most) == 800
    assert max(most) == 1
    assert token._free.qsize() == 1


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OFFER_AFTER", -1.0)


def wait_for_waiting(waiters: Waiters, count: int) -> None:
    while len(waiters.waiting) < count:
        pass  # it is on its way


@pytest.mark.usefixtures("patient", "generous")
def test_one_in_its_turn_goes_on_after_all_that_begin_theirs() -> None:
    token = ComputeToken()
    busy, others = Worker(token), [Worker(token), Worker(token)]
    busy.order("acquire")
    busy.has("acquire")
    for number, other in enumerate(others, 1):
        other.order("acquire")
        wait_for_waiting(token._beginning, number)

    busy.order("offer")
    wait_for_waiting(token._going_on, 1)
    while all(other.done.empty() for other in others):
        pass  # one of them is on its way
    first, second = sorted(others, key=lambda other: other.done.empty())
    first.has("acquire")
    first.order("release")
    second.has("acquire")
    assert busy.done.empty()
    second.order("release")
    busy.has("offer")
    for worker in (busy, *others):
        worker.end()


@pytest.mark.usefixtures("patient", "generous")
def test_the_router_goes_on_after_one_other() -> None:
    token = ComputeToken()
    router, first, second = Worker(token), Worker(token), Worker(token)
    router.order("acquire")
    router.has("acquire")
    for number, other in enumerate((first, second), 1):
        other.order("acquire")
        wait_for_waiting(token._beginning, number)

    router.order("offer_once")
    wait_for_waiting(token._urgent, 1)
    while first.done.empty() and second.done.empty():
        pass  # one of them is on its way
    one, other = (second, first) if first.done.empty() else (first, second)
    one.has("acquire")
    one.order("release")
    router.has("offer_once")
    assert other.done.empty()
    router.order("release")
    other.has("acquire")
    for worker in (router, first, second):
        worker.end()


@pytest.mark.usefixtures("patient")
def test_one_that_has_computed_for_a_moment_only_offers_nothing() -> None:
    token = ComputeToken()
    busy, other = Worker(token), Worker(token)
    busy.order("acquire")
    busy.has("acquire")
    other.order("acquire")
    wait_for_waiting(token._beginning, 1)
    token._since = float("inf")
    busy.order("offer")
    busy.has("offer")
    assert other.done.empty()
    busy.order("release")
    other.has("acquire")
    busy.end()
    other.end()


def test_one_that_has_waited_for_long_is_not_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that lets go and wants it again is there before the one that it wakes."""
    monkeypatch.setattr(module, "STEAL_AFTER", 0.001)
    token = ComputeToken()
    other = Worker(token)
    token.acquire()
    token._since = float("inf")  # it cannot be stolen
    other.order("acquire")
    wait_for_waiting(token._overdue, 1)
    monkeypatch.setattr(module, "STEAL_AFTER", 3600.0)
    again = Worker(token)
    again.order("acquire")
    wait_for_waiting(token._beginning, 1)

    token.release()
    other.has("acquire")
    assert again.done.empty()
    other.order("release")
    again.has("acquire")
    for worker in (other, again):
        worker.end()


def test_a_token_that_was_handed_to_waiters_of_a_kind_that_wait_no_more_is_found() -> None:
    """One that has waited for long in its turn counts as one that begins, and may be missed then."""
    token = ComputeToken()
    token._free.get()
    token._going_on.queue.put(None)
    worker = Worker(token)
    worker.order("acquire")
    worker.has("acquire")
    worker.end()
