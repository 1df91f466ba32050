"""An office for each test, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.admin.console_harness import ConsoleHarness
from tests.wire import Wire


@pytest.fixture
def console(tmp_path: Path) -> Iterator[ConsoleHarness]:
    """A console that knows everybody."""
    made = ConsoleHarness(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wire(console: ConsoleHarness) -> Iterator[Wire]:
    """A connection."""
    with console.wire() as one:
        yield one
