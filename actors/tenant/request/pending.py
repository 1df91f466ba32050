"""Pending replies: encoded, and held until the commit that they depend on.

Also the request log's lines of a turn: one for each message that was answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

from msgspec import Struct

from actors.log.messages import FROM_TENANT, OK, Line
from actors.messages import DeadLetter, TenantRequest
from actors.routing.route import Route
from actors.runtime.mailbox import PoisonMessage
from transport.message import Refusal


@final
class HeldReply(Struct, frozen=True):
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
    for one in pending:
        work, route, refusal, began = one.work, one.route, one.refusal, one.began
        request, caller = work.request, work.principal
        if route is None:
            version, state, reason, schema = NO_VERSION
        else:
            version, state, reason = route.version, route.state, route.reason
            schema = route.params.source
        outcome, message = SERVED if refusal is None else (refusal.code, refusal.logged)
        line = Line(
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
            one.replayed,
            request.id,
            work.trace_id,
            (began - work.received) * 1000.0,
            (one.ended - began) * 1000.0,
            len(one.body),
            request.traceparent,
        )
        lines.append(line)
    return tuple(lines)
