"""An office for each test, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.admin.console_harness import ConsoleHarness
from tests.raw_client import RawClient


@pytest.fixture
def console(tmp_path: Path) -> Iterator[ConsoleHarness]:
    """A console that knows everybody."""
    made = ConsoleHarness(tmp_path)
    yield made
    made.close()


@pytest.fixture
def raw_client(console: ConsoleHarness) -> Iterator[RawClient]:
    """A connection."""
    with console.raw_client() as one:
        yield one
