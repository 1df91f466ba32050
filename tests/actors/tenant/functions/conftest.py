"""Desks for the tests of the functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.tenant.functions.desk import Desk, make_file, open_desk


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the desk's tables and nothing in them; open_desk leaves it so."""
    return make_file(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def desk(empty_file: Path) -> Iterator[Desk]:
    """An empty desk for each test."""
    with open_desk(empty_file) as desk:
        yield desk
