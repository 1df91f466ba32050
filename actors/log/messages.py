"""Messages to the logs and their readers, and to Stats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, final

from msgspec import Struct

from actors.messages import TenantRecord

ACTION = "action"
"""One administrative action, allowed or refused, after the fact."""
INTENT = "intent"
"""An action that a super admin is about to do, written ahead; its outcome follows."""
OUTCOME = "outcome"
"""The outcome of an intent with the same trace id."""
ATTEMPTS = "attempts"
"""Tries to reach administration through the data channel, counted for some seconds."""
MOVE = "move"
"""A version of a function went from one state to another, by a person's order or by the machine."""
ALERT = "alert"
"""The machine has taken a step against a token, or reports a tenant or an address (docs/intent.md)."""
REPAIR = "repair"
"""By the log itself: a record was cut off in the writing and has been taken out, or could not be kept."""


class AuditEntry(NamedTuple):
    """What an audit record says; when, its number and its hash come from the log."""

    kind: str
    """ACTION, INTENT, OUTCOME, ATTEMPTS, MOVE, ALERT or REPAIR."""
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
    """The reason of a refusal; the number of attempts."""
    request_id: str | None = None
    trace_id: str | None = None


OK = "ok"
"""The outcome of a line or a record about what was done."""

FROM_TENANT = "tenant"
"""The source of a line: the tenant's actor."""
FROM_ROUTER = "router"
"""The Router, for a tenant that never saw the message."""
FROM_SUPERVISOR = "supervisor"
"""The stand-in that answers for a tenant that cannot be served."""


@final
class Line(Struct, frozen=True, gc=False):
    """One message that a tenant, or the Router for it, has answered: what the tenant's log says of it."""

    at: float
    """Time of the answer, in seconds since the epoch."""
    source: str
    """FROM_TENANT, FROM_ROUTER or FROM_SUPERVISOR."""
    action: str
    version: int | None
    """None, like the next two, if no version was selected."""
    state: str | None
    reason: str | None
    params: Mapping[str, Any]
    """As received: the log redacts them when it writes the line."""
    schema: Mapping[str, Any] | None
    """JSON Schema of the params; None if the action does not exist."""
    caller: str
    """The token's id; empty for a caller without a token."""
    person: str
    role: str
    outcome: str
    """`ok`, or a code of docs/message-api.md."""
    message: str | None
    """The reason of a refusal; for developers, never for end users."""
    replayed: bool
    request_id: str
    trace_id: str
    queued_ms: float
    """From reading the frame to beginning."""
    handled_ms: float
    """From beginning to the packed reply; the commit, which many share, is not in it."""
    reply_bytes: int
    traceparent: str | None = None
    """The request's traceparent, the parent of its span; None if it has none."""


class TurnLines(NamedTuple):
    """To the TenantLog: all lines of one turn of a tenant; sent once, after its commit."""

    tenant: TenantRecord
    lines: tuple[Line, ...]


class LostLines(NamedTuple):
    """To the TenantLog: lines that were dropped because its mailbox was full."""

    tenant: TenantRecord
    lines: int
    """How many."""
    first: float
    """Time of the first dropped line, in seconds since the epoch; `last` is that of the last."""
    last: float


class Write(NamedTuple):
    """From the Clock to the TenantLog: write the lines of turns that did not wake it."""


class ErrorEvent(NamedTuple):
    """To the ErrorLog: one event of the program's own log, at level warning or above."""

    record: Mapping[str, Any]
    """JSON values only: at (seconds since the epoch), level, event, source, and where known tenant, trace_id,
    action, exception (type, message, stack as text) and whatever else the event says. Not yet redacted."""


class RotateDue(NamedTuple):
    """From the Clock to every log: a day may have ended; compress and remove what is due."""


TENANT = "tenant"
"""One tenant's messages."""
ERRORS = "errors"
AUDIT = "audit"


class SearchLogs(NamedTuple):
    """To the LogReader, asked: return a page of lines of one log, the newest first.

    {"lines": [...], "next": cursor or None, "newest": cursor}. `next` is where to go on, as `before` or as
    `after`; None where all there is has been looked at. `newest` is behind the newest line that was looked
    at, to follow from. A page can have few lines or none and a `next`: the search took its time.
    InvalidArgument for a cursor that is none.
    """

    log: str
    """TENANT, ERRORS or AUDIT."""
    tenant_id: str | None
    """Whose; of the tenants' logs always one, of the others None for all."""
    since: float | None = None
    """Seconds since the epoch, inclusive; `until` exclusive."""
    until: float | None = None
    action: str | None = None
    outcome: str | None = None
    trace_id: str | None = None
    text: str | None = None
    """Anywhere in the line, upper and lower case alike."""
    before: str | None = None
    """Only lines older than this cursor: `next` of the page before."""
    after: str | None = None
    """Only lines newer than this cursor, the oldest first: what follows `newest` of an earlier answer."""
    limit: int = 100
    wait_ms: int = 0
    """With `after`: how long to wait for a first line, in milliseconds."""
    tenant: str | None = None
    """The tenant's name, by which errors know it; with a tenant_id."""
    only: tuple[str, ...] | None = None
    """Members that the caller may see: others are neither returned nor searched for the text."""
    omit: str | None = None
    """No lines of this action."""


class ReleaseFollowers(NamedTuple):
    """To the LogReader when the server stops: answer every search that waits for new lines."""


class Count(NamedTuple):
    """To Stats: count an event that no line of a tenant holds."""

    name: str
    """Such as `router.unauthenticated`, `log.lost`."""
    by: int = 1


class AskStats(NamedTuple):
    """Ask Stats: how many messages, how they ended and how fast, as `stats.show` answers it."""

    tenant_id: str | None
    """Of one tenant; None for all."""


class AskActionStats(NamedTuple):
    """Ask Stats: the same for each action, as `stats.actions` answers it."""

    tenant_id: str | None
    action: str | None
    """This one alone; None for all."""


class AskTenantStats(NamedTuple):
    """Ask Stats: the same for the busiest tenants, as `stats.tenants` answers it."""


class Append(NamedTuple):
    """Ask or tell: write this record and sync it. Answered by its number; AuditProblem where it cannot be."""

    entry: AuditEntry


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
