"""A server's socket with bounds, and peers that connect to it."""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable, Iterator

import pytest
import zmq

from transport.bind import Security, bind_router, endpoint_of
from transport.connection import BOUNDS, Bounds
from transport.frames import Frame
from transport.router_socket import RouterSocket
from transport.validation import Limits

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


class SocketHarness:
    """One socket with bounds, and the peers that connect to it."""

    def __init__(self, bounds: Bounds) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = bind_router(self.context, "tcp://127.0.0.1:*", Security(), Limits())
        self.mailbox = RouterSocket(self.socket, bounds=bounds)
        self._peers: list[zmq.Socket[bytes]] = []

    def peer(self, **options: int) -> zmq.Socket[bytes]:
        """Connected and waiting for nothing."""
        peer = self.context.socket(zmq.DEALER)
        for name, value in {"LINGER": 0, "SNDHWM": 0, "RCVTIMEO": 10_000, **options}.items():
            peer.setsockopt(getattr(zmq, name), value)
        peer.connect(endpoint_of(self.socket))
        self._peers.append(peer)
        return peer

    def plain(self) -> sockets.socket:
        """A TCP connection that speaks nothing yet."""
        host, port = endpoint_of(self.socket).removeprefix("tcp://").split(":")
        return sockets.create_connection((host, int(port)), timeout=10)

    def served(self, peer: zmq.Socket[bytes], body: bytes = b"hello") -> bytes:
        """Have one message of a peer taken and answered; gives its routing id."""
        peer.send(body)
        for frame in self.frames():
            self.mailbox.send(frame.parts[0], [b"reply"])
            if frame.parts[-1] == body:
                assert peer.recv() == b"reply"
                return frame.parts[0]
        raise AssertionError("nothing came")

    def frames(self) -> Iterator[Frame]:
        """All that come, until the test has enough."""
        while self.mailbox._deferred or self.socket.poll(10_000):
            self.mailbox.append("anything")
            yield from (each for each in self.mailbox.receive_batch() if isinstance(each, Frame))

    def cut(self, reason: str) -> Callable[[], bool]:
        """Whether a connection was cut off for it."""
        return lambda: self.mailbox.connections.cut[reason] > 0

    def close(self) -> None:
        """Everything."""
        self.mailbox.close()
        for peer in self._peers:
            peer.close()
        self.context.destroy(linger=0)


@pytest.fixture
def make() -> Iterator[Callable[[Bounds], SocketHarness]]:
    """Makes houses."""
    made: list[SocketHarness] = []

    def harness(bounds: Bounds = BOUNDS) -> SocketHarness:
        made.append(SocketHarness(bounds))
        return made[-1]

    yield harness
    for each in made:
        each.close()
