"""Blocks that are passed over by the hours that are looked for, and blocks that are not."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from actors.log.daily.hours import LONGEST_SECONDS, Hours, hours_of
from tests.actors.log.day_lines import HOUR, VIENNA, at

NOON = at("2026-10-24 12:00", VIENNA)

UTC = ZoneInfo("UTC")


def block(*seconds: float, zone: ZoneInfo = VIENNA) -> bytes:
    """Lines of these times, one that has the first one's text in a value among them."""
    times = [
        datetime.fromtimestamp(each, zone).isoformat(timespec="milliseconds") for each in seconds
    ]
    return b"".join(f'{{"at":"{each}","text":"at 2026"}}\n'.encode() for each in times)


def hours(since: float, until: float) -> Hours:
    found = hours_of(since, until, VIENNA)
    assert found is not None
    return found


@pytest.mark.parametrize("minutes", [0, 1, 59])
def test_a_block_is_passed_over_only_without_any_line_of_these_hours(minutes: int) -> None:
    """Also where its lines are not in the order of time."""
    wanted = hours(NOON + 60 * minutes, NOON + 60 * minutes + 120)
    elsewhere = [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON + 5 * HOUR]
    assert wanted.are_not_in(block(*elsewhere))
    for place in range(3):
        assert not wanted.are_not_in(
            block(*elsewhere[:place], NOON + 60 * minutes, *elsewhere[place:])
        )


def test_each_hour_of_a_night_in_which_the_clock_is_set_back_is_there() -> None:
    midnight = NOON + 12 * HOUR
    wanted = hours(midnight, midnight + 6 * HOUR)
    assert len(wanted.zones) == 2
    for quarter in range(24):
        assert not wanted.are_not_in(block(midnight + quarter * HOUR / 4))


def test_lines_in_another_zones_time_are_all_looked_at() -> None:
    wanted = hours(NOON, NOON + HOUR)
    assert not wanted.are_not_in(block(NOON + 20 * HOUR, zone=UTC))
    assert not wanted.are_not_in(b'{"seq":1}\n')
    assert not wanted.are_not_in(b"")


@pytest.mark.parametrize(
    ("since", "until", "zone"),
    [
        (None, NOON, VIENNA),
        (NOON, None, VIENNA),
        (NOON, NOON + HOUR, None),
        (NOON, NOON - HOUR, VIENNA),
        (NOON, NOON + LONGEST_SECONDS + 1, VIENNA),
        (1e18, 1e18 + HOUR, VIENNA),
    ],
)
def test_times_without_an_end_or_of_many_days_have_no_hours(
    since: float | None, until: float | None, zone: ZoneInfo | None
) -> None:
    assert hours_of(since, until, zone) is None
