"""Whether the gateway lives (/healthz) and whether it can serve (/readyz)."""

from __future__ import annotations

import time
from typing import Final

from transport.gateway.envelope import system_request
from transport.gateway.http_request import Receive, Scope, Send
from transport.gateway.http_response import respond
from transport.gateway.server_link import ServerLink
from transport.message import Refusal

LIVE: Final = "/healthz"
READY: Final = "/readyz"

READY_SECONDS: Final = 2.0
"""Seconds that the server has for its answer."""


KEPT_SECONDS: Final = 0.25
"""Seconds for which an answer holds, however many ask."""


class Health:
    """The endpoint of both paths, for GET and HEAD."""

    paths = frozenset({LIVE, READY})

    def __init__(self, link: ServerLink) -> None:
        self._link = link
        self._asked = float("-inf")
        self._is_well = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer 200 or 503."""
        is_well = scope["path"] == LIVE or await self._is_ready()
        body = b"ok\n" if is_well else b"the server does not answer\n"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
        await respond(send, 200 if is_well else 503, headers, body)

    async def _is_ready(self) -> bool:
        """Ping the server, unless it was just asked."""
        now = time.monotonic()
        if now - self._asked >= KEPT_SECONDS:
            self._asked = now
            ping = system_request("system.ping", timeout_ms=int(READY_SECONDS * 1000))
            outcome = await self._link.call(ping)
            self._is_well = not isinstance(outcome, Refusal) and outcome[1].ok
        return self._is_well
