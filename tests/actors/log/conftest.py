"""What the tests of every log need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actors.mailbox_harness import MailboxHarness


@pytest.fixture
def harness() -> Iterator[MailboxHarness]:
    """One thread for the actor under test; it is empty again at the test's end."""
    made = MailboxHarness(threads=1)
    yield made
    made.empty()
