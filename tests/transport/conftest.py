"""Servers for the clients' tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.transport.peer import Answer, Peer, Peers, yes


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Makes servers, and stops them at the end of the test."""
    made: list[Peer] = []

    def make(answer: Answer = lambda request: [yes(request)], **more: Any) -> Peer:
        made.append(Peer(answer, **more))
        return made[-1]

    yield make
    for peer in made:
        peer.stop()
