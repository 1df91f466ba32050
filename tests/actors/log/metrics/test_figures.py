"""Figures: every message is in them once, and no caller makes them grow without end."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.messages import TurnLines
from actors.log.metrics import figures as figures_module
from actors.log.metrics.figures import OTHER, UNKNOWN, Metrics
from tests.actors.log.turns import line, tenant, turn

OUTCOMES = ("ok", "not_found", "internal")

TURNS = st.lists(
    st.builds(
        lambda number, actions, outcome: TurnLines(
            tenant(number), tuple(line(action=action, outcome=outcome) for action in actions)
        ),
        st.integers(0, 9),
        st.lists(st.sampled_from(["a.one", "a.two", "b.one"]), min_size=1, max_size=4),
        st.sampled_from(OUTCOMES),
    ),
    max_size=40,
)


def counted(turns: list[TurnLines]) -> Metrics:
    """What has been told."""
    made = Metrics(0.0)
    for each in turns:
        made.count(each)
    return made


@given(TURNS, st.integers(1, 5))
def test_tenants_that_are_folded_together_lose_nothing(turns: list[TurnLines], most: int) -> None:
    """Whatever the order: what all tenants have is what all actions have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures_module, "MAX_TENANTS", most)
        found = counted(turns)

    everybody = [*found.tenants.values(), found.idle.figures]
    lines = [each for one in turns for each in one.lines]
    wanted = Counter((each.action, each.outcome) for each in lines)
    by_tenants: Counter[tuple[str, str]] = Counter()
    for each in everybody:
        for series, count in each.outcomes.items():
            by_tenants[series.action, series.outcome] += count

    assert len(found.tenants) <= most
    assert by_tenants == wanted
    assert {key: series.requests for key, series in found.series.items()} == wanted
    assert sum(each.requests for each in everybody) == len(lines)
    assert sum(len(each.timings.handled) for each in everybody) == len(lines)
    assert sum(len(each.timings.queued) for each in found.series.values()) == len(lines)


def test_who_was_quiet_the_longest_is_folded_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not who came first."""
    monkeypatch.setattr(figures_module, "MAX_TENANTS", 2)
    found = counted([turn(tenant(number)) for number in (1, 2, 1, 3)])

    assert [each.name for each in found.tenants.values()] == ["tenant-1", "tenant-3"]
    assert found.idle.tenants == 1
    assert found.idle.figures.requests == 1


def test_who_was_folded_and_comes_back_has_the_rate_of_what_came_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """He is counted from zero, and so is what he is compared with."""
    monkeypatch.setattr(figures_module, "MAX_TENANTS", 1)
    found = counted([turn(tenant(0), count=1000)])
    found.sample(400.0)
    for each in (turn(tenant(1)), turn(tenant(0), count=60)):
        found.count(each)
    back = {tenant(0).id: found.tenants[tenant(0).id].requests}
    assert found.by_tenant.per_second(back, 400.0 + 20.0, 20.0) == 3.0


def test_names_that_callers_make_up_are_one_action() -> None:
    """Else anybody could fill the memory, and every monitoring system behind it."""
    made_up = [turn(action=f"made.up{number}", schema=None) for number in range(1000)]
    found = counted([*made_up, turn(action="contacts.add")])

    assert {key: series.requests for key, series in found.series.items()} == {
        (UNKNOWN, "ok"): 1000,
        ("contacts.add", "ok"): 1,
    }


def test_beyond_the_most_series_further_ones_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there go on being counted by themselves."""
    monkeypatch.setattr(figures_module, "MAX_SERIES", 2)
    found = counted([turn(action=action) for action in ("a", "b", "c", "d", "a", "c")])

    assert {series.action: series.requests for series in found.series.values()} == {
        "a": 2,
        "b": 1,
        OTHER: 3,
    }


def test_beyond_the_most_events_further_ones_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with series."""
    monkeypatch.setattr(figures_module, "MAX_EVENTS", 1)
    found = Metrics(0.0)
    for name, by in (("log.lost", 3), ("a", 1), ("b", 1), ("log.lost", 4)):
        found.count_event(name, by)
    assert found.events == {"log.lost": 7, OTHER: 2}


def test_bytes_and_replays_are_added_up() -> None:
    """Of each series."""
    found = counted([turn(reply_bytes=10, count=3), turn(reply_bytes=5, replayed=True)])
    (series,) = found.series.values()
    assert (series.requests, series.replayed, series.reply_bytes) == (4, 1, 35)
