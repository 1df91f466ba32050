"""Rates: counted over the time that they say, whatever came before, and however long nothing came."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.metrics.figures import SAMPLE_SECONDS, RateWindow

MINUTE = 60.0

GAPS = st.lists(
    st.tuples(st.floats(min_value=0.0, max_value=900.0), st.integers(1, 1000)), max_size=60
)
"""Seconds since the one before, and how many then."""


class Counted:
    """A window, and the times of all that it has counted."""

    def __init__(self) -> None:
        self.window = RateWindow(0.0)
        self.totals = Counter[str]()
        self.now = 0.0
        self._times: list[tuple[float, int]] = []

    def count(self, after: float, number: int) -> None:
        """So many, so many seconds later."""
        self.look(after)
        self.totals["a"] += number
        self._times.append((self.now, number))

    def look(self, after: float) -> None:
        """Only time goes by."""
        self.now += after
        self.window.sample(self.now, lambda: self.totals)

    def rate(self, seconds: float) -> float:
        """As the window says it."""
        return self.window.per_second(self.totals, self.now, seconds)

    def since(self, at: float) -> int:
        """How many were counted at that time or later."""
        return sum(number for when, number in self._times if when >= at)


def test_after_a_start_what_has_been_counted_is_shared_out_among_the_seconds_so_far() -> None:
    """Not among a minute that has not been."""
    counted = Counted()
    counted.count(1.0, 30)
    counted.look(9.0)
    assert counted.rate(MINUTE) == pytest.approx(3.0)


def test_a_steady_stream_has_its_rate() -> None:
    """Over a minute and over five."""
    counted = Counted()
    for _ in range(700):
        counted.count(1.0, 7)
    assert counted.rate(MINUTE) == pytest.approx(7.0, rel=0.05)
    assert counted.rate(5 * MINUTE) == pytest.approx(7.0, rel=0.05)


def test_what_was_busy_and_is_quiet_has_no_rate_after_the_time() -> None:
    """Also where nothing at all has come in between, and no one has looked."""
    counted = Counted()
    for _ in range(100):
        counted.count(1.0, 1000)
    counted.look(1000.0)
    assert counted.rate(MINUTE) == 0.0
    assert counted.rate(5 * MINUTE) == 0.0


@given(GAPS, st.sampled_from([MINUTE, 5 * MINUTE]))
def test_a_rate_is_that_of_the_time_asked_for_or_of_a_mark_more(
    gaps: list[tuple[float, int]], seconds: float
) -> None:
    """Between the two bounds that the marks leave open."""
    counted = Counted()
    for after, number in gaps:
        counted.count(after, number)

    elapsed = max(counted.now, 1.0)
    least = counted.since(counted.now - seconds) / min(
        seconds + SAMPLE_SECONDS, max(elapsed, seconds)
    )
    most = counted.since(counted.now - seconds - SAMPLE_SECONDS) / min(seconds, elapsed)
    assert least * 0.999 <= counted.rate(seconds) <= most * 1.001


def test_who_is_counted_from_zero_again_has_no_rate_below_zero() -> None:
    """Tenants that were put together with others come back."""
    window = RateWindow(0.0)
    window.sample(400.0, lambda: {"a": 1000})
    window.forget("a")
    assert window.per_second({"a": 60}, 400.0, MINUTE) >= 0.0
