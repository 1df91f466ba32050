"""What serving one message gives: a packed reply that is held, or word that it has to be served apart.

What the tenant's log is told of a turn: one line for each message that was answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from actors.errors import Unavailable
from actors.log.messages import FROM_TENANT, OK, Line
from actors.messages import DeadLetter, TenantRequest
from actors.routing.route import Route
from actors.runtime.mailbox import PoisonMessage
from transport.message import Refusal


class PendingReply(NamedTuple):
    """A packed reply that waits for the commit it depends on."""

    work: TenantRequest
    body: bytes
    wrote: bool
    """True where the reply stands in the table of ids, so that the disk knows whether it holds."""
    route: Route | None
    """The version that was chosen; None where there is no such action."""
    refusal: Refusal | None
    """What the body says; None for a success."""
    began: float
    """time.monotonic() in seconds, as the next; where a run is served again, of the last time."""
    ended: float
    """When the reply was packed."""
    replayed: bool = False
    """True where the reply was made by an earlier message with the same id."""


class NeedsOwnTransaction(Exception):
    """No failure: this request needs a run of its own, because its function may wait (step.py)."""

    def __init__(self, work: TenantRequest, route: Route, params: Any) -> None:
        super().__init__(route.name)
        self.work = work
        self.route = route
        self.params = params


def is_request(message: Any) -> bool:
    """Work, a dead letter, or work that has killed before: what needs a transaction."""
    kind = type(message)
    return (
        kind is TenantRequest
        or kind is DeadLetter
        or (kind is PoisonMessage and is_request(message.message))
    )


def tripped_refusal(route: Route) -> Unavailable:
    """The refusal where nothing is left to fall back on."""
    return Unavailable(
        f"{route.name}: version {route.version} keeps failing and was taken out, and no other is served "
        "until its developers move one"
    )


NO_VERSION = (None, None, None, None)
"""Version, state, reason and schema where there is no such action."""


def log_lines(pending: Iterable[PendingReply], at: float) -> tuple[Line, ...]:
    """What was answered at this time, in seconds since the epoch. Under 2 µs for each: every message pays."""
    lines = []
    for work, body, _, route, refusal, began, ended, replayed in pending:
        request, caller, _, _, received, trace_id = work
        if route is None:
            version, state, reason, schema = NO_VERSION
        else:
            version, state, reason = route.version, route.state, route.reason
            schema = route.params.source
        if refusal is None:
            outcome, message = OK, None
        else:
            outcome, message = refusal.code, refusal.message
        # By position, past the constructor made of Python: 19 names would cost more than all the rest.
        fields = (
            at,
            FROM_TENANT,
            request.action,
            version,
            state,
            reason,
            request.params,
            schema,
            caller.id,
            caller.person,
            caller.role,
            outcome,
            message,
            replayed,
            request.id,
            trace_id,
            (began - received) * 1000.0,
            (ended - began) * 1000.0,
            len(body),
            request.traceparent,
        )
        lines.append(tuple.__new__(Line, fields))
    return tuple(lines)
