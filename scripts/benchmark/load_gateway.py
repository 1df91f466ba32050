"""Load through a gateway: HTTP/1.1 on kept-alive connections, or one WebSocket with msgpack."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from scripts.benchmark.load import IN_FLIGHT, PATIENCE, LoadFailed, LoadResult, due_times
from scripts.benchmark.load_http import HttpClient
from scripts.benchmark.load_zeromq import packed, read
from scripts.benchmark.plan import Call

REPLY_BYTES = 262_144


class GatewayHttpClient(HttpClient):
    """Calls actions by POST, as many at once as there are connections."""

    def pack(self, call: Call) -> bytes:
        """The call as an HTTP request."""
        body = json.dumps(call.params).encode()
        return (
            f"POST /v1/{call.tenant}/{call.action} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.tokens[call.tenant]}\r\nIdempotency-Key: {call.id}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def drive(self, bodies: Sequence[bytes], seconds: float) -> LoadResult:
        """As over HTTP elsewhere; what an action returned is in the reply's `result`."""
        return _inner(super().drive(bodies, seconds))

    def drive_at(self, bodies: Sequence[bytes], pace: float) -> LoadResult:
        """As `drive`."""
        return _inner(super().drive_at(bodies, pace))


def _inner(load: LoadResult) -> LoadResult:
    answers = [each._replace(result=each.result.get("result", {})) for each in load.answers]
    return load._replace(answers=answers)


class WebSocketClient:
    """One socket."""

    def __init__(self, port: int, tokens: Mapping[str, str]) -> None:
        self.tokens = tokens
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: tenantry.v1\r\n\r\n".encode()
        )
        answer = self.socket.recv(REPLY_BYTES)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise LoadFailed(f"no WebSocket: {answer[:200]!r}")

    def pack(self, call: Call) -> bytes:
        """The call as a frame; its mask is zero, which leaves the bytes as they are."""
        body = packed(call, self.tokens[call.tenant])
        if len(body) < 126:
            return struct.pack("!BBI", 0x82, 0x80 | len(body), 0) + body
        return struct.pack("!BBHI", 0x82, 0x80 | 126, len(body), 0) + body

    def drive(self, bodies: Sequence[bytes], seconds: float) -> LoadResult:
        """Send for so many seconds or until none is left, and await the rest."""
        clock = time.perf_counter
        waiting = iter(bodies)
        sent: list[float] = []
        replies: list[tuple[float, bytes]] = []
        began = clock()
        until = began + seconds
        self._send(list(islice(waiting, IN_FLIGHT)), sent)
        rest = b""
        while len(replies) < len(sent):
            data = rest + self._receive()
            now = clock()
            found = list(frames(data))
            rest = data[sum(size for size, _ in found) :]
            replies += [(now, body) for _, body in found]
            if now < until:
                self._send(list(islice(waiting, len(found))), sent)
        return LoadResult(began, sent, [read(body, at) for at, body in replies])

    def drive_at(self, bodies: Sequence[bytes], pace: float) -> LoadResult:
        """Send all when they are due, and await the rest."""
        clock = time.perf_counter
        replies: list[tuple[float, bytes]] = []
        began = clock()
        due = due_times(began, len(bodies), pace)
        number, rest = 0, b""
        while len(replies) < len(bodies):
            while number < len(bodies) and due[number] <= clock():
                self.socket.sendall(bodies[number])
                number += 1
            wait = due[number] - clock() if number < len(bodies) else PATIENCE
            if not select.select([self.socket], [], [], max(0.0, wait))[0]:
                if number == len(bodies):
                    raise LoadFailed(f"no reply for {PATIENCE:.0f} s: the gateway hangs or drops")
                continue
            data = rest + self._receive()
            now = clock()
            found = list(frames(data))
            rest = data[sum(size for size, _ in found) :]
            replies += [(now, body) for _, body in found]
        return LoadResult(began, due, [read(body, at) for at, body in replies])

    def _send(self, bodies: Sequence[bytes], sent: list[float]) -> None:
        sent += [time.perf_counter()] * len(bodies)
        self.socket.sendall(b"".join(bodies))

    def _receive(self) -> bytes:
        data = self.socket.recv(REPLY_BYTES)
        if not data:
            raise LoadFailed("the gateway closed the WebSocket")
        return data

    def close(self) -> None:
        """Let go of the socket."""
        self.socket.close()


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the whole frames at the beginning of what came: their sizes, and the contents of messages."""
    at = 0
    while len(data) >= at + 2:
        length, head = data[at + 1], 2
        if length == 126:
            head = 4
            length = int.from_bytes(data[at + 2 : at + 4], "big")
        elif length == 127:
            head = 10
            length = int.from_bytes(data[at + 2 : at + 10], "big")
        end = at + head + length
        if len(data) < end:
            return
        yield end - at, data[at + head : end]
        at = end
