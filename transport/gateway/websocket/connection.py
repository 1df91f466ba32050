"""One WebSocket: the message API's envelopes, many in flight, in text or binary frames."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Raw
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from transport.codec import BadRequest, encoding_of
from transport.gateway.envelope import JSON, MSGPACK, new_id, problem, refusal_body
from transport.gateway.server_link import Exchange, Reply
from transport.gateway.statuses import HttpRefusal
from transport.gateway.websocket.handshake import SUBPROTOCOL, admit
from transport.gateway.websocket.request import AUTHENTICATE, SocketRequest, read_request
from transport.message import PERMISSION_DENIED, Refusal

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from transport.gateway.app import Gateway

MOST_IN_FLIGHT: Final = 256
"""Requests of one socket that may wait for their answers; further ones are not read."""

MOST_UNREAD: Final = 24 * 1024 * 1024
"""Bytes that one peer may leave unread: more than the longest reply."""

CLOSE_SECONDS: Final = 5.0
"""Seconds that a peer has to answer a close frame."""

EXPIRED_SECONDS: Final = 60.0
"""Seconds past its token's expiry that a socket stays open, to be given another."""

STOPPING, UNREADABLE = 1012, 4400
"""Close codes; docs/http.md lists all."""


class WebSocket(asyncio.Protocol):
    """Made by uvicorn for a request to upgrade, which it passes on as bytes."""

    def __init__(self, gateway: Gateway, server_state: ServerState) -> None:
        self._gateway = gateway
        self._state = server_state
        self._connection = ServerProtocol(
            subprotocols=[SUBPROTOCOL], max_size=gateway.limits.body_bytes
        )
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._waiting: deque[bytes] = deque()
        self._in_flight = 0
        self._token: str | None = None
        self._expires: float | None = None
        self._tenant: str | None = None
        """The only tenant that a page of another origin may name."""
        self._is_slow = False
        self.peer = self.address = ""
        self.opened = self.last_received = time.monotonic()
        self.is_pinged = False
        self.is_known = False
        """Whether it has shown a valid token."""

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        self._state.connections.add(self)  # type: ignore[arg-type]  # uvicorn calls `shutdown` alone

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        self.last_received = time.monotonic()
        self.is_pinged = False
        self._connection.receive_data(data)
        for event in self._connection.events_received():
            if isinstance(event, Frame):
                self._on_frame(event)
            else:
                self._transport.pause_reading()
                handshake = self._loop.create_task(self._on_handshake(cast(Request, event)))
                self._state.tasks.add(handshake)
                handshake.add_done_callback(self._state.tasks.discard)
        self._flush()

    def eof_received(self) -> None:
        """Let asyncio close the connection."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget the connection; replies that come for it are dropped."""
        self._waiting.clear()
        self._state.connections.discard(self)
        self._gateway.sockets.remove(self)

    def pause_writing(self) -> None:
        """Stop reading requests of a peer that does not read replies."""
        self._is_slow = True
        self._gateway.sockets.is_slow(self, True)
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_slow = False
        self._gateway.sockets.is_slow(self, False)
        self._take_waiting()

    def shutdown(self) -> None:
        """Close because the gateway stops; uvicorn calls this."""
        self.close(STOPPING, "the gateway is stopping: connect again")

    # The registry's

    @property
    def unread(self) -> int:
        """Bytes that wait to be read by the peer."""
        return self._transport.get_write_buffer_size()

    @property
    def is_expired(self) -> bool:
        """Whether its token's time, and the time to show another, are over."""
        return self._expires is not None and time.time() >= self._expires + EXPIRED_SECONDS

    def ping(self) -> None:
        """Send a ping."""
        if self._connection.state is State.OPEN:
            self.is_pinged = True
            self._connection.send_ping(b"")
            self._flush()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, then close."""
        if self._connection.state is State.OPEN:
            self._connection.send_close(code, reason)
            self._flush()
            self._loop.call_later(CLOSE_SECONDS, self.abort)
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if not self._transport.is_closing():
            self._transport.abort()

    # The handshake

    async def _on_handshake(self, request: Request) -> None:
        try:
            self._tenant = await admit(self._gateway, self, request.path, request.headers)
        except HttpRefusal as refused:
            self._reject(refused)
        else:
            self._connection.send_response(self._connection.accept(request))
        self._flush()
        self._take_waiting()

    def _reject(self, refused: HttpRefusal) -> None:
        body = refusal_body("", refused.refusal, new_id())
        headers = Headers()
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
        headers["Connection"] = "close"
        status = HTTPStatus(refused.status)
        self._connection.send_response(Response(status, status.phrase, headers, body))

    # Messages

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.fin and not self._pieces:
                self._on_message(bytes(frame.data))
                return
            self._pieces.append(bytes(frame.data))
            if frame.fin:
                whole, self._pieces = b"".join(self._pieces), []
                self._on_message(whole)

    def _on_message(self, body: bytes) -> None:
        """Serve a message, or keep it while too many are in flight."""
        if self._waiting or self._in_flight >= MOST_IN_FLIGHT:
            self._waiting.append(body)
            self._transport.pause_reading()
        else:
            self._handle(body)

    def _handle(self, body: bytes) -> None:
        try:
            self._serve(read_request(body, self._token, self._gateway.limits))
        except BadRequest as bad:
            if bad.id is None:
                self.close(UNREADABLE, "a message without a readable id")
            else:
                self._write(refusal_body(bad.id, bad.refusal, new_id(), bad.encoding))

    def _serve(self, request: SocketRequest) -> None:
        if self._tenant is not None and request.tenant not in (None, self._tenant):
            words = f"this page may call {self._tenant} alone, the tenant that the socket was opened for"
            self._refuse(request, problem(PERMISSION_DENIED, words, "tenant"))
            return
        refusal = self._gateway.admission.refusal(self.address, request.token)
        if refusal is not None:
            self._refuse(request, refusal)
            return
        self._in_flight += 1
        on_end = partial(self._on_end, request)
        self._gateway.link.send(
            Exchange(request.id, request.trace_id, request.body, request.seconds, on_end)
        )

    def _on_end(self, request: SocketRequest, outcome: Reply | Refusal) -> None:
        self._in_flight -= 1
        if self._transport.is_closing():
            return
        if isinstance(outcome, Refusal):
            self._refuse(request, outcome)
        else:
            body, head = outcome
            self._gateway.figures.replies[head.error.code if head.error else "ok"] += 1
            if request.token is not None:
                self._gateway.admission.learn(self.address, request.token, head)
            if head.ok and request.token is not None:
                self.is_known = True
                if request.action == AUTHENTICATE:
                    self._authenticated(request.token, head.result, is_json=body[:1] == b"{")
            self._write(body)
        self._take_waiting()

    def _authenticated(self, token: str, result: Raw, *, is_json: bool) -> None:
        caller: dict[str, Any] = (JSON if is_json else MSGPACK).decode(result)
        expires = caller.get("expires")
        self._token = token
        self._expires = None if expires is None else datetime.fromisoformat(expires).timestamp()

    def _refuse(self, request: SocketRequest, refusal: Refusal) -> None:
        encoding = encoding_of(request.body)
        self._write(refusal_body(request.id, refusal, request.trace_id, encoding))

    def _take_waiting(self) -> None:
        while self._waiting and self._in_flight < MOST_IN_FLIGHT:
            self._handle(self._waiting.popleft())
        if not self._waiting and not self._is_slow and not self._transport.is_closing():
            self._transport.resume_reading()

    def _write(self, body: bytes) -> None:
        """Send a reply: JSON as text, msgpack as binary."""
        if self._connection.state is not State.OPEN:
            return
        if body[:1] == b"{":
            self._connection.send_text(body)
        else:
            self._connection.send_binary(body)
        self._flush()
        if self.unread > MOST_UNREAD:
            self.abort()
        elif self.unread:
            self._gateway.sockets.bound_unread()

    def _flush(self) -> None:
        for data in self._connection.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
                return
