"""Completion callbacks: the engine's own requests that pass a delivery's outcome to its `then` action.

Such a request is served like every other one of the tenant: in a turn, in the log, once under its id. Its
caller is the engine, not the sender of the delivery: the sender may be gone by then, and an action that
accepts outcomes is best open to few.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final, NamedTuple

from actors.access import MACHINE as ROLE
from actors.messages import Peer, Principal, Replies, TenantRecord, TenantRequest
from actors.runtime.mailbox import Mailbox
from actors.tenant.database.outbox_table import OutboxRow
from transport import codec
from transport.message import Refusal
from transport.request.model import Request

MACHINE: Final = Principal(id="outbox", tenant=None, role=ROLE)
"""The caller of callbacks. No token has this id."""

TIMEOUT_MS: Final = 60_000
"""Milliseconds. A callback that has not started by then is repeated later."""


class CallbackResult(NamedTuple):
    """To a tenant: an action was called with an outcome and returned, or refused it."""

    row: int
    refusal: Refusal | None


class CallbackSink:
    """Sends replies to callbacks back to the tenant. Takes the place of a socket's mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        """`mailbox` is the tenant's."""
        self._mailbox = mailbox

    def tell(self, message: Replies) -> None:
        """Forward the results to the tenant. Any thread may call it."""
        for peer, body in message.frames:
            refusal = codec.parse_reply(body).error
            self._mailbox.tell(CallbackResult(int(peer.routing_id), refusal))


def callback_request(row: OutboxRow, tenant: TenantRecord, sink: CallbackSink) -> TenantRequest:
    """Return the request that passes a row's outcome to its `then` action."""
    assert row.then_action is not None
    assert row.outcome is not None
    params: dict[str, Any] = {"id": row.id, "key": row.key, "operation": row.operation}
    return TenantRequest(
        request=Request(
            id=row.callback_id,
            tenant=tenant.name,
            action=row.then_action,
            params={**params, **json.loads(row.outcome)},
            timeout_ms=TIMEOUT_MS,
        ),
        principal=MACHINE,
        peer=Peer(str(row.id).encode(), delimited=False, encoding="msgpack"),
        outlet=sink,
        received=time.monotonic(),
        trace_id=row.trace_id,
    )


def delivery_row(work: TenantRequest) -> int:
    """Return the id of the outbox row that a callback belongs to."""
    return int(work.peer.routing_id)
