"""How long the Supervisor waits before it restarts an actor, and how often it is woken."""

from __future__ import annotations

from actors.supervision.inspection import CountTurns
from actors.supervision.messages import EvictIdle, GrowPool

FIRST_BACKOFF = 0.05
"""Seconds before the second restart in a row. The first is immediate; each later one waits twice as long."""

MAX_BACKOFF = 30.0
"""Seconds; also how long a tenant that keeps crashing is rejected before it is restarted."""

SWEEP_SECONDS, GROW_SECONDS = 5.0, 0.02
"""Seconds between checks for idle tenants, and between checks whether the pool's threads are blocked."""


def backoff(restarts: int) -> float:
    """Return the seconds to wait before this restart in a row: 0, 0.05, 0.1, 0.2 … up to 30."""
    return 0.0 if restarts <= 1 else min(FIRST_BACKOFF * 2.0 ** (restarts - 2), MAX_BACKOFF)


def timers() -> tuple[tuple[float, object], ...]:
    """Return what the Supervisor is to get again and again, each message after its seconds."""
    return (SWEEP_SECONDS, EvictIdle()), (SWEEP_SECONDS, CountTurns()), (GROW_SECONDS, GrowPool())
