"""HTTP connections within limits: no head too long, none too slow, no body without end, not too many.

uvicorn parses and answers; here is what it leaves to a proxy in front.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from transport.gateway.envelope import new_id, problem, refusal_body
from transport.message import INVALID_ARGUMENT

HEAD_BYTES: Final = 16 * 1024
"""Bytes of a request's line and headers."""

MOST_HEADERS: Final = 100

HEAD_SECONDS: Final = 10.0
"""Seconds from the first byte of a head, or from the connection's beginning, to the head's end."""

BODY_SECONDS: Final = 30.0
"""Seconds from a head's end to its body's: more than an answer to a slow body takes."""

SWEEP_SECONDS: Final = 1.0


class HttpConnections:
    """All connections that speak HTTP; WebSockets are counted apart."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._open: set[GuardedHttp] = set()
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Look for slow peers from now on."""
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """End that."""
        self._sweeper.cancel()

    def add(self, connection: GuardedHttp) -> bool:
        """Count a connection; False if there are too many."""
        address = connection.address
        if len(self._open) >= self._most or self._by_address[address] >= self._most_of_address:
            return False
        self._open.add(connection)
        self._by_address[address] += 1
        return True

    def remove(self, connection: GuardedHttp) -> None:
        """Forget a connection that is closed, or has become a WebSocket."""
        if connection in self._open:
            self._open.remove(connection)
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in [each for each in self._open if each.is_late(now)]:
            connection.give_up()
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)


class GuardedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, connections: HttpConnections, **given: Any) -> None:
        super().__init__(**given)
        self._all = connections
        self.address = ""
        self._head_bytes = 0
        """Of the head under way."""
        self._due = float("inf")
        """Monotonic seconds by which the head, or the body, under way must have ended."""
        self._is_in_body = False
        self._problem: tuple[int, str] | None = None
        """Status and words of the refusal of a head."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin, or close at once if there are too many."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._due = time.monotonic() + HEAD_SECONDS
        if not self._all.add(self):
            self._refuse(503, "too many connections are open; use one for many requests")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._all.remove(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Leave it to the WebSocket."""
        self._all.remove(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a head."""
        if self.transport.is_closing():
            return
        if not self._is_in_body:
            if not self._head_bytes:
                self._due = time.monotonic() + HEAD_SECONDS
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._is_in_body and self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"the headers are longer than {HEAD_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, unless there are too many; the parser passes the error on to `data_received`."""
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            self._problem = 431, f"there are more than {MOST_HEADERS} headers"
            raise ValueError(self._problem)

    def on_headers_complete(self) -> None:
        """Begin the body."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES:
            self._problem = 431, f"the headers are longer than {HEAD_BYTES} bytes"
            raise ValueError(self._problem)
        self._is_in_body, self._head_bytes = True, 0
        self._due = time.monotonic() + BODY_SECONDS
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next request, which has no time but that of an idle connection."""
        self._is_in_body, self._head_bytes = False, 0
        self._due = float("inf")
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, which are its own
        """Answer what is no request."""
        self._refuse(*(self._problem or (400, "this is no request of HTTP version 1")))

    def is_late(self, now: float) -> bool:
        """Whether a head or a body takes too long."""
        return now >= self._due

    def give_up(self) -> None:
        """Close a connection that is late: with an answer if it has begun a head."""
        if self._head_bytes and not self._is_in_body:
            self._refuse(408, f"the headers did not come within {HEAD_SECONDS:g} s")
        else:
            self.transport.abort()

    def _refuse(self, status: int, words: str) -> None:
        """Answer in the form of every refusal, and close."""
        if self.transport.is_closing():
            return
        body = refusal_body("", problem(INVALID_ARGUMENT, words), new_id())
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % len(body)
            + body
        )
        self.transport.close()
