"""Requests on their way to a tenant, and the replies that come back, for tests."""

from __future__ import annotations

from typing import Any

import msgpack

from actors.messages import Peer, Principal, Replies, TenantRequest
from actors.runtime.mailbox import Mailbox
from transport.request.model import Request


def work(id_: str, outlet: Mailbox) -> TenantRequest:
    """A request whose reply goes to the outlet."""
    return TenantRequest(
        request=Request(id=id_, tenant="acme", action="contacts.get"),
        principal=Principal("t_1", "acme", "member"),
        peer=Peer(b"peer", delimited=False, encoding="msgpack"),
        outlet=outlet,
        received=0.0,
        trace_id="0" * 32,
    )


def decoded(replies: Replies) -> dict[str, Any]:
    """The one reply in there."""
    ((peer, body),) = replies.frames
    assert peer.routing_id == b"peer"
    reply: dict[str, Any] = msgpack.unpackb(body)
    return reply
