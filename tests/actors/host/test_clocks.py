"""The time by which things are removed: no jump of the machine's clock makes anything old."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.host.clocks import FILE, RetentionClock, retention_clock

NOW = 1_800_000_000.0
DAY = 86_400.0


class Clocks:
    """The machine's two, set by hand."""

    def __init__(self) -> None:
        self.wall = NOW
        self.steady = 50.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def age(self, start: float = NOW) -> RetentionClock:
        return RetentionClock(start, lambda: self.wall, lambda: self.steady)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_it_goes_with_the_clock(clocks: Clocks) -> None:
    age = clocks.age()
    clocks.pass_by(3 * DAY)
    assert age.now() == clocks.wall


@pytest.mark.parametrize("jump", [DAY, 3650 * DAY])
def test_a_jump_ahead_makes_nothing_older_than_twice_what_it_lives(
    clocks: Clocks, jump: float
) -> None:
    """While it runs, and over a start."""
    age = clocks.age()
    clocks.wall += jump
    assert age.now() == NOW
    clocks.pass_by(60.0)
    assert age.now() == NOW + 120.0


def test_it_catches_up_after_the_server_was_off(clocks: Clocks) -> None:
    age = clocks.age(NOW - 7 * DAY)
    assert age.now() == NOW - 7 * DAY
    clocks.pass_by(6 * DAY)
    assert age.now() == clocks.wall - DAY
    clocks.pass_by(2 * DAY)
    assert age.now() == clocks.wall


def test_a_clock_that_is_set_back_makes_it_stand(clocks: Clocks) -> None:
    """So that what is stored meanwhile is not taken for old when the clock is right again."""
    age = clocks.age()
    clocks.pass_by(10.0)
    clocks.wall -= 3650 * DAY
    assert age.now() == NOW
    clocks.wall += 3650 * DAY
    assert age.now() == NOW + 10.0


def test_a_start_goes_on_where_it_stood(tmp_path: Path, clocks: Clocks) -> None:
    retention_clock(tmp_path, lambda: clocks.wall).note()
    clocks.wall += 3650 * DAY
    assert retention_clock(tmp_path, lambda: clocks.wall).now() == pytest.approx(NOW, abs=1.0)


def test_data_of_older_code_is_as_old_as_its_newest_writing(tmp_path: Path, clocks: Clocks) -> None:
    """A clock that is wrong at the first start of this code removes nothing either."""
    for name, written in (("directory.db", NOW - 9 * DAY), ("directory.db-wal", NOW - DAY)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (written, written))
    assert retention_clock(tmp_path, lambda: clocks.wall).now() == pytest.approx(NOW - DAY, abs=1.0)


@pytest.mark.parametrize("content", ["", "noise", "\0", "nan"])
def test_a_note_that_is_none_is_as_none(tmp_path: Path, clocks: Clocks, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert retention_clock(tmp_path, lambda: clocks.wall).now() == pytest.approx(NOW, abs=1.0)


def test_where_it_cannot_be_noted_nothing_fails(tmp_path: Path, clocks: Clocks) -> None:
    age = retention_clock(tmp_path / "nowhere", lambda: clocks.wall)
    age.note()
    assert age.now() == pytest.approx(NOW, abs=1.0)
