"""How a version fares: five failures within fifty calls and a minute take it out, once, and a hang counts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import health as module
from actors.health import HANGS_AFTER, Health, Running, Threshold, span

LIMIT = Threshold()


class Clock:
    """In place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@contextmanager
def stopped() -> Iterator[Clock]:
    """Time goes on where the test says so."""
    clock = Clock()
    with patch.object(module, "time", clock):
        yield clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped() as clock:
        yield clock


def succeed(health: Health, times: int = 1) -> None:
    for _ in range(times):
        health.end(health.begin("acme", "fine"))


def fail(health: Health, trace_id: str = "trace") -> bool:
    running = health.begin("acme", trace_id)
    health.end(running)
    return health.fail(running)


# Taking out


class Step(NamedTuple):
    """One call, so long after the one before."""

    seconds: int
    fails: bool


STEPS = st.lists(
    st.builds(Step, st.sampled_from([0, 0, 0, 1, 7, 20, 61]), st.booleans() | st.just(True)),
    max_size=120,
)


def first_too_much(steps: list[Step], limit: Threshold) -> int | None:
    """By the words: the first failure with so many among the last calls, none older than that."""
    now, seen = 0, []
    for number, step in enumerate(steps):
        now += step.seconds
        seen.append((now, step.fails))
        recent = [at for at, fails in seen[-limit.calls :] if fails and now - at <= limit.seconds]
        if step.fails and len(recent) >= limit.failures:
            return number
    return None


@given(STEPS, st.integers(1, 6), st.integers(1, 60))
def test_it_is_the_first_failure_too_many_that_takes_it_out_and_none_after_it(
    steps: list[Step], failures: int, calls: int
) -> None:
    limit = Threshold(failures, calls)
    health = Health(limit)
    told = []
    with stopped() as clock:
        for number, step in enumerate(steps):
            clock.now += step.seconds
            if not step.fails:
                succeed(health)
            elif fail(health):
                told.append(number)
            assert health.is_out == bool(told)
    expected = first_too_much(steps, limit)
    assert told == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("between", "seconds", "out"),
    [(0, 0.0, True), (45, 0.0, True), (46, 0.0, False), (0, 60.0, True), (0, 60.1, False)],
)
def test_the_edges_of_fifty_calls_and_a_minute(
    clock: Clock, between: int, seconds: float, out: bool
) -> None:
    """The first failure, so many sound calls and seconds, and four more failures."""
    health = Health(LIMIT)
    fail(health)
    succeed(health, between)
    clock.now += seconds
    assert [fail(health) for _ in range(4)] == [False, False, False, out]


def test_without_a_threshold_failures_are_told_and_nothing_is_taken_out() -> None:
    health = Health(None)
    assert not any(fail(health, f"trace-{number}") for number in range(12))
    assert not health.is_out
    assert [each.trace_id for each in health.failures] == [f"trace-{n}" for n in range(7, 12)]


def test_what_is_told_names_the_call_and_whose_it_was(clock: Clock) -> None:
    health = Health(LIMIT)
    succeed(health)
    fail(health, "t-1")
    (told,) = health.failures
    assert told == (2, clock.now, "t-1", "acme")


def test_of_many_threads_that_fail_at_once_one_takes_it_out() -> None:
    """A hundred versions, each failing on eight threads at one moment."""
    threads, versions = 8, [Health(LIMIT) for _ in range(100)]
    told: list[list[bool]] = [[] for _ in versions]
    together = threading.Barrier(threads)

    def work(tenant: str) -> None:
        for health, results in zip(versions, told, strict=True):
            running = health.begin(tenant, tenant)
            together.wait()
            results.append(health.fail(running))
            health.end(running)

    workers = [threading.Thread(target=work, args=[f"t-{n}"]) for n in range(threads)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    assert [sorted(results) for results in told] == [[False] * 7 + [True]] * len(versions)
    assert all(health.is_out for health in versions)
    assert not any(health.hanging() for health in versions)


# Hanging


def test_a_call_that_does_not_end_is_told_once(clock: Clock) -> None:
    health = Health(LIMIT)
    hung = health.begin("acme", "t-1")
    clock.now += 1.0
    other = health.begin("globex", "t-2")
    clock.now += HANGS_AFTER - 0.5
    assert health.hanging() == [hung]
    assert health.hanging() == []
    clock.now += 1.0
    assert health.hanging() == [other]


def test_a_call_that_has_ended_does_not_hang(clock: Clock) -> None:
    health = Health(LIMIT)
    health.end(health.begin("acme", "t-1"))
    clock.now += 2 * HANGS_AFTER
    health.begin("acme", "t-2")
    assert health.hanging() == []


def test_a_tenant_that_came_back_has_one_call_under_way(clock: Clock) -> None:
    """The incarnation that died in the middle of its call is not waited for."""
    health = Health(LIMIT)
    health.begin("acme", "t-1")
    clock.now += 2 * HANGS_AFTER
    again = health.begin("acme", "t-2")
    clock.now += HANGS_AFTER + 0.1
    assert health.hanging() == [again]


def test_five_that_hang_take_it_out(clock: Clock) -> None:
    health = Health(LIMIT)
    for number in range(5):
        health.begin(f"tenant-{number}", "trace")
    clock.now += HANGS_AFTER + 0.1
    assert [health.fail(each) for each in health.hanging()] == [False] * 4 + [True]


def test_a_call_that_hung_and_then_raised_has_failed_once(clock: Clock) -> None:
    health = Health(LIMIT)
    running = [health.begin(f"tenant-{number}", "trace") for number in range(4)]
    clock.now += HANGS_AFTER + 0.1
    assert health.hanging() == running
    assert not any(health.fail(each) for each in [*running, *running])
    assert len(health.failures) == 4
    assert fail(health)


def test_a_call_of_long_ago_is_none_of_the_last_fifty_although_it_fails_last() -> None:
    """It had begun before them all."""
    health = Health(LIMIT)
    slow = health.begin("globex", "t-1")
    succeed(health, 100)
    assert not any(fail(health) for _ in range(4))
    assert not health.fail(slow)
    assert fail(health)


def test_calls_that_end_in_another_order_than_they_began_are_counted_as_well() -> None:
    health = Health(LIMIT)
    running = [health.begin(f"tenant-{number}", "trace") for number in range(LIMIT.failures)]
    assert [health.fail(each) for each in reversed(running)] == [False] * 4 + [True]
    assert span(health.failures) == LIMIT.failures


def test_a_call_says_when_it_began(clock: Clock) -> None:
    health = Health(LIMIT)
    assert health.begin("acme", "t-1") == Running(1, clock.now, "t-1", "acme", health)
