"""Turns for tests: what tenants tell once they have answered."""

from __future__ import annotations

from typing import Any

from actors.log.messages import FROM_TENANT, Line, TurnLines
from actors.messages import TenantRecord

NOON = 1_795_608_000.0
"""2026-11-25 12:00 in UTC."""


def tenant(number: int = 0) -> TenantRecord:
    """Each number another one."""
    return TenantRecord(f"tenant-{number}", f"{number:032x}")


def line(**said: Any) -> Line:
    """A message that was answered, ok unless it is said otherwise."""
    return Line(
        **{
            "at": NOON,
            "source": FROM_TENANT,
            "action": "contacts.add",
            "version": 2,
            "state": "release",
            "reason": "default",
            "params": {"name": "Ada"},
            "schema": {"type": "object"},
            "caller": "t_" + "1" * 16,
            "person": "p_" + "1" * 16,
            "role": "member",
            "outcome": "ok",
            "message": None,
            "replayed": False,
            "request_id": "r-1",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "queued_ms": 1.0,
            "handled_ms": 2.0,
            "reply_bytes": 100,
            **said,
        }
    )


def turn(of: TenantRecord | None = None, count: int = 1, **said: Any) -> TurnLines:
    """So many messages like that, answered in one turn."""
    return TurnLines(of or tenant(), (line(**said),) * count)
