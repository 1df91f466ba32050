"""What a page answers with: a whole document, another address, or a stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, NamedTuple

import structlog

from transport.gateway.http_request import Receive, Send
from transport.gateway.http_response import Pairs, respond

log = structlog.get_logger()

HTML: Final = b"text/html; charset=utf-8"

SAFE: Final[Pairs] = [
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Headers of everything: nothing comes from outside, nothing inline is run, no other site frames a page."""

NO_STORE: Final = (b"cache-control", b"no-store")


class Document(NamedTuple):
    """A whole answer."""

    body: bytes
    status: int = 200
    kind: bytes = HTML
    headers: tuple[tuple[bytes, bytes], ...] = (NO_STORE,)

    async def send(self, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Events has it
        """Send it."""
        headers = [(b"content-type", self.kind), *SAFE, *self.headers]
        await respond(send, self.status, headers, self.body)


class Events(NamedTuple):
    """A stream of server-sent events."""

    messages: AsyncGenerator[bytes]

    async def send(self, receive: Receive, send: Send) -> None:
        """Send each message as it comes, until there are no more or the browser has left."""
        headers = [(b"content-type", b"text/event-stream"), *SAFE, NO_STORE]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        sending.cancel()
        ended, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
        await self.messages.aclose()
        if isinstance(ended, Exception):
            log.error("a stream of events failed", exc_info=ended)
        if ended is not None:
            await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, send: Send) -> None:
        async for message in self.messages:
            await send({"type": "http.response.body", "body": message, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


Response = Document | Events


def redirect(address: str, *headers: tuple[bytes, bytes]) -> Document:
    """Return the way to another page of the dashboard; the browser asks for it with GET."""
    return Document(b"", 303, headers=(NO_STORE, (b"location", address.encode("ascii")), *headers))


def fragment(html: str) -> bytes:
    """Return the event that puts new content into the page."""
    return b"".join(b"data: %s\n" % line.encode() for line in html.splitlines()) + b"\n"


def named(name: str, content: Mapping[str, Any]) -> bytes:
    """Return an event for the page's own script."""
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
