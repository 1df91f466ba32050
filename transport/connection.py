"""One connection of a server's socket: what it holds of the server's memory, and how it is cut off."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket as sockets
import struct
from pathlib import Path
from typing import Final

HANDSHAKE_SECONDS: Final = 2.0
"""After which a peer has to have spoken ZMTP 3; ZeroMQ itself waits for other protocols without end."""

GREETING_BYTES: Final = 64
"""Of ZMTP 3: ZeroMQ sends as much to a peer that speaks it, and 10 bytes to any other."""

MAX_PART_BYTES: Final = 4 * 1024**2
"""No more bytes than this wait in a part of a message, where the socket is empty."""

OVERHEAD_BYTES: Final = 64 * 1024
"""Bytes from one peer that are no messages: greetings, keys, signs of life."""

OVERHEAD_BYTES_PER_SECOND: Final = 100
"""Further such bytes, for each second that it is connected."""

TCP_COUNTS: Final = struct.Struct("=QQ")
TCP_COUNTS_OFFSET: Final = 120
"""Where Linux (4.1 and later) puts bytes_acked and bytes_received in a tcp_info."""

LINGER_NOTHING: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: what is not sent is thrown away."""

ATTACH_FILTER, DETACH_FILTER = 26, 27
"""Of Linux: SO_ATTACH_FILTER and SO_DETACH_FILTER."""

DROP_ALL: Final = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0), 8)
"""A filter of one step, which lets no packet in."""

BURST_SECONDS: Final = 10
"""So many seconds' newcomers may come at once: all clients come again after a restart."""

RESET_COST: Final = 60
"""Newcomers that one counts for besides when it is cut off: those who come to be cut off come seldom."""


class AcceptLimiter:
    """Where a socket listens; it is shut for a moment where more come than may, or such as are cut off.

    While it is shut the kernel drops their first packets: they send them again after a second, and cost
    nothing. One that was there before sees nothing of it. The limiter of a socket file never blocks.
    """

    def __init__(self, endpoint: str, rate: float, now: float) -> None:
        """So many newcomers a second, in the long run."""
        port = endpoint.rpartition(":")[2]
        self._listener = listener_at(int(port)) if port.isdecimal() else None
        self._rate = rate
        self._spent_until = now
        self.is_blocking = False

    def charge(self, newcomers: int, now: float) -> None:
        """So many have come, or one has come that costs as much."""
        self._spent_until = max(self._spent_until, now) + newcomers / self._rate
        self.update(now)

    def update(self, now: float) -> None:
        """Shut or open it, as there is need."""
        is_due = self._spent_until - now > BURST_SECONDS
        if self._listener is not None and is_due != self.is_blocking:
            program = struct.pack("HP", 1, ctypes.addressof(DROP_ALL))
            option, value = (ATTACH_FILTER, program) if is_due else (DETACH_FILTER, bytes(4))
            with contextlib.suppress(OSError):  # the kernel has no filters, or the socket is closed
                self._listener.setsockopt(sockets.SOL_SOCKET, option, value)
                self.is_blocking = is_due

    def close(self) -> None:
        """Let go of it."""
        if self._listener is not None:
            self._listener.close()


def listener_at(port: int) -> sockets.socket | None:
    """This process's socket that listens there, through a descriptor of its own."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it is no socket, or closed by now
            # Never closed if it is another one: that would give up the locks of a file.
            found = sockets.socket(fileno=int(entry.name))
            try:
                listens = found.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN)
                if listens and found.getsockname()[1:2] == (port,):
                    return found.dup()
            finally:
                found.detach()
    return None


class Tally:
    """Bytes of one peer that were handled and sent; the socket's owner counts, the watching thread judges."""

    __slots__ = (
        "descriptor",
        "handled",
        "is_cut",
        "is_full",
        "is_gone",
        "routing_id",
        "sent",
        "wasted",
    )

    def __init__(self, routing_id: bytes, descriptor: int) -> None:
        self.routing_id = routing_id
        self.descriptor = descriptor
        self.handled = 0
        self.sent = 0
        self.wasted = 0
        """Bytes of a stranger's that were not worth being read."""
        self.is_cut = False
        """Whether what is left of it may be thrown away unseen."""
        self.is_gone = False
        """Whether it has left: no reply gets there any more."""
        self.is_full = False
        """Whether it has so many replies to read that no more should be made."""


