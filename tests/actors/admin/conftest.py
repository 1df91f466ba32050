"""A Directory for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.admin.directory.store import prepare_directory
from tests.actors.admin.directory_harness import DirectoryHarness
from tests.actors.mailbox_harness import MailboxHarness


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new directory.db, to be copied: Alembic takes a tenth of a second for one."""
    path = tmp_path_factory.mktemp("empty") / "directory.db"
    prepare_directory(path)
    return path


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """Threads for the Directory and all others that move in."""
    made = MailboxHarness()
    yield made
    made.empty()


@pytest.fixture
def directory(harness: MailboxHarness, empty: Path, tmp_path: Path) -> DirectoryHarness:
    """A Directory whose file is new; no one is there."""
    made = DirectoryHarness(harness, Path(shutil.copy(empty, tmp_path / "directory.db")))
    made.wait_until_idle()
    return made
