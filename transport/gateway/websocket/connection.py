"""One WebSocket: the message API's envelopes, many in flight, in text or binary frames."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from transport.gateway.envelope import new_id, refusal_body
from transport.gateway.statuses import HttpRefusal
from transport.gateway.websocket.handshake import SUBPROTOCOL, admit
from transport.gateway.websocket.session import SocketSession

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from transport.gateway.app import Gateway

MOST_UNREAD: Final = 24 * 1024 * 1024
"""Bytes that one peer may leave unread: more than the longest reply."""

CLOSE_SECONDS: Final = 5.0
"""Seconds that a peer has to answer a close frame."""

STOPPING = 1012
"""A close code; docs/http.md lists all."""


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
        self._session = SocketSession(gateway, self)
        self._is_slow = False
        self.peer = self.address = ""
        self.opened = self.last_received = time.monotonic()
        self.is_pinged = False

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
        self._session.end()
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
        self._session.take_waiting()

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
        return self._session.is_expired

    @property
    def is_known(self) -> bool:
        """Whether it has shown a valid token."""
        return self._session.is_known

    @property
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

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
            self._session.tenant = await admit(self._gateway, self, request.path, request.headers)
        except HttpRefusal as refused:
            self._connection.send_response(_rejection(refused))
        else:
            self._connection.send_response(self._connection.accept(request))
        self._flush()
        self._session.take_waiting()

    # Messages

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.fin and not self._pieces:
                self._session.take(bytes(frame.data))
                return
            self._pieces.append(bytes(frame.data))
            if frame.fin:
                whole, self._pieces = b"".join(self._pieces), []
                self._session.take(whole)

    def write(self, body: bytes) -> None:
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

    def read_on(self, is_wanted: bool) -> None:
        """Read further messages, or none for now; none of a peer that does not read replies."""
        if not is_wanted:
            self._transport.pause_reading()
        elif not self._is_slow and not self._transport.is_closing():
            self._transport.resume_reading()

    def _flush(self) -> None:
        for data in self._connection.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
                return


def _rejection(refused: HttpRefusal) -> Response:
    """Return the response to a request to upgrade that is refused."""
    body = refusal_body("", refused.refusal, new_id())
    headers = Headers()
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    status = HTTPStatus(refused.status)
    return Response(status, status.phrase, headers, body)
