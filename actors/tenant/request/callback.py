"""How a function hears what came of what it has sent: a request of the engine's own to the action it named.

It is served like every other one of the tenant: in a turn, in the log, once under its id. The caller is the
engine, not whoever sent: he may be gone by then, and an action that takes outcomes is best open to few.
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
from transport.message import Refusal, Request

MACHINE: Final = Principal(id="outbox", tenant=None, role=ROLE)
"""The caller, whose id no token has."""

TIMEOUT_MS: Final = 60_000
"""What has not begun by then is told again later, in milliseconds."""


class CallbackResult(NamedTuple):
    """To a tenant: an action has been told an outcome, and this is what it said."""

    row: int
    refusal: Refusal | None


class CallbackSink:
    """Where replies to such requests go: back to the tenant. Takes the place of a socket's mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        """The tenant's."""
        self._mailbox = mailbox

    def tell(self, message: Replies) -> None:
        """From whichever thread answers."""
        for peer, body in message.frames:
            refusal = codec.parse_reply(body).error
            self._mailbox.tell(CallbackResult(int(peer.routing_id), refusal))


def callback_request(row: OutboxRow, tenant: TenantRecord, sink: CallbackSink) -> TenantRequest:
    """The request that tells an outcome to the action that was named for it."""
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
    """Which row of the outbox such a request tells the outcome of."""
    return int(work.peer.routing_id)
