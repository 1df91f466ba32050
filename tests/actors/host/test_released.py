"""The folder of releases: the link, the journal, and what a start makes of a deploy that was cut short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.host import released
from actors.host.released import DeployUnderWay, current, deploying, settle, switch, write_journal

MOVE = {"kind": "function", "name": "orders.place", "version": 2, "to": "release"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two releases, of which the second was just switched to."""
    for name in ("1", "2"):
        folder = tmp_path / "release" / name
        folder.mkdir(parents=True)
        (folder / "registry.toml").write_text("")
    switch(tmp_path, "2")
    journal = {
        "release": "shop-2",
        "folder": "2",
        "step": "switched",
        "before": "1",
        "moves": [MOVE],
    }
    write_journal(tmp_path, journal)
    return tmp_path


def states(data: Path, state: str) -> None:
    """As the Registry keeps them."""
    versions = {"actions.orders.place": {"2": {"state": state}}}
    (data / "states.json").write_text(json.dumps({"versions": versions}))


def step(data: Path) -> str:
    """Where the journal stands."""
    journal = released.read_journal(data)
    assert journal is not None
    return str(journal["step"])


def test_before_the_versions_were_moved_a_start_goes_back(data: Path) -> None:
    states(data, "under user test")
    assert "what was served before is served" in str(settle(data))
    assert (current(data), step(data)) == ("1", "back")
    assert settle(data) is None


def test_after_they_were_moved_it_goes_on(data: Path) -> None:
    states(data, "release")
    assert "it is served" in str(settle(data))
    assert (current(data), step(data)) == ("2", "done")


def test_before_the_link_was_switched_versions_that_stood_there_already_decide_nothing(
    data: Path,
) -> None:
    states(data, "release")
    switch(data, "1")
    settle(data)
    assert (current(data), step(data)) == ("1", "back")


def test_a_deploy_that_still_runs_is_let_be(data: Path) -> None:
    with deploying(data):
        assert settle(data) is None
        with pytest.raises(DeployUnderWay), deploying(data):
            pass
    assert (current(data), step(data)) == ("2", "switched")


def test_without_a_release_there_is_nothing_to_settle(tmp_path: Path) -> None:
    assert settle(tmp_path) is None
    assert current(tmp_path) is None
    assert released.released_index(tmp_path) is None
    assert not (tmp_path / "release").exists()


def test_the_folder_of_a_release_is_named_by_its_link(data: Path) -> None:
    index = released.released_index(data)
    assert index is not None
    assert released.folder_of(index) == data / "release" / "current"
    assert released.folder_of(data / "release" / "1" / "registry.toml") == data / "release" / "1"
