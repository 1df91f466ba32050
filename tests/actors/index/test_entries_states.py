"""The moves between states: those of the table, and none besides."""

from __future__ import annotations

import pytest

from actors.index.entries import MOVES, STATES, Version, moves

TABLE = """
dummy | under dev
under dev | potential release, erroring, dummy
potential release | under user test, under dev, erroring
under user test | release, potential release, under dev, erroring
release | reverted, erroring
erroring | under dev, reverted
reverted | under dev
"""


def test_the_moves_are_those_of_the_table() -> None:
    stated = {}
    for line in TABLE.strip().splitlines():
        origin, _, others = line.partition(" | ")
        stated[origin] = tuple(others.split(", "))
    assert dict(MOVES) == stated
    assert set(stated) == set(STATES)


@pytest.mark.parametrize("before", ["potential release", "under user test", "release"])
def test_an_erroring_version_may_go_back_to_where_it_came_from(before: str) -> None:
    version = Version(1, "erroring", "a:b", None, before=before)
    assert moves(version) == ("under dev", "reverted", before)


def test_one_that_was_under_dev_has_that_way_once() -> None:
    version = Version(1, "erroring", "a:b", None, before="under dev")
    assert moves(version) == ("under dev", "reverted")


def test_where_another_version_came_from_matters_only_while_it_is_erroring() -> None:
    version = Version(1, "release", "a:b", None, before="under user test")
    assert moves(version) == ("reverted", "erroring")
