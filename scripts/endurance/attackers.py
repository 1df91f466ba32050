"""One hostile peer: python -m scripts.endurance.attackers --shape NAME, until it is ended.

It speaks ZMTP on plain sockets, so that it can leave in the middle, not read, or speak another protocol.
Prints `ready` when it begins.
"""

from __future__ import annotations

import argparse
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final, NamedTuple

import msgpack

GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
READY: Final = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
PING: Final = b"\x04\x07\x04PING\x00\x01"
HTTP: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
TLS: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
AT_ONCE: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: leave by a reset."""
CROWD: Final = 2000
"""Connections of `crowd`, and at a time of `http` and `tls`."""
LEAVING: Final = 400
"""Connections at a time that send MESSAGES and leave."""
MESSAGES: Final = 1500
NUMBERS: Final = count()
NOTES: Final = 100
EMPTY: Final = b"\xdc\x03\xe8" + b"\x90" * 1000
HEAVY: Final = (
    b"\x84\xa2id\xa5heavy\xa6action\xadsystem.whoami\xa6params\x81\xa1a\xdc\x00\xc8"
    + EMPTY * 200
    + b"\xa6tenant\xa1t"
)
"""200 arrays of 1,000 empty arrays in 200 KB."""


class Target(NamedTuple):
    """The server's address, and the token to use."""

    address: tuple[str, int]
    token: str
    tenant: str
    rate: float
    """Requests a second, of `flood`; 0 for as many as go."""

    def plain(self, **options: int) -> socket.socket:
        """Return a connection that has sent nothing yet."""
        made = socket.socket()
        made.settimeout(10)
        for name, value in options.items():
            made.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        made.connect(self.address)
        return made

    def peer(self, **options: int) -> socket.socket:
        """Return a connection that has greeted and may send frames."""
        made = self.plain(**options)
        made.sendall(GREETING + READY)
        made.recv(len(GREETING) + len(READY), socket.MSG_WAITALL)
        return made

    def request(self, action: str, **params: Any) -> bytes:
        """Return a frame with a request under the token."""
        fields = {"id": f"siege-{next(NUMBERS)}", "action": action, "params": params}
        return frame(msgpack.packb({**fields, "token": self.token, "tenant": self.tenant}))


def frame(body: bytes) -> bytes:
    """Return a body as a frame of ZMTP."""
    if len(body) < 256:
        return b"\x00" + bytes([len(body)]) + body
    return b"\x02" + struct.pack(">Q", len(body)) + body


def leave(target: Target) -> None:
    """Many send many messages with signs of life in between, and leave at once, by a reset."""
    ping = frame(msgpack.packb({"id": "p", "action": "system.ping"}))
    said = (ping * 500 + PING) * (MESSAGES // 500)
    peers = [target.peer() for _ in range(LEAVING)]
    for each in peers:
        with suppress(OSError):  # it was cut off
            each.setblocking(False)
            each.send(said)
    for each in peers:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        each.close()


def heavy(target: Target) -> None:
    """Bodies without a token that take long to read, as fast as they go."""
    with target.peer() as peer:
        while True:
            peer.sendall(frame(HEAVY))


def greedy(target: Target) -> None:
    """Messages of the largest size that is let in, from many, none of them read."""
    peers = [target.peer(SO_RCVBUF=4096) for _ in range(16)]
    body = frame(bytes(1_000_000))
    for each in peers * 4:
        with suppress(OSError):  # it was cut off
            each.sendall(body)


def begin(target: Target) -> None:
    """Messages that are announced and never come to their end, in as many connections as there may be."""
    peers = [target.peer() for _ in range(CROWD // 4)]
    time.sleep(0.5)  # a server that sees nothing come looks less often
    for each in peers:
        with suppress(OSError):  # it was cut off
            each.sendall(b"\x02" + struct.pack(">Q", 1_000_000) + bytes(900_000))
    time.sleep(1)


def deaf(target: Target) -> None:
    """Requests with a token whose replies, of 400 KB each, are not read."""
    with target.peer() as reader:
        reader.sendall(target.request("contacts.add", name="deaf"))
        for _ in range(NOTES):
            reader.sendall(target.request("notes.add", contact_id=1, body="x" * 4000))
        time.sleep(1)
    peers = [target.peer(SO_RCVBUF=4096) for _ in range(8)]
    asked = target.request("notes.list", contact_id=1, limit=NOTES) * 20
    for each in peers * 10:
        with suppress(OSError):  # it was cut off
            each.sendall(asked)
    time.sleep(1)


def crowd(target: Target) -> None:
    """Connections that greet and say nothing more."""
    held = []
    for _ in range(CROWD):
        with suppress(OSError):  # there are too many
            held.append(target.peer())
    time.sleep(5)


def http(target: Target) -> None:
    """Connections that speak HTTP and wait for an answer."""
    speak(target, HTTP)


def tls(target: Target) -> None:
    """Connections that speak TLS and wait for an answer."""
    speak(target, TLS)


def silence(target: Target) -> None:
    """Connections that say nothing."""
    speak(target, b"")


def speak(target: Target, said: bytes) -> None:
    """As many as the server lets be, for as long as it lets them be."""
    held = []
    for _ in range(CROWD):
        with suppress(OSError):  # there are too many
            held.append(target.plain())
            held[-1].sendall(said)
    time.sleep(3)


def burn(_target: Target) -> None:
    """Only compute: to compare with, as every shape takes processor time of the server's."""
    while True:
        sum(range(1000))


def flood(target: Target) -> None:
    """Requests at a rate, whatever is answered; answers are read."""
    asked, size, began = target.request("contacts.get", id=1), 0, time.monotonic()
    with target.peer() as peer:
        peer.settimeout(None)  # with one, Python waits for it before it looks at MSG_DONTWAIT
        while True:
            due = int(target.rate * (time.monotonic() - began)) - size if target.rate else 100
            peer.sendall(asked * min(due, 1000))
            size += due
            with suppress(BlockingIOError):
                while peer.recv(1024**2, socket.MSG_DONTWAIT):
                    pass
            if target.rate:
                time.sleep(0.01)


SHAPES: Final[dict[str, Callable[[Target], None]]] = {
    shape.__name__: shape
    for shape in (leave, heavy, greedy, begin, deaf, crowd, http, tls, silence, flood, burn)
}


def main() -> None:
    """Repeat the shape without end, with new connections for those that were reset."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--shape", required=True, choices=SHAPES)
    parser.add_argument("--token", default="")
    parser.add_argument("--tenant", default="")
    parser.add_argument("--rate", type=float, default=0.0)
    given = parser.parse_args()
    host, port = given.endpoint.removeprefix("tcp://").rsplit(":", 1)
    target = Target((host, int(port)), given.token, given.tenant, given.rate)
    print("ready", flush=True)
    while True:
        with suppress(OSError):
            SHAPES[given.shape](target)


if __name__ == "__main__":
    main()
