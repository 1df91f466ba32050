"""How a version fares: five failures within fifty calls and a minute take it out, once, and a hang counts.

For all where several tenants failed, or all there are; else for the one tenant, and for a while.
"""

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

from actors.index.entries import Threshold
from actors.routing import health as module
from actors.routing.health import (
    HUNG_AFTER,
    MOST_TENANTS,
    SEVERAL,
    TRIP_SECONDS,
    Blame,
    FailureDetector,
    Running,
    calls_spanned,
)

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


def succeed(detector: FailureDetector, times: int = 1, tenant: str = "acme") -> None:
    for _ in range(times):
        detector.finish(detector.start(tenant, "fine"))


def blame(
    detector: FailureDetector, tenant: str = "acme", tenants: int = 1, is_replaceable: bool = True
) -> Blame | None:
    running = detector.start(tenant, "trace")
    detector.finish(running)
    return detector.record_failure(running, tenants, is_replaceable=is_replaceable)


def fail(detector: FailureDetector, trace_id: str = "trace") -> bool:
    """The only tenant there is."""
    running = detector.start("acme", trace_id)
    detector.finish(running)
    return detector.record_failure(running) is Blame.VERSION


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
    detector = FailureDetector(limit)
    told = []
    with stopped() as clock:
        for number, step in enumerate(steps):
            clock.now += step.seconds
            if not step.fails:
                succeed(detector)
            elif fail(detector):
                told.append(number)
            assert detector.is_tripped == bool(told)
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
    detector = FailureDetector(LIMIT)
    fail(detector)
    succeed(detector, between)
    clock.now += seconds
    assert [fail(detector) for _ in range(4)] == [False, False, False, out]


def test_without_a_threshold_failures_are_told_and_nothing_is_taken_out() -> None:
    detector = FailureDetector(None)
    assert not any(fail(detector, f"trace-{number}") for number in range(12))
    assert not detector.is_tripped
    assert [each.trace_id for each in detector.failures] == [f"trace-{n}" for n in range(7, 12)]


