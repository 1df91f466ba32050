"""Messages of a WebSocket: the envelope of the message API, as it came, with what the socket adds.

The gateway reads the envelope's head alone. It adds the socket's token where the message names none, and a
traceparent, by which replies are matched; the rest goes on byte for byte, so that the server's checks, and
its words, are those of every other client.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from transport.codec import decode, encode
from transport.gateway.envelope import trace_of
from transport.gateway.http_request import MOST_MS, USUAL_MS
from transport.message import Problem, readable_traceparent
from transport.request.id_recovery import valid_id
from transport.request.parser import BadRequest, parse_request
from transport.validation import Limits

AUTHENTICATE: Final = "system.authenticate"
"""Action that only a gateway serves: the message's token becomes the socket's."""

WHOAMI: Final = "system.whoami"
"""What the server is asked for it."""

_MOST_ENTRIES: Final = 13
"""Entries of a small map of msgpack, less the two that may be added."""


class SocketHead(Struct):
    """What the gateway reads of an envelope."""

    id: str
    action: str
    tenant: str | None = None
    token: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    timeout_ms: int = USUAL_MS


class SocketRequest(NamedTuple):
    """A message that can be sent to the server."""

    id: str
    action: str
    tenant: str | None
    token: str | None
    trace_id: str
    seconds: float
    """Until its timeout."""
    body: bytes


_json_head = msgspec.json.Decoder(SocketHead).decode
_msgpack_head = msgspec.msgpack.Decoder(SocketHead).decode


def read_request(body: bytes, token: str | None, limits: Limits) -> SocketRequest:
    """Return the request in a message; BadRequest if it is none.

    `token` is the socket's, for messages that name none.
    """
    is_json = body[:1] == b"{"
    try:
        head = _json_head(body) if is_json else _msgpack_head(body)
    except (msgspec.MsgspecError, RecursionError):
        return _rewritten(body, token, limits)
    if head.action == AUTHENTICATE or not _can_be_spliced(head, body, is_json=is_json):
        return _rewritten(body, token, limits)
    added: dict[str, str] = {}
    if head.traceparent is UNSET:
        added["traceparent"] = head.traceparent = trace_of(None)
    if head.token is UNSET and token is not None:
        added["token"] = head.token = token
    spliced = _spliced_json(body, added) if is_json else _spliced_msgpack(body, added)
    return _request(head, spliced)


def _can_be_spliced(head: SocketHead, body: bytes, *, is_json: bool) -> bool:
    trace = head.traceparent
    return (
        valid_id(head.id) is not None
        and (trace is UNSET or readable_traceparent(trace) == trace)
        and (is_json or 0x80 < body[0] <= 0x80 + _MOST_ENTRIES)
    )


def _spliced_json(body: bytes, added: dict[str, str]) -> bytes:
    if not added:
        return body
    return msgspec.json.encode(added)[:-1] + b"," + body[1:]


def _spliced_msgpack(body: bytes, added: dict[str, str]) -> bytes:
    if not added:
        return body
    return bytes((body[0] + len(added),)) + msgspec.msgpack.encode(added)[1:] + body[1:]


def _request(head: SocketHead, body: bytes) -> SocketRequest:
    trace = head.traceparent
    assert isinstance(trace, str)
    return SocketRequest(
        head.id,
        head.action,
        head.tenant,
        head.token if isinstance(head.token, str) else None,
        trace[3:35],
        min(max(head.timeout_ms, 1), MOST_MS) / 1000,
        body,
    )


def _rewritten(body: bytes, token: str | None, limits: Limits) -> SocketRequest:
    """Decode a message wholly and encode it again: for all that is not common. BadRequest."""
    request, encoding = parse_request(body, limits)
    token = request.token or token
    action = request.action
    if action == AUTHENTICATE:
        if request.token is None:
            words = "missing; it becomes the socket's token"
            raise BadRequest([Problem("token", words)], request.id, encoding)
        action = WHOAMI
    traceparent = trace_of(request.traceparent)
    fields: dict[str, Any] = {
        **decode(body, limits)[0],
        "action": action,
        "token": token,
        "traceparent": traceparent,
    }
    return SocketRequest(
        request.id,
        request.action,
        request.tenant,
        token,
        traceparent[3:35],
        request.timeout_ms / 1000,
        encode(fields, encoding, limits._replace(body_bytes=limits.body_bytes + 1024)),
    )
