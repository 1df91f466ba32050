"""Pending replies: encoded, and held until the commit that they depend on.

Also the request log's lines of a turn: one for each message that was answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from actors.log.messages import FROM_TENANT, OK, Line
from actors.messages import DeadLetter, TenantRequest
from actors.routing.route import Route
from actors.runtime.mailbox import PoisonMessage
from transport.message import Refusal


class HeldReply(NamedTuple):
    """An encoded reply that waits for the commit it depends on."""

    work: TenantRequest
    body: bytes
    wrote: bool
    """True if the reply is stored in the table of ids, so that the file shows whether it was committed."""
    route: Route | None
    """The version that was chosen; None if there is no such action."""
    refusal: Refusal | None
    """The refusal in the body; None for a success."""
    began: float
    """time.monotonic() in seconds, like `ended`. If a batch is served again, the last time counts."""
    ended: float
    """When the reply was encoded."""
    replayed: bool = False
    """True if an earlier message with the same id made the reply."""


def is_request(message: Any) -> bool:
    """Whether a message needs a transaction: a request, a dead letter, or a request that crashed a tenant."""
    kind = type(message)
    return (
        kind is TenantRequest
        or kind is DeadLetter
        or (kind is PoisonMessage and is_request(message.message))
    )


NO_VERSION = (None, None, None, None)
"""Version, state, reason and schema if there is no such action."""

SERVED = (OK, None)
"""Outcome and message of a request that was not refused."""


def log_lines(pending: Iterable[HeldReply], at: float) -> tuple[Line, ...]:
    """Return the log lines of replies sent at this time, in seconds since the epoch.

    A line takes under 2 µs, since every message pays for one.
    """
    lines = []
    for work, body, _, route, refusal, began, ended, replayed in pending:
        request, caller, _, _, received, trace_id = work
        if route is None:
            version, state, reason, schema = NO_VERSION
        else:
            version, state, reason = route.version, route.state, route.reason
            schema = route.params.source
        outcome, message = SERVED if refusal is None else (refusal.code, refusal.logged)
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
