"""A limiter: never more than it may let through, and anyone who waits as long as it says gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.rate_limit import ROUNDING, RateLimiter

RATES = st.floats(0.01, 1e5)
BURSTS = st.floats(1.0, 1e5)
GAPS = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=60)
MONOTONIC = st.floats(0.0, 1e7)
"""Seconds since some machine's start, up to some months."""


@given(RATES, BURSTS, GAPS, MONOTONIC)
def test_no_window_lets_more_through_than_the_burst_and_what_flows_in_meanwhile(
    rate: float, burst: float, gaps: list[float], now: float
) -> None:
    limiter = RateLimiter(rate, burst)
    taken: list[float] = []
    for gap in gaps:
        now += gap
        if limiter.try_acquire(1.0, now) == 0.0:
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            most = burst + rate * (taken[last] - taken[first] + 2 * ROUNDING)
            assert last - first + 1 <= most * (1 + 1e-9)


@given(RATES, BURSTS, GAPS, MONOTONIC, st.floats(0.0, 1.0))
def test_waiting_as_long_as_it_says_gets_one_in_and_half_of_it_does_not(
    rate: float, burst: float, gaps: list[float], now: float, share: float
) -> None:
    limiter = RateLimiter(rate, burst)
    cost = max(share * burst, burst / 100)
    for gap in gaps:
        now += gap / rate
        wait = limiter.try_acquire(cost, now)
        if wait > 0.0:
            assert wait > ROUNDING
            if wait > 1e-3:
                assert limiter.try_acquire(cost, now + wait / 2) > 0.0
            now += wait
            assert limiter.try_acquire(cost, now) == 0.0


@given(RATES, st.integers(1, 200), MONOTONIC)
def test_a_full_bucket_lets_its_whole_burst_through_at_once_and_no_more(
    rate: float, burst: int, now: float
) -> None:
    limiter = RateLimiter(rate, burst)
    assert [limiter.try_acquire(1.0, now) for _ in range(burst)] == [0.0] * burst
    assert limiter.try_acquire(1.0, now) == pytest.approx(1.0 / rate, rel=1e-3, abs=1e-4)


@given(RATES, BURSTS, GAPS, MONOTONIC, st.floats(0.0, 1e6))
def test_a_time_that_goes_back_lets_no_more_through_than_one_that_stands(
    rate: float, burst: float, gaps: list[float], now: float, back: float
) -> None:
    one, other = RateLimiter(rate, burst), RateLimiter(rate, burst)
    for gap in gaps:
        now += gap
        assert (one.try_acquire(1.0, now) == 0.0) == (other.try_acquire(1.0, now) == 0.0)
    if one.try_acquire(1.0, now) > 0.0:
        assert one.try_acquire(1.0, now - back) > 0.0
        assert one.retry_after(now - back) >= one.retry_after(now)


def test_what_is_refused_is_not_taken() -> None:
    """Or anyone who asks again and again would never get in."""
    limiter = RateLimiter(rate=1.0, burst=1.0)
    assert limiter.try_acquire(1.0, 100.0) == 0.0
    waits = [limiter.try_acquire(1.0, 100.0) for _ in range(5)]
    assert waits == [pytest.approx(1.0)] * 5
    assert limiter.try_acquire(1.0, 101.0) == 0.0


def test_more_than_the_burst_is_never_there() -> None:
    """However long nothing was taken."""
    limiter = RateLimiter(rate=1.0, burst=2.0)
    assert limiter.try_acquire(3.0, 0.0) > 0.0
    assert limiter.try_acquire(3.0, 1e9) > 0.0
    assert limiter.try_acquire(2.0, 1e9) == 0.0


def test_what_is_charged_afterwards_may_be_owed() -> None:
    """And is owed until as much has flowed in."""
    limiter = RateLimiter(rate=10.0, burst=100.0)
    assert limiter.retry_after(0.0) == 0.0
    limiter.charge(100.0, 0.0)
    assert limiter.retry_after(0.0) == 0.0
    limiter.charge(50.5, 0.0)
    assert limiter.retry_after(0.0) == pytest.approx(5.05)
    assert limiter.retry_after(5.0) == pytest.approx(0.05)
    assert limiter.retry_after(5.05) == 0.0


@given(RATES, BURSTS, st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 1e6)), max_size=40))
def test_after_the_wait_nothing_is_owed(
    rate: float, burst: float, charges: list[tuple[float, float]]
) -> None:
    """Whatever was charged, whenever."""
    limiter, now = RateLimiter(rate, burst), 1000.0
    for gap, cost in charges:
        now += gap
        limiter.charge(cost, now)
        wait = limiter.retry_after(now)
        assert limiter.retry_after(now + wait) <= 1e-6 * max(1.0, wait)


def test_it_is_full_once_nothing_of_what_was_taken_is_missing() -> None:
    limiter = RateLimiter(10.0, 5.0)
    assert limiter.is_full(0.0)
    limiter.try_acquire(3.0, 1000.0)
    assert not limiter.is_full(1000.2)
    assert limiter.is_full(1000.3)
