"""What is told to the AdminLog, and what is asked of it and its reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ACTION = "action"
"""One administrative action, allowed or refused, after the fact."""
INTENT = "intent"
"""What a super admin is about to do, written ahead; its outcome follows."""
OUTCOME = "outcome"
"""What came of an intent with the same trace id."""
ATTEMPTS = "attempts"
"""Tries to reach administration through the data channel, counted for some seconds."""
REPAIR = "repair"
"""By the log itself: a record was cut off in the writing and has been taken out, or could not be kept."""


class Entry(NamedTuple):
    """What an audit record says; when, its number and its hash come from the log."""

    kind: str
    """ACTION, INTENT, OUTCOME, ATTEMPTS or REPAIR."""
    action: str
    capacity: str
    """owner, admin owner, developer, developer admin, `super admin until 2026-…Z`, console, machine, …"""
    person: str | None = None
    token: str | None = None
    """The token's id, never its text."""
    tenant: str | None = None
    """Its name."""
    tenant_id: str | None = None
    params: Mapping[str, Any] | None = None
    """Redacted already (actors/log/redaction.py)."""
    outcome: str | None = None
    """`ok`, or a code of docs/message-api.md; None for an intent."""
    message: str | None = None
    """Why, where it was refused; how many, for attempts."""
    request_id: str | None = None
    trace_id: str | None = None


class Append(NamedTuple):
    """Ask or tell: write this record and sync it. Answered by its number; AuditProblem where it cannot be."""

    entry: Entry


class AskHead(NamedTuple):
    """Ask the AdminLog: {"seq": number of the newest record, "head": its hash, 64 hexadecimal digits}."""


class ReadPage(NamedTuple):
    """Ask the AuditReader: records, the newest first: {"records": [...], "next": cursor or None}."""

    before: int | None
    """Only records with a lower number; `next` of the page before."""
    limit: int
    tenant_id: str | None
    """Only of this tenant; None for all."""
    action: str | None
    person: str | None


class Verify(NamedTuple):
    """Ask the AuditReader to check the chain from the first record on.

    {"ok": true, "records": n, "head": hash} or {"ok": false, "records": how many are sound, "head": hash of
    the last sound one, "broken": {"seq", "file", "line", "problem"}}.
    """

    head: str | None
    """A head hash that was kept elsewhere: it must still be in the chain."""
