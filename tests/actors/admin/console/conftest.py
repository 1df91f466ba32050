"""An office for each test, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.admin.console_harness import Office
from tests.wire import Wire


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A console that knows everybody."""
    made = Office(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wire(office: Office) -> Iterator[Wire]:
    """A connection."""
    with office.wire() as one:
        yield one