class Connection:
    """Seen through a descriptor of its own, so that it can be looked at when ZeroMQ has closed its one."""

    __slots__ = (
        "_is_greeted",
        "_overhead",
        "_socket",
        "_total_before",
        "_uncounted_sent",
        "absences",
        "accepted_at",
        "descriptor",
        "is_cut",
        "is_tcp",
        "last_received",
        "taken",
        "tally",
        "total",
    )

    def __init__(self, descriptor: int, now: float) -> None:
        """OSError where it is closed already, or where no descriptor is left."""
        self._socket = sockets.socket(fileno=os.dup(descriptor))
        self._overhead = self._uncounted_sent = self._total_before = 0
        self._is_greeted = False
        self.descriptor = descriptor
        self.is_tcp = self._socket.family != sockets.AF_UNIX
        """Of a socket file the kernel counts nothing."""
        self.accepted_at = self.last_received = now
        self.total = 0
        """Bytes that have come from it since it came."""
        self.taken = 0
        """Bytes of what was sent that it has taken."""
        self.is_cut = False
        self.absences = 0
        """How many times the socket was found empty since it left."""
        self.tally: Tally | None = None

    def read_counts(self, now: float) -> int:
        """Read the kernel's counts; gives how many bytes have come since the last look."""
        if not self.is_tcp:
            return 0
        info = self._socket.getsockopt(
            sockets.IPPROTO_TCP, sockets.TCP_INFO, TCP_COUNTS_OFFSET + TCP_COUNTS.size
        )
        before = self.total
        self.taken, self.total = TCP_COUNTS.unpack_from(info, TCP_COUNTS_OFFSET)
        come = self.total - before
        if come:
            self.last_received = now
        return come

    @property
    def unhandled(self) -> int:
        """Bytes that came from it and are not handled."""
        return max(0, self.total - self._handled - self._overhead)

    @property
    def unread(self) -> int:
        """Bytes that were sent to it and that it has not taken; of a socket file it is not known."""
        if not self.is_tcp:
            return 0
        sent = self._uncounted_sent + (0 if self.tally is None else self.tally.sent)
        if self.taken > sent:  # greetings and the like, which are not counted
            self._uncounted_sent += self.taken - sent
        return max(0, sent - self.taken)

    def bind(self, tally: Tally) -> Tally | None:
        """Count its messages in `tally` from now on; gives the one that did before."""
        former, self.tally = self.tally, tally
        tally.is_cut, tally.is_gone = self.is_cut, self._socket.fileno() < 0
        if former is not None:
            self._overhead += former.handled
            self._uncounted_sent += former.sent
        return former

    def excuse(self, now: float) -> None:
        """The socket was empty since the last call: what had come by then is handled, or no whole message."""
        left = self._total_before - self._handled - self._overhead
        most = (
            OVERHEAD_BYTES
            + int(OVERHEAD_BYTES_PER_SECOND * (now - self.accepted_at))
            - self._overhead
        )
        self._overhead += max(0, min(left, max(left - MAX_PART_BYTES, most)))
        self._total_before = self.total

    def is_foreign(self, now: float) -> bool:
        """Whether it speaks another protocol than ZMTP 3, or has not begun to speak in time."""
        self._is_greeted = self._is_greeted or not self.is_tcp or self.taken >= GREETING_BYTES
        return not self._is_greeted and now - self.accepted_at > HANDSHAKE_SECONDS

    def discard_input(self) -> None:
        """Have what came from it, and is not handled, thrown away."""
        self.is_cut = True
        if self.tally is not None:
            self.tally.is_cut = True

    def cut(self) -> None:
        """Reset it: what waits for the peer is thrown away, and ZeroMQ closes its side."""
        self.discard_input()
        with contextlib.suppress(OSError):  # it has gone by itself
            self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, LINGER_NOTHING)
            self._socket.shutdown(sockets.SHUT_RDWR)

    def leave(self) -> None:
        """It is gone."""
        if self.tally is not None:
            self.tally.is_gone = True
        self.close()

    def close(self) -> None:
        """Let go of it, when ZeroMQ has."""
        self._socket.close()

    @property
    def _handled(self) -> int:
        return 0 if self.tally is None else self.tally.handled
