"""What one WebSocket's messages have in common: its token, its tenant, and how many of them are in flight."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Raw

from transport.codec import encoding_of
from transport.gateway.admission import LATE_SECONDS
from transport.gateway.envelope import JSON, MSGPACK, new_id, problem, refusal_body
from transport.gateway.server_link import Exchange, Reply
from transport.gateway.websocket.request import AUTHENTICATE, SocketRequest, read_request
from transport.message import PERMISSION_DENIED, Refusal
from transport.request.parser import BadRequest

if TYPE_CHECKING:
    from transport.gateway.app import Gateway

MOST_IN_FLIGHT: Final = 256
"""Requests of one socket that may wait for their answers; further ones are not read."""

EXPIRED_SECONDS: Final = 60.0
"""Seconds past its token's expiry that a socket stays open, to be given another."""

UNREADABLE: Final = 4400
"""A close code; docs/http.md lists all."""


class SocketConnection(Protocol):
    """The socket of a session."""

    address: str

    @property
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    def write(self, body: bytes) -> None:
        """Send a reply."""
        ...

    def read_on(self, is_wanted: bool) -> None:
        """Read further messages, or none for now."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, then close."""
        ...


class SocketSession:
    """Serves the messages of one socket."""

    def __init__(self, gateway: Gateway, connection: SocketConnection) -> None:
        self._gateway = gateway
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._in_flight = 0
        self._is_late = False
        """Whether what comes is served LATE_SECONDS later, because its address is past its rate."""
        self._token: str | None = None
        self._expires: float | None = None
        self.tenant: str | None = None
        """The only tenant that a page of another origin may name."""
        self.is_known = False
        """Whether it has shown a valid token."""

    @property
    def is_expired(self) -> bool:
        """Whether its token's time, and the time to show another, are over."""
        return self._expires is not None and time.time() >= self._expires + EXPIRED_SECONDS

    def end(self) -> None:
        """Drop the messages that wait; replies that come for the others are dropped, too."""
        self._waiting.clear()

    def take(self, body: bytes) -> None:
        """Serve a message, or keep it while too many are in flight."""
        if self._waiting or self._is_late or self._in_flight >= MOST_IN_FLIGHT:
            self._waiting.append(body)
            self._connection.read_on(False)
        else:
            self._handle(body)

    def take_waiting(self) -> None:
        """Serve what waits, as far as there is room, and have more read."""
        while self._waiting and not self._is_late and self._in_flight < MOST_IN_FLIGHT:
            self._handle(self._waiting.popleft())
        if not self._waiting and not self._is_late:
            self._connection.read_on(True)

    def _handle(self, body: bytes) -> None:
        try:
            self._serve(read_request(body, self._token, self._gateway.limits))
        except BadRequest as bad:
            if bad.id is None:
                self._connection.close(UNREADABLE, "a message without a readable id")
            else:
                self._connection.write(refusal_body(bad.id, bad.refusal, new_id(), bad.encoding))

    def _serve(self, request: SocketRequest) -> None:
        if self.tenant is not None and request.tenant not in (None, self.tenant):
            words = (
                f"this page may call {self.tenant} alone, the tenant that the socket was opened for"
            )
            self._refuse(request, problem(PERMISSION_DENIED, words, "tenant"))
            return
        refusal = self._gateway.admission.refusal(self._connection.address, request.token)
        if refusal is not None:
            self._refuse(request, refusal)
            self._is_late = True
            self._connection.read_on(False)
            asyncio.get_running_loop().call_later(LATE_SECONDS, self._read_on)
            return
        self._in_flight += 1
        on_end = partial(self._on_end, request)
        self._gateway.link.send(
            Exchange(request.id, request.trace_id, request.body, request.seconds, on_end)
        )

    def _read_on(self) -> None:
        self._is_late = False
        if not self._connection.is_closing:
            self.take_waiting()

    def _on_end(self, request: SocketRequest, outcome: Reply | Refusal) -> None:
        self._in_flight -= 1
        if self._connection.is_closing:
            return
        if isinstance(outcome, Refusal):
            self._refuse(request, outcome)
        else:
            body, head = outcome
            self._gateway.figures.replies[head.error.code if head.error else "ok"] += 1
            if request.token is not None:
                self._gateway.admission.learn(self._connection.address, request.token, head)
            if head.ok and request.token is not None:
                self.is_known = True
                if request.action == AUTHENTICATE:
                    self._authenticated(request.token, head.result, is_json=body[:1] == b"{")
            self._connection.write(body)
        self.take_waiting()

    def _authenticated(self, token: str, result: Raw, *, is_json: bool) -> None:
        caller: dict[str, Any] = (JSON if is_json else MSGPACK).decode(result)
        expires = caller.get("expires")
        self._token = token
        self._expires = None if expires is None else datetime.fromisoformat(expires).timestamp()

    def _refuse(self, request: SocketRequest, refusal: Refusal) -> None:
        encoding = encoding_of(request.body)
        self._connection.write(refusal_body(request.id, refusal, request.trace_id, encoding))
