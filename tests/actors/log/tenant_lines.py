"""Lines of tenants for tests, and what became of them on disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.log.daily.rotation import days, open_day
from actors.log.messages import Line, TurnLines
from actors.messages import TenantRecord
from actors.schema.schema import Schema

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()

CONTACT = Schema.build(
    "contacts.add.params",
    {
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "home": {"properties": {"street": {"type": "string"}, "no": {"type": "number"}}},
        },
    },
).source
"""A schema that leaves no room for a secret."""


def line(number: int = 0, **said: Any) -> Line:
    """Something that a member did; each number another thing."""
    given: dict[str, Any] = {
        "at": NOON + number,
        "source": "tenant",
        "action": "contacts.add",
        "version": 1,
        "state": "release",
        "reason": "newest release",
        "params": {"name": f"Ada Łovelace {number}"},
        "schema": CONTACT,
        "caller": "t_4f1c22ab90de7731",
        "person": "p_91ab03f7c2d45e68",
        "role": "member",
        "outcome": "ok",
        "message": None,
        "replayed": False,
        "request_id": f"r-{number}",
        "trace_id": f"{number:032x}",
        "queued_ms": 1.25,
        "handled_ms": 0.5,
        "reply_bytes": 120,
        **said,
    }
    return Line(**given)


def tenant(number: int = 0) -> TenantRecord:
    """Each number another one."""
    return TenantRecord(f"tenant-{number}", f"{number:032x}")


def turn(number: int = 0, whose: int = 0, **said: Any) -> TurnLines:
    """A turn of one line."""
    return TurnLines(tenant(whose), (line(number, **said),))


def records(directory: Path) -> list[dict[str, Any]]:
    """All that a log's files say, the oldest day first."""
    found = []
    for day in days(directory):
        with open_day(day.path) as file:
            found += [json.loads(each) for each in file]
    return found


def text_below(directory: Path) -> str:
    """All that the logs below say, compressed or not."""
    found = (each for each in (directory, *directory.rglob("*")) if each.is_dir())
    return "\n".join(json.dumps(records(each), ensure_ascii=False) for each in found)
