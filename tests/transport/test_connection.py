"""How long a listener turns new connections away, and how memory is seen to grow."""

from __future__ import annotations

import mmap
import socket as sockets
from collections.abc import Iterator
from contextlib import closing

import pytest

from transport.connection import (
    BURST_SECONDS,
    MOST_BLOCKED_SECONDS,
    RESET_COST,
    AcceptLimiter,
    ResidentMemory,
)

RATE = 200


@pytest.fixture
def limiter() -> Iterator[AcceptLimiter]:
    """Of a real listener, from the time 0 on."""
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        limiter = AcceptLimiter(f"tcp://127.0.0.1:{listener.getsockname()[1]}", RATE, 0.0)
        yield limiter
        limiter.close()


def test_connections_of_a_burst_are_accepted(limiter: AcceptLimiter) -> None:
    limiter.charge(RATE * BURST_SECONDS, 0.0)
    assert not limiter.is_blocking


def test_one_more_is_not_until_its_time_has_come(limiter: AcceptLimiter) -> None:
    limiter.charge(RATE * BURST_SECONDS + 1, 0.0)
    assert limiter.is_blocking
    limiter.update(1.5 / RATE)
    assert not limiter.is_blocking


def test_many_resets_do_not_lock_newcomers_out_for_long(limiter: AcceptLimiter) -> None:
    """A thousand connections that are reset would count for five minutes."""
    for _ in range(1000):
        limiter.charge(1 + RESET_COST, 0.0)
    limiter.update(MOST_BLOCKED_SECONDS - 0.1)
    assert limiter.is_blocking
    limiter.update(MOST_BLOCKED_SECONDS + 0.1)
    assert not limiter.is_blocking


def test_memory_that_is_written_to_is_seen_as_growth_until_the_next_mark() -> None:
    """And memory that is only reserved is not."""
    size = 64 * 1024**2
    with closing(ResidentMemory()) as memory, mmap.mmap(-1, size) as block:
        assert not memory.has_grown(size // 2)
        block.write(b"x" * size)
        assert memory.has_grown(size // 2)
        memory.mark()
        assert not memory.has_grown(size // 2)
