"""One connection of a server's socket: what it holds of the server's memory, and how it is cut off."""

from __future__ import annotations

import contextlib
import os
import socket as sockets
import struct
from typing import Final

HANDSHAKE_SECONDS: Final = 2.0
"""After which a peer has to have spoken ZMTP 3; ZeroMQ itself waits for other protocols without end."""

GREETING_BYTES: Final = 64
"""Of ZMTP 3: ZeroMQ sends as much to a peer that speaks it, and 10 bytes to any other."""

LARGEST: Final = 4 * 1024**2
"""No more bytes than this wait in a part of a message, where the socket is empty."""

EXCUSED: Final = 64 * 1024
"""Bytes from one peer that are no messages: greetings, keys, signs of life."""

EXCUSED_PER_SECOND: Final = 100
"""Further such bytes, for each second that it is connected."""

BYTES: Final = struct.Struct("=QQ")
BYTES_AT: Final = 120
"""Where Linux (4.1 and later) puts bytes_acked and bytes_received in a tcp_info."""

AT_ONCE: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: what is not sent is thrown away."""


class Tally:
    """Bytes of one peer that were handled and sent; the socket's owner counts, the watching thread judges."""

    __slots__ = ("descriptor", "handled", "is_cut", "is_full", "routing_id", "sent")

    def __init__(self, routing_id: bytes, descriptor: int) -> None:
        self.routing_id = routing_id
        self.descriptor = descriptor
        self.handled = 0
        self.sent = 0
        self.is_cut = False
        """Whether what is left of it may be thrown away unseen."""
        self.is_full = False
        """Whether it has so many replies to read that no more should be made."""


class Connection:
    """Seen through a descriptor of its own, so that it can be looked at when ZeroMQ has closed its one."""

    __slots__ = (
        "_excused",
        "_is_greeted",
        "_sent_besides",
        "_socket",
        "_total_before",
        "absences",
        "came",
        "descriptor",
        "heard",
        "is_cut",
        "is_tcp",
        "taken",
        "tally",
        "total",
    )

    def __init__(self, descriptor: int, now: float) -> None:
        """OSError where it is closed already, or where no descriptor is left."""
        self._socket = sockets.socket(fileno=os.dup(descriptor))
        self._excused = self._sent_besides = self._total_before = 0
        self._is_greeted = False
        self.descriptor = descriptor
        self.is_tcp = self._socket.family != sockets.AF_UNIX
        """Of a socket file the kernel counts nothing."""
        self.came = self.heard = now
        self.total = 0
        """Bytes that have come from it since it came."""
        self.taken = 0
        """Bytes of what was sent that it has taken."""
        self.is_cut = False
        self.absences = 0
        """How many times the socket was found empty since it left."""
        self.tally: Tally | None = None

    def look(self, now: float) -> int:
        """Read the kernel's counts; gives how many bytes have come since the last look."""
        if not self.is_tcp:
            return 0
        info = self._socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, BYTES_AT + BYTES.size)
        before = self.total
        self.taken, self.total = BYTES.unpack_from(info, BYTES_AT)
        come = self.total - before
        if come:
            self.heard = now
        return come

    @property
    def unhandled(self) -> int:
        """Bytes that came from it and are not handled."""
        return max(0, self.total - self._handled - self._excused)

    @property
    def unread(self) -> int:
        """Bytes that were sent to it and that it has not taken; of a socket file it is not known."""
        if not self.is_tcp:
            return 0
        sent = self._sent_besides + (0 if self.tally is None else self.tally.sent)
        if self.taken > sent:  # greetings and the like, which are not counted
            self._sent_besides += self.taken - sent
        return max(0, sent - self.taken)

    def bind(self, tally: Tally) -> Tally | None:
        """Count its messages in `tally` from now on; gives the one that did before."""
        former, self.tally = self.tally, tally
        tally.is_cut = self.is_cut
        if former is not None:
            self._excused += former.handled
            self._sent_besides += former.sent
        return former

    def excuse(self, now: float) -> None:
        """The socket was empty since the last call: what had come by then is handled, or no whole message."""
        left = self._total_before - self._handled - self._excused
        most = EXCUSED + int(EXCUSED_PER_SECOND * (now - self.came)) - self._excused
        self._excused += max(0, min(left, max(left - LARGEST, most)))
        self._total_before = self.total

    def is_foreign(self, now: float) -> bool:
        """Whether it speaks another protocol than ZMTP 3, or has not begun to speak in time."""
        self._is_greeted = self._is_greeted or not self.is_tcp or self.taken >= GREETING_BYTES
        return not self._is_greeted and now - self.came > HANDSHAKE_SECONDS

    def forsake(self) -> None:
        """Have what came from it, and is not handled, thrown away."""
        self.is_cut = True
        if self.tally is not None:
            self.tally.is_cut = True

    def cut(self) -> None:
        """Reset it: what waits for the peer is thrown away, and ZeroMQ closes its side."""
        self.forsake()
        with contextlib.suppress(OSError):  # it has gone by itself
            self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, AT_ONCE)
            self._socket.shutdown(sockets.SHUT_RDWR)

    def close(self) -> None:
        """Let go of it, when ZeroMQ has."""
        self._socket.close()

    @property
    def _handled(self) -> int:
        return 0 if self.tally is None else self.tally.handled
