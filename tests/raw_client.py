"""A client's socket with none of our code on it: sends any frames, and reads replies as plain maps."""

from __future__ import annotations

import itertools
import json
from types import TracebackType
from typing import Any, Literal, Self

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

WAIT_MS = 20_000
"""Milliseconds after which a test gives up on a reply that should come at once."""

Map = dict[str, Any]
Encoding = Literal["msgpack", "json"]

_numbers = itertools.count(1)


def new_id() -> str:
    """One that no other request of this process has."""
    return f"wire-{next(_numbers)}"


def packed(value: Any, encoding: Encoding = "msgpack") -> bytes:
    """A body."""
    if encoding == "json":
        return json.dumps(value).encode()
    body: bytes = msgpack.packb(value)
    return body


def unpacked(body: bytes) -> Map:
    """A reply, in whichever encoding it came."""
    value: Map = json.loads(body) if body[:1] == b"{" else msgpack.unpackb(body)
    return value


class RawClient:
    """One connection; a context manager. `kind` is zmq.DEALER or zmq.REQ."""

    def __init__(self, endpoint: str, kind: int = zmq.DEALER, **options: int | bytes) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(kind)
        self.socket.linger = 0
        self.socket.rcvtimeo = WAIT_MS
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self._news = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._news.rcvtimeo = WAIT_MS
        self.socket.connect(endpoint)

    def send(self, *frames: bytes) -> None:
        """Send one message of these frames."""
        self.socket.send_multipart(frames)

    def post(self, encoding: Encoding = "msgpack", /, **fields: Any) -> str:
        """Send a request of these fields; its id."""
        request = {"id": new_id(), **fields}
        self.send(packed(request, encoding))
        return str(request["id"])

    def receive(self) -> Map:
        """Return the next reply; fails if none comes."""
        return unpacked(self.socket.recv_multipart()[-1])

    def replies(self, count: int) -> dict[str, Map]:
        """So many replies, by their ids."""
        found = [self.receive() for _ in range(count)]
        return {reply["id"]: reply for reply in found}

    def ask(self, encoding: Encoding = "msgpack", /, **fields: Any) -> Map:
        """Send a request and take the next reply, which must be its own."""
        id = self.post(encoding, **fields)
        reply = self.receive()
        assert reply["id"] == id
        return reply

    def until_ping(self) -> list[Map]:
        """Everything that came up to now: the server takes one connection's messages in their order."""
        id = self.post(action="system.ping")
        found = []
        while (reply := self.receive())["id"] != id:
            found.append(reply)
        return found

    def dropped(self) -> None:
        """Wait until the server has closed the connection; ZeroMQ makes another by itself."""
        recv_monitor_message(self._news)

    def close(self) -> None:
        """Leave, at once unless the socket was given time to send (`socket.linger`)."""
        self.socket.disable_monitor()
        self._news.close(linger=0)
        self._context.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
