"""A client written from docs/message-api.md alone, with nothing but pyzmq and json.

It knows no code of this repository: what it cannot do, no stranger can.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import zmq

PATIENCE_MS = 20_000


class JsonReq:
    """One request at a time over a REQ socket, which is replaced when no reply comes."""

    def __init__(self, endpoint: str, tenant: str | None = None, token: str | None = None) -> None:
        self._endpoint = endpoint
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._connect()
        self._always = {"tenant": tenant, "token": token}

    def ask(
        self,
        action: str,
        params: dict[str, Any] | None = None,
        *,
        patience_ms: int = PATIENCE_MS,
        **fields: Any,
    ) -> dict[str, Any]:
        """Send a request and wait for its reply; TimeoutError, after which the id may be used again."""
        request = {"id": uuid.uuid4().hex, **self._always, "action": action, **fields}
        if params is not None:
            request["params"] = params
        return self.exchange(json.dumps(request).encode(), patience_ms)

    def exchange(self, body: bytes, patience_ms: int = PATIENCE_MS) -> dict[str, Any]:
        """Send a body as it is and wait for its reply."""
        self._socket.send(body)
        if not self._socket.poll(patience_ms):
            self._socket.close(linger=0)
            self._socket = self._connect()
            raise TimeoutError("no reply")
        reply: dict[str, Any] = json.loads(self._socket.recv())
        return reply

    def close(self) -> None:
        """Disconnect."""
        self._context.destroy(linger=0)

    def _connect(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.REQ)
        socket.connect(self._endpoint)
        return socket