def test_what_is_told_names_the_call_and_whose_it_was(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    succeed(detector)
    fail(detector, "t-1")
    (told,) = detector.failures
    assert told == (2, clock.now, "t-1", "acme")


def test_of_many_threads_that_fail_at_once_one_takes_it_out() -> None:
    """A hundred versions, each failing on eight threads at one moment."""
    threads, versions = 8, [FailureDetector(LIMIT) for _ in range(100)]
    told: list[list[bool]] = [[] for _ in versions]
    together = threading.Barrier(threads)

    def work(tenant: str) -> None:
        for detector, results in zip(versions, told, strict=True):
            running = detector.start(tenant, tenant)
            together.wait()
            results.append(detector.record_failure(running, threads) is Blame.VERSION)
            detector.finish(running)

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
    assert all(detector.is_tripped for detector in versions)
    assert not any(detector.hung_calls() for detector in versions)


# For whom


def test_one_tenants_failures_take_it_out_for_that_tenant_alone_and_for_a_while(
    clock: Clock,
) -> None:
    detector = FailureDetector(LIMIT)
    succeed(detector, tenant="globex")
    told = [blame(detector, "acme", tenants=2) for _ in range(5)]
    assert told == [None] * 4 + [Blame.TENANT]
    assert detector.is_tripped_for("acme")
    assert detector.tripped_for() == {"acme": TRIP_SECONDS}
    assert not detector.is_tripped
    assert not detector.is_tripped_for("globex")
    clock.now += TRIP_SECONDS
    assert not detector.is_tripped_for("acme")
    assert detector.tripped_for() == {}
    told = [blame(detector, "acme", tenants=2) for _ in range(5)]
    assert told == [None] * 4 + [Blame.TENANT]


def test_a_tenant_among_many_is_judged_by_its_own_calls(clock: Clock) -> None:
    """The others make all but one of a hundred calls; none of its own succeeds."""
    detector = FailureDetector(LIMIT)
    told = []
    for _ in range(5):
        succeed(detector, 99, "globex")
        told.append(blame(detector, "acme", tenants=99))
    assert told == [None] * 4 + [Blame.TENANT]
    assert not detector.is_tripped_for("globex")


@pytest.mark.parametrize(("between", "out"), [(45, True), (46, False)])
def test_the_edge_of_fifty_calls_of_one_tenant(clock: Clock, between: int, out: bool) -> None:
    """The first failure, so many sound calls, and four more failures; another tenant is sound."""
    detector = FailureDetector(LIMIT)
    succeed(detector, 100, "globex")
    blame(detector, "acme", tenants=2)
    succeed(detector, between, "acme")
    for _ in range(4):
        blame(detector, "acme", tenants=2)
    assert detector.is_tripped_for("acme") == out


@pytest.mark.parametrize("tenants", [SEVERAL, 1000])
def test_failures_of_several_tenants_take_it_out_for_all(clock: Clock, tenants: int) -> None:
    detector = FailureDetector(LIMIT)
    failing = ["acme", "acme", "globex", "globex", "acme", "globex", "initech"]
    told = [blame(detector, tenant, tenants) for tenant in failing]
    assert told == [None] * 6 + [Blame.VERSION]
    assert [each.tenant for each in detector.evidence] == failing
    assert detector.is_tripped_for("umbrella")


@pytest.mark.parametrize("failing", [("acme",), ("acme", "globex")])
def test_neither_one_nor_two_of_many_tenants_take_it_out_for_all(
    clock: Clock, failing: tuple[str, ...]
) -> None:
    """However often they fail, also once they are let back."""
    detector = FailureDetector(LIMIT)
    for _ in range(5):
        told = [blame(detector, tenant, SEVERAL) for tenant in failing * 20]
        assert told.count(Blame.TENANT) == len(failing)
        clock.now += TRIP_SECONDS
    assert not detector.is_tripped
    assert not detector.is_tripped_for("initech")


def test_where_there_are_two_tenants_both_have_to_fail_if_both_call(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    succeed(detector, tenant="globex")
    assert [blame(detector, "acme", tenants=2) for _ in range(9)].count(Blame.VERSION) == 0
    assert blame(detector, "globex", tenants=2) is Blame.VERSION


def test_what_has_nothing_to_fall_back_on_stays_and_the_alarm_is_raised_now_and_then(
    clock: Clock,
) -> None:
    detector = FailureDetector(LIMIT)
    for _ in range(2):
        told = [blame(detector, f"t-{n % 5}", 5, is_replaceable=False) for n in range(20)]
        assert told.count(Blame.ALARM) == 1
        assert not detector.is_tripped
        clock.now += TRIP_SECONDS


def test_an_alarm_for_one_tenant_does_not_silence_that_for_all(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    told = [blame(detector, "acme", 5, is_replaceable=False) for _ in range(20)]
    assert told.count(Blame.ALARM) == 1
    told = [blame(detector, tenant, 5, is_replaceable=False) for tenant in ("globex", "initech")]
    assert told == [None, Blame.ALARM]


def test_what_is_remembered_of_tenants_is_bounded(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    for number in range(MOST_TENANTS + 100):
        clock.now += LIMIT.seconds
        blame(detector, f"tenant-{number}", tenants=10_000)
    assert len(detector.by_tenant) == MOST_TENANTS
    assert "tenant-0" not in detector.by_tenant


def test_one_that_is_reinstated_is_judged_anew(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    assert [fail(detector) for _ in range(5)][-1]
    detector.reset()
    assert not detector.is_tripped
    detector.by_tenant.clear()
    assert [fail(detector) for _ in range(5)] == [False] * 4 + [True]


# Hanging


def test_a_call_that_does_not_end_is_told_once(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    hung = detector.start("acme", "t-1")
    clock.now += 1.0
    other = detector.start("globex", "t-2")
    clock.now += HUNG_AFTER - 0.5
    assert detector.hung_calls() == [hung]
    assert detector.hung_calls() == []
    clock.now += 1.0
    assert detector.hung_calls() == [other]


def test_a_call_that_has_ended_does_not_hang(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    detector.finish(detector.start("acme", "t-1"))
    clock.now += 2 * HUNG_AFTER
    detector.start("acme", "t-2")
    assert detector.hung_calls() == []


def test_a_tenant_that_came_back_has_one_call_under_way(clock: Clock) -> None:
    """The incarnation that died in the middle of its call is not waited for."""
    detector = FailureDetector(LIMIT)
    detector.start("acme", "t-1")
    clock.now += 2 * HUNG_AFTER
    again = detector.start("acme", "t-2")
    clock.now += HUNG_AFTER + 0.1
    assert detector.hung_calls() == [again]


def test_five_that_hang_take_it_out(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    for number in range(5):
        detector.start(f"tenant-{number}", "trace")
    clock.now += HUNG_AFTER + 0.1
    told = [detector.record_failure(each, 9) for each in detector.hung_calls()]
    assert told == [None] * 4 + [Blame.VERSION]


def test_a_call_that_hung_and_then_raised_has_failed_once(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    running = [detector.start(f"tenant-{number}", "trace") for number in range(4)]
    clock.now += HUNG_AFTER + 0.1
    assert detector.hung_calls() == running
    assert not any(detector.record_failure(each) for each in [*running, *running])
    assert len(detector.failures) == 4
    assert fail(detector)


def test_a_call_of_long_ago_is_none_of_the_last_fifty_although_it_fails_last() -> None:
    """It had begun before them all."""
    detector = FailureDetector(LIMIT)
    slow = detector.start("globex", "t-1")
    succeed(detector, 100)
    assert not any(fail(detector) for _ in range(4))
    assert not detector.record_failure(slow)
    assert fail(detector)


def test_calls_that_end_in_another_order_than_they_began_are_counted_as_well() -> None:
    detector = FailureDetector(LIMIT)
    running = [detector.start(f"tenant-{number}", "trace") for number in range(LIMIT.failures)]
    told = [detector.record_failure(each, 9) for each in reversed(running)]
    assert told == [None] * 4 + [Blame.VERSION]
    assert calls_spanned(detector.failures) == LIMIT.failures


def test_a_call_says_when_it_began(clock: Clock) -> None:
    detector = FailureDetector(LIMIT)
    assert detector.start("acme", "t-1") == Running(1, clock.now, "t-1", "acme", detector)
