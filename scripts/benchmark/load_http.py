"""Load over HTTP/1.1: kept-alive connections, one request on each, bytes built beforehand.

As cheap as the ZeroMQ side: epoll and raw sockets; a reply is recognised by its status line and its
Content-Length, and read as JSON afterwards.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Mapping, Sequence

from scripts.benchmark.load import IN_FLIGHT, PATIENCE, Answer, LoadFailed, LoadResult, due_times
from scripts.benchmark.plan import ADD, Call

LENGTH = b"content-length:"
REPLY_BYTES = 65_536


class HttpClient:
    """Drives the FastAPI peer."""

    def __init__(self, port: int, tokens: Mapping[str, str]) -> None:
        self.tokens = tokens
        self.epoll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        for _ in range(IN_FLIGHT):
            self._connect(port)

    def _connect(self, port: int) -> None:
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.epoll.register(connection, select.EPOLLIN)
        self.sockets[connection.fileno()] = connection

    def pack(self, call: Call) -> bytes:
        """The call as an HTTP request."""
        path = f"/tenants/{call.tenant}/contacts"
        head = f"Host: localhost\r\nAuthorization: Bearer {self.tokens[call.tenant]}\r\n"
        if call.action != ADD:
            return f"GET {path}/{call.params['id']} HTTP/1.1\r\n{head}\r\n".encode()
        body = json.dumps(call.params).encode()
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    def drive(self, bodies: Sequence[bytes], seconds: float) -> LoadResult:
        """Send for so many seconds or until none is left, and await the rest."""
        began, sent, replies = self._exchange(bodies, seconds)
        return LoadResult(began, sent, [read(number, at, reply) for number, at, reply in replies])

    def drive_at(self, bodies: Sequence[bytes], pace: float) -> LoadResult:
        """Send all when they are due and a connection is free, and await the rest."""
        clock = time.perf_counter
        free = list(self.sockets)
        serving: dict[int, int] = {}
        partial: dict[int, bytes] = {}
        replies: list[tuple[int, float, bytes]] = []
        began = clock()
        due = due_times(began, len(bodies), pace)
        number = 0
        while len(replies) < len(bodies):
            while free and number < len(bodies) and due[number] <= clock():
                serving[handle := free.pop()] = number
                self.sockets[handle].sendall(bodies[number])
                number += 1
            is_waiting = bool(free) and number < len(bodies)
            for handle in self._ready(due[number] - clock() if is_waiting else None):
                data = partial.pop(handle, b"") + self.sockets[handle].recv(REPLY_BYTES)
                if not complete(data):
                    partial[handle] = data
                    continue
                replies.append((serving[handle], clock(), data))
                free.append(handle)
        return LoadResult(began, due, [read(each, at, reply) for each, at, reply in replies])

    def _exchange(
        self, bodies: Sequence[bytes], seconds: float
    ) -> tuple[float, list[float], list[tuple[int, float, bytes]]]:
        """The timed part: whichever connection has its reply gets the next request."""
        clock = time.perf_counter
        sent: list[float] = []
        replies: list[tuple[int, float, bytes]] = []
        serving: dict[int, int] = {}
        partial: dict[int, bytes] = {}
        began = clock()
        until = began + seconds

        def send_next(handle: int) -> None:
            number = len(sent)
            sent.append(clock())
            serving[handle] = number
            self.sockets[handle].sendall(bodies[number])

        for handle in list(self.sockets)[: len(bodies)]:
            send_next(handle)
        while len(replies) < len(sent):
            for handle in self._ready():
                data = partial.pop(handle, b"") + self.sockets[handle].recv(REPLY_BYTES)
                if not complete(data):
                    partial[handle] = data
                    continue
                now = clock()
                replies.append((serving[handle], now, data))
                if now < until and len(sent) < len(bodies):
                    send_next(handle)
        return began, sent, replies

    def _ready(self, seconds: float | None = None) -> list[int]:
        """Wait for replies: until the next request is due, or as long as there is patience."""
        events = self.epoll.poll(PATIENCE if seconds is None else max(0.0, seconds))
        if not events and seconds is None:
            raise LoadFailed(f"no reply for {PATIENCE:.0f} s: the server hangs or drops")
        return [handle for handle, _ in events]

    def close(self) -> None:
        """Let go of the connections."""
        self.epoll.close()
        for connection in self.sockets.values():
            connection.close()


def complete(data: bytes) -> bool:
    """Whether the bytes hold a whole reply; LoadFailed when the server hung up."""
    if not data:
        raise LoadFailed("the server closed a connection that was to be kept alive")
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return False
    start = head.lower().index(LENGTH) + len(LENGTH)
    return len(body) >= int(head[start:].split(b"\r\n", 1)[0])


def read(number: int, at: float, reply: bytes) -> Answer:
    """A reply of the FastAPI peer."""
    head, _, body = reply.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    if status == b"200":
        return Answer(number, at, "", json.loads(body))
    return Answer(number, at, f"{status.decode()}: {body[:200].decode(errors='replace')}", {})
