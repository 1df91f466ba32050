"""A client's DEALER socket and its monitor: carries a Conversation to a server and back."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from typing import Any, cast

import zmq

from transport.session import PendingRequest, Session
from transport.validation import REPLIES

RECONNECT_MS, RECONNECT_MAX_MS = 50, 1_000
"""Milliseconds between attempts to reach a server that is away: the first pause, and the longest."""

MAX_REPLIES = 1_000
"""Replies read at a time, so that a flood of them does not hold up an event loop."""

HEARTBEAT_MS = 5_000
"""Milliseconds between heartbeats to a silent server. A server sends none: see `set_options` in `bind.py`."""

HEARTBEAT_TIMEOUT_MS = 15_000
"""Milliseconds without an answer to a heartbeat after which the client disconnects."""

EVENT = struct.Struct("=H")
"""The beginning of a monitor's message. What pyzmq has for it imports asyncio, which takes longer."""

MONITORED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)


class DealerSocket:
    """One connection. `send_pending` and `receive` never wait: its owner polls `pollables`."""

    def __init__(
        self,
        endpoint: str,
        session: Session,
        *,
        server_key: bytes | None,
        keys: tuple[bytes, bytes] | None,
        context: zmq.Context[zmq.Socket[bytes]] | None,
    ) -> None:
        self.session = session
        self._process = os.getpid()
        self._socket = (context or zmq.Context.instance()).socket(zmq.DEALER)
        self._monitor = self._socket.get_monitor_socket(MONITORED)
        self._poller = zmq.Poller()
        for pollable in self.pollables:
            self._poller.register(pollable, zmq.POLLIN)
        try:
            set_client_options(self._socket, server_key, keys, ipv6="[" in endpoint)
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise ValueError(f"cannot connect to {endpoint!r}: {error}") from None

    @property
    def pollables(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        """The sockets to poll for input."""
        return self._socket, self._monitor

    @property
    def is_readable(self) -> bool:
        """Whether `receive` would find anything."""
        return any(_is_ready(pollable, zmq.POLLIN) for pollable in self.pollables)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._socket.closed

    def wait(self, seconds: float) -> None:
        """Wait until the socket is readable, or for so many seconds."""
        self._poller.poll(max(0, 1 + int(1000 * seconds)))

    def start(self, fields: Mapping[str, Any], timeout: float) -> PendingRequest:
        """Send a request, or keep it until there is a connection. Raises EncodeError, ValueError."""
        self._require_own_process()
        if self.closed:
            raise ValueError("the client is closed: make a new one")
        pending = self.session.start(fields, timeout, time.monotonic())
        self.send_pending()
        return pending

    def send_pending(self) -> None:
        """Run due timers and send unsent requests, as far as there is a connection."""
        now = time.monotonic()
        self.session.on_timer(now)
        # Reading EVENTS, unlike sending, always notices a connection that was just made.
        while self.session.has_unsent and _is_ready(self._socket, zmq.POLLOUT):
            self._socket.send(self.session.take_unsent(now), zmq.NOBLOCK)

    def receive(self) -> None:
        """Read connection events, and at most MAX_REPLIES replies; ValueError after a fork."""
        self._require_own_process()
        while _is_ready(self._monitor, zmq.POLLIN):
            event, _ = self._monitor.recv_multipart()
            self._on_monitor_event(*EVENT.unpack_from(event))
        now = time.monotonic()
        try:
            for _ in range(MAX_REPLIES):
                self.session.received(self._socket.recv(zmq.NOBLOCK), now)
        except zmq.Again:
            pass

    def close(self) -> None:
        """Close both sockets and end unanswered requests; a second call does nothing."""
        if self.closed:
            return
        self.session.close()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    def _require_own_process(self) -> None:
        """Raise ValueError after a fork, which copies no threads: waiting in the child would not end."""
        if os.getpid() != self._process:
            raise ValueError(
                f"the client was made by process {self._process} and belongs to it: "
                "make a new one after a fork"
            )

    def _on_monitor_event(self, event: int) -> None:
        if event == zmq.EVENT_DISCONNECTED:
            self.session.disconnected()
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.session.connected()
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self.session.connection_problem = "it does not admit this client's CURVE key"
        else:
            self.session.connection_problem = (
                "it does not speak ZeroMQ with the same security (CURVE)"
            )


def set_client_options(
    socket: zmq.Socket[bytes],
    server_key: bytes | None,
    keys: tuple[bytes, bytes] | None,
    *,
    ipv6: bool,
) -> None:
    """Set every option of a client's DEALER socket, CURVE if there is a server's key. Call before connect."""
    option = socket.setsockopt
    # Nothing is queued for a server that is away: a request that its caller gave up must not run later.
    option(zmq.IMMEDIATE, 1)
    # No high-water marks: the number of pending calls is the limit.
    option(zmq.SNDHWM, 0)
    option(zmq.RCVHWM, 0)
    option(zmq.MAXMSGSIZE, REPLIES.body_bytes)
    option(zmq.LINGER, 0)
    option(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    option(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    option(zmq.RECONNECT_IVL, RECONNECT_MS)
    option(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    option(zmq.IPV6, int(ipv6))
    if server_key is not None:
        option(zmq.CURVE_SERVERKEY, server_key)
        public, secret = keys or zmq.curve_keypair()
        option(zmq.CURVE_PUBLICKEY, public)
        option(zmq.CURVE_SECRETKEY, secret)


def _is_ready(socket: zmq.Socket[bytes], event: int) -> bool:
    return bool(cast(int, socket.getsockopt(zmq.EVENTS)) & event)
