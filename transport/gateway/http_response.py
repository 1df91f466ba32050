"""HTTP responses: replies of the server as they came, and refusals of the gateway in the same form."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from transport.gateway.envelope import JSON, ErrorHead, Format, new_id, refusal_body
from transport.gateway.http_request import Send
from transport.gateway.server_link import Reply
from transport.gateway.statuses import (
    NO_CONTENT,
    NOT_MODIFIED,
    OK,
    REUSED_ID,
    STATUSES,
    HttpRefusal,
)
from transport.message import INVALID_ARGUMENT, UNAUTHENTICATED

Pairs = list[tuple[bytes, bytes]]

SAFE: Pairs = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
"""Headers of every response of the API: nothing is guessed, and nothing is kept without being asked."""


async def respond(send: Send, status: int, headers: Pairs, body: bytes) -> None:
    """Send a whole response."""
    if status not in (NO_CONTENT, NOT_MODIFIED):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_reply(
    send: Send, reply: Reply, format: Format, more: Iterable[tuple[bytes, bytes]]
) -> None:
    """Send a reply of the server, with the status of its error code."""
    body, head = reply
    headers = [(b"content-type", format.content_type), *SAFE, *more]
    if head.error is None:
        await respond(send, OK, headers, body)
        return
    headers += error_headers(head.error.code, head.error.retry_after_ms)
    await respond(send, status_of(head.error, format), headers, body)


async def respond_read(
    send: Send, reply: Reply, known: str | None, more: Iterable[tuple[bytes, bytes]]
) -> None:
    """Send the reply of a GET, with a tag of its result; or NOT_MODIFIED if the caller has it already."""
    body, head = reply
    if head.error is not None:
        await respond_reply(send, reply, JSON, more)
        return
    tag = f'W/"{blake2b(bytes(head.result), digest_size=12).hexdigest()}"'
    headers = [
        (b"content-type", JSON.content_type),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"authorization"),
        (b"etag", tag.encode()),
        *more,
    ]
    if known is not None and tag.removeprefix("W/") in known:
        await respond(send, NOT_MODIFIED, headers, b"")
    else:
        await respond(send, OK, headers, body)


async def respond_refusal(
    send: Send,
    refused: HttpRefusal,
    id: str,
    more: Iterable[tuple[bytes, bytes]] = (),
    format: Format = JSON,
) -> None:
    """Send a refusal of the gateway."""
    refusal = refused.refusal
    headers = [(b"content-type", format.content_type), *SAFE, *more]
    headers += error_headers(refusal.code, refusal.retry_after_ms)
    headers += [(name.encode(), value.encode("latin-1")) for name, value in refused.headers.items()]
    body = refusal_body(id, refusal, new_id(), format.encoding)
    await respond(send, refused.status, headers, body)


def status_of(error: ErrorHead, format: Format) -> int:
    """Return the status of an error: the code's, and for an id that was used for other content REUSED_ID."""
    if error.code == INVALID_ARGUMENT and bytes(error.details):
        details = format.decode(error.details)
        if [each.get("field") for each in details] == ["id"]:
            return REUSED_ID
    return STATUSES.get(error.code, 500)


def error_headers(code: str, retry_after_ms: int | None) -> Pairs:
    """Return what HTTP has of its own for an error: whole seconds to wait, and how to authenticate."""
    headers: Pairs = []
    if retry_after_ms is not None:
        headers.append((b"retry-after", b"%d" % max(1, -(-retry_after_ms // 1000))))
    if code == UNAUTHENTICATED:
        headers.append((b"www-authenticate", b'Bearer realm="tenantry"'))
    return headers
