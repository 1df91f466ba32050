"""The histogram: percentiles as close to the exact ones as its buckets are narrow."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.metrics.histogram import BOUNDS_MS, Histogram, bucket_of

SHARES = (0.01, 0.5, 0.9, 0.95, 0.99, 1.0)

DURATIONS = st.lists(st.floats(min_value=0.0, max_value=100_000.0), min_size=1, max_size=300)


def histogram(durations: list[float]) -> Histogram:
    """One that has counted these, in milliseconds."""
    made = Histogram()
    for each in durations:
        made.add([bucket_of(each)], each)
    return made


def test_bounds_reach_from_a_tenth_of_a_millisecond_to_a_minute_a_quarter_apart_at_most() -> None:
    """So that a percentile is off by a quarter at most."""
    assert BOUNDS_MS[0] == 0.1
    assert 60_000.0 <= BOUNDS_MS[-1] < 75_000.0
    steps = [above / below for below, above in pairwise(BOUNDS_MS)]
    assert min(steps) > 1.1
    assert max(steps) <= 1.25 + 1e-9


@given(DURATIONS)
def test_a_percentile_is_in_the_bucket_of_the_exact_one(durations: list[float]) -> None:
    """Exact is by nearest rank: the smallest that such a share of all does not exceed."""
    ordered = sorted(durations)
    found = histogram(durations).percentiles(SHARES)

    for share, value in zip(SHARES, found, strict=True):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert value is not None
        assert bucket_of(value) == min(bucket_of(exact), len(BOUNDS_MS) - 1)
        if 0.1 < exact <= BOUNDS_MS[-1]:
            assert value == pytest.approx(exact, rel=0.25)


@given(DURATIONS)
def test_percentiles_rise_with_their_shares(durations: list[float]) -> None:
    """A median above the 95th percentile would be believed by none."""
    found = histogram(durations).percentiles(SHARES)
    assert found == sorted(value for value in found if value is not None)


def test_of_nothing_there_is_no_percentile() -> None:
    """Zero would be a very good one."""
    assert Histogram().percentiles((0.5, 0.99)) == [None, None]


@given(DURATIONS, DURATIONS)
def test_merged_it_has_counted_what_both_had(one: list[float], other: list[float]) -> None:
    """Tenants that are counted together lose nothing."""
    merged = histogram(one)
    merged.merge(histogram(other))

    assert merged.counts == histogram(one + other).counts
    assert len(merged) == len(one) + len(other)
    assert merged.total_ms == pytest.approx(math.fsum(one + other))


def test_a_copy_stays_as_it_was() -> None:
    """Another thread reads it."""
    counted = histogram([1.0])
    copy = counted.copy()
    counted.add([bucket_of(5.0)], 5.0)
    assert (len(copy), copy.total_ms) == (1, 1.0)
    assert (len(counted), counted.total_ms) == (2, 6.0)


@given(DURATIONS)
def test_coarse_bounds_count_what_is_not_longer(durations: list[float]) -> None:
    """As Prometheus has it: cumulative, in seconds, the last bound infinite."""
    for bound, count in histogram(durations).coarse():
        # Both in milliseconds: a duration that is a bound must not be lost in the division.
        longest = math.inf if math.isinf(bound) else round(bound * 1000, 3)
        assert count == sum(each <= longest for each in durations)
