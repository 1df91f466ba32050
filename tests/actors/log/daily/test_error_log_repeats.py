"""Events that come again and again: none is forgotten, and they do not fill the disk."""

from __future__ import annotations

from typing import Any

import pytest

from actors.log.daily.error_log import MAX_GROUPS, MAX_REPEATS, PERIOD_SECONDS, Deduplicator


def event(**said: Any) -> dict[str, Any]:
    """As the ErrorLog is told."""
    return {"at": 0.0, "level": "error", "event": "function failed", "source": "tenant", **said}


def test_the_first_ones_are_told_and_the_rest_is_counted() -> None:
    """And told as one when the period is over."""
    repeats = Deduplicator()

    told = [repeats.admit(event(trace_id=str(number)), number / 100) for number in range(512)]

    assert told == [True] * MAX_REPEATS + [False] * 412
    assert list(repeats.expired(PERIOD_SECONDS - 0.01)) == []
    (rest,) = repeats.expired(PERIOD_SECONDS)
    assert rest["event"] == "function failed … and 412 more like it"
    assert (rest["more"], rest["trace_id"], rest["source"]) == (412, "511", "tenant")
    assert repeats.admit(event(), PERIOD_SECONDS)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "acme"},
        {"action": "a.b"},
        {"level": "warning"},
        {"source": "router"},
        {"event": "commit failed"},
        {"exception": {"type": "KeyError", "message": "x"}},
    ],
)
def test_what_is_not_alike_is_told(other: dict[str, Any]) -> None:
    """One customer's flood hides nothing of another's."""
    repeats = Deduplicator()
    for _ in range(200):
        repeats.admit(event(), 0.0)

    assert repeats.admit(event(**other), 0.0)


def test_a_clock_that_goes_back_ends_a_period() -> None:
    """Otherwise nothing would be told until it has caught up."""
    repeats = Deduplicator()
    for _ in range(101):
        repeats.admit(event(), 1000.0)

    assert [each["more"] for each in repeats.expired(999.0)] == [1]


def test_what_was_counted_can_be_told_at_once() -> None:
    """As when the log stops."""
    repeats = Deduplicator()
    for _ in range(101):
        repeats.admit(event(), 0.0)

    assert [each["more"] for each in repeats.all()] == [1]
    assert list(repeats.all()) == []


def test_of_more_kinds_than_are_watched_each_one_is_told() -> None:
    """Memory is bounded, and nothing is lost by that."""
    repeats = Deduplicator()
    for number in range(MAX_GROUPS):
        repeats.admit(event(tenant=str(number)), 0.0)

    assert all(repeats.admit(event(tenant="new"), 0.0) for _ in range(200))
