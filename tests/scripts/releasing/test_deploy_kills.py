"""Deploys and rollbacks, cut short at each of their effects on files: by `kill -9`, or by a full disk.

The server runs all the while. What is next settles it, wholly before or wholly after, and no message is lost.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from actors.host.released import current, read_journal
from scripts.releasing.bundle import packed
from tests.child import Child
from tests.scripts.releasing.effects import KILLED, Effects, Ended
from tests.scripts.releasing.pilot import Pilot, endpoint_of, price
from transport.client import Client

DEPLOY, ROLLBACK, RELEASES = (
    f"scripts.releasing.deploy.{name}" for name in ("command", "rollback", "releases")
)

FULL = os.strerror(errno.ENOSPC)

BEFORE, AFTER = ("1", None, 500), ("2", "release", 1000)
"""The link, the newest version's state, and what callers get."""

REFUSED, WENT_BACK, UNSETTLED = 1, 3, 4


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Effects]:
    """What runs commands, and cuts them short."""
    with Effects(tmp_path_factory.mktemp("effects")) as found:
        yield found


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Pilot:
    """An environment whose first release is served."""
    found = Pilot(tmp_path_factory.mktemp("pilot"))
    found.deploy(found.build("orders.place@1"))
    return found


@pytest.fixture(scope="module")
def child(pilot: Pilot) -> Iterator[Child]:
    """Its server."""
    with pilot.start() as running:
        running.ready()
        yield running


@pytest.fixture(scope="module")
def client(pilot: Pilot, child: Child) -> Iterator[Client]:
    """A caller of acme."""
    token = next(line.split()[-1] for line in child.said if line.startswith("tenant acme"))
    with Client(endpoint_of(pilot), tenant="acme", token=token) as found:
        yield found


@pytest.fixture(scope="module")
def file(pilot: Pilot) -> Path:
    """The second release."""
    pilot.shop.edit("registry.toml", '"potential release"', '"under user test"')
    bundle = pilot.build("orders.place@2")
    file = pilot.data.parent / bundle.manifest.file
    file.write_bytes(packed(bundle.manifest, bundle.files))
    return file


class Commands(NamedTuple):
    """A deploy of the second release and its rollback, which can be cut short."""

    pilot: Pilot
    effects: Effects
    file: Path

    def deploy(self, at: int = 0, error: int = 0) -> Ended:
        """Deploy the second release."""
        words = (self.file, *self._where, "--watch", "0s")
        return self.effects.run(DEPLOY, *words, below=self.pilot.data, at=at, error=error)

    def rollback(self, at: int = 0, error: int = 0) -> Ended:
        """Take it back."""
        return self.effects.run(ROLLBACK, *self._where, below=self.pilot.data, at=at, error=error)

    def serve(self, release: str) -> None:
        """Have one release or the other be served."""
        pilot = self.pilot
        if current(pilot.data) == release:
            return
        if release == "1":
            pilot.rollback()
        else:
            assert pilot.last is not None
            pilot.deploy(pilot.last)

    @property
    def _where(self) -> tuple[object, ...]:
        return ("--to", "pilot", "--registry", self.pilot.shop.index)


@pytest.fixture(scope="module")
def commands(pilot: Pilot, child: Child, effects: Effects, file: Path) -> Commands:
    """What is cut short."""
    effects.prepare(RELEASES, "--to", "pilot", "--registry", pilot.shop.index)
    return Commands(pilot, effects, file)


pytestmark = pytest.mark.timeout(300)

ERRORS = pytest.mark.parametrize("error", [0, errno.ENOSPC], ids=["killed", "disk full"])


@ERRORS
def test_while_a_release_is_laid_out_nothing_has_changed_and_the_next_deploy_does_it(
    commands: Commands, client: Client, error: int
) -> None:
    commands.serve("1")
    folder = commands.pilot.place.releases / "2"
    shutil.rmtree(folder, ignore_errors=True)
    deployed = commands.deploy()
    assert (deployed.status, whole(commands.pilot, client)) == (0, AFTER), deployed.errors
    assert commands.rollback().status == 0
    ends = max(at for at, each in enumerate(deployed.trace, 1) if "release/.2.new/" in each)
    for at in deployed.points(error):
        shutil.rmtree(folder, ignore_errors=True)
        if at <= ends:
            require_cut(commands.deploy(at, error), error, {REFUSED})
            assert not folder.exists()
            assert current(commands.pilot.data) == "1"
    assert whole(commands.pilot, client) == BEFORE
    assert commands.deploy().status == 0
    assert whole(commands.pilot, client) == AFTER


@ERRORS
def test_a_deploy_cut_short_anywhere_is_wholly_before_or_wholly_after(
    commands: Commands, client: Client, error: int
) -> None:
    pilot, found = commands.pilot, set()
    commands.serve("1")
    deployed = commands.deploy()
    assert deployed.status == 0, deployed.errors
    for at in deployed.points(error):
        commands.serve("1")
        ended = commands.deploy(at, error)
        require_cut(ended, error, {REFUSED, WENT_BACK, UNSETTLED})
        if ended.status not in {0, WENT_BACK}:
            pilot.recover()
        found.add(state := whole(pilot, client))
        assert state == BEFORE or ended.status not in {REFUSED, WENT_BACK}
    assert found == {BEFORE, AFTER}


def test_a_rollback_killed_anywhere_is_wholly_before_or_wholly_after(
    commands: Commands, client: Client
) -> None:
    pilot, found = commands.pilot, set()
    commands.serve("2")
    rolled_back = commands.rollback()
    assert rolled_back.status == 0, rolled_back.errors
    for at in rolled_back.points():
        commands.serve("2")
        require_cut(commands.rollback(at), 0, set())
        pilot.recover()
        found.add(whole(pilot, client))
    assert found == {BEFORE, AFTER}


def require_cut(ended: Ended, error: int, refused: set[int]) -> None:
    """It was killed, or says what could not be written and what to do."""
    if not error:
        assert ended.status == KILLED
    elif ended.status:
        assert ended.status in refused, ended.errors
        assert FULL in ended.errors


def whole(pilot: Pilot, client: Client) -> tuple[str | None, str | None, int]:
    """The link, the newest version's state, and what callers get; nothing is left to settle."""
    journal = read_journal(pilot.data)
    assert journal is None or journal["step"] in {"done", "back"}, journal
    return current(pilot.data), pilot.states().get("orders.place@2"), price(client)
