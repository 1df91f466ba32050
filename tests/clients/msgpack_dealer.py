"""A client written from docs/message-api.md alone, with nothing but pyzmq and msgpack.

It knows no code of this repository: what it cannot do, no stranger can.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import msgpack
import zmq

PATIENCE_MS = 20_000


class MsgpackDealer:
    """Many requests at a time over one DEALER socket; replies are matched by id."""

    def __init__(self, endpoint: str, tenant: str | None = None, token: str | None = None) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.connect(endpoint)
        self._always = {"tenant": tenant, "token": token}
        self._early: dict[str, dict[str, Any]] = {}

    def send(self, action: str, params: dict[str, Any] | None = None, **fields: Any) -> str:
        """Send a request without waiting; its id."""
        request = {"id": uuid.uuid4().hex, **self._always, "action": action, **fields}
        if params is not None:
            request["params"] = params
        self.send_bytes(msgpack.packb(request))
        return str(request["id"])

    def send_bytes(self, *frames: bytes) -> None:
        """Send frames as they are."""
        self._socket.send_multipart(frames)

    def receive(self, id: str) -> dict[str, Any]:
        """The reply to a request, whatever comes before it."""
        while id not in self._early:
            reply = self.next_reply()
            self._early[reply["id"]] = reply
        return self._early.pop(id)

    def receive_all(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        """The replies to several requests, in their order."""
        return [self.receive(id) for id in ids]

    def next_reply(self) -> dict[str, Any]:
        """The next reply that comes, whosever it is."""
        if not self._socket.poll(PATIENCE_MS):
            raise TimeoutError("no reply")
        (body,) = self._socket.recv_multipart()
        reply: dict[str, Any] = msgpack.unpackb(body)
        return reply

    def ask(
        self, action: str, params: dict[str, Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Send a request and wait for its reply."""
        return self.receive(self.send(action, params, **fields))

    def close(self) -> None:
        """Disconnect."""
        self._context.destroy(linger=0)
