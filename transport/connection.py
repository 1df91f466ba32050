"""One connection of a server's socket: what it may hold of memory, what it holds, and how it is reset."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket as sockets
import struct
import termios
from pathlib import Path
from typing import Final, NamedTuple

HANDSHAKE_SECONDS: Final = 2.0
"""Seconds within which a peer must speak ZMTP 3; ZeroMQ itself waits for other protocols without end."""

GREETING_BYTES: Final = 64
"""Length of the greeting of ZMTP 3, which ZeroMQ sends to peers that speak it; others get 10 bytes."""

MAX_PART_BYTES: Final = 4 * 1024**2
"""Bytes of an incomplete message part at most, if the socket is empty."""

OVERHEAD_BYTES: Final = 64 * 1024
"""Bytes from one peer that belong to no message: greeting, keys, heartbeats."""

OVERHEAD_BYTES_PER_SECOND: Final = 100
"""Further such bytes for each second of the connection."""

TCP_COUNTS: Final = struct.Struct("=QQ")
TCP_COUNTS_OFFSET: Final = 120
"""Offset of bytes_acked and bytes_received in the tcp_info of Linux 4.1 and later."""

LINGER_NOTHING: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: unsent bytes are discarded, and closing resets the connection."""

ATTACH_FILTER, DETACH_FILTER = 26, 27
"""SO_ATTACH_FILTER and SO_DETACH_FILTER of Linux."""

DROP_ALL: Final = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0), 8)
"""A packet filter of one instruction, which accepts no packet."""

NO_ADDRESS: Final = struct.pack("=H14x", sockets.AF_UNSPEC)
"""Address for connect(2) by which Linux resets a TCP connection and drops what was not read of it."""

LIBC: Final = ctypes.PyDLL(None)
"""Calls without giving the interpreter up: each time another thread could keep it for half a millisecond."""

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

EAGER_BYTES: Final = 16 * 1024
"""Unhandled bytes of a peer without a valid token that are as usual: its first message, or a few."""

BURST_SECONDS: Final = 10
"""Seconds' worth of new connections that may come at once: after a restart all clients reconnect."""

RESET_COST: Final = 60
"""New connections that a reset connection counts for in addition: well-behaved peers are reset seldom."""

MOST_BLOCKED_SECONDS: Final = 15
"""Seconds for which new connections are blocked at most: strangers must not lock clients out."""


class Bounds(NamedTuple):
    """Limits of one connection, and of all connections of a socket together."""

    unhandled: int = 8 * 1024**2
    """Unhandled bytes from one peer; beyond it the peer is reset."""
    left: int = 4 * 1024**2
    """Unhandled bytes from peers that have left; beyond it they are dropped."""
    departed: int = 128
    """Peers that have left with messages unhandled; beyond it new connections are reset.

    ZeroMQ reads from each in turn, so each of them delays all others, however small its messages are.
    """
    unhandled_in_all: int = 64 * 1024**2
    """Unhandled bytes from all peers. If peers that have left hold half of it, new connections are reset.

    Peers without a whole message may hold a quarter of it.
    """
    strangers: int = 4 * 1024**2
    """Unhandled bytes from all peers that have sent messages and no valid token so far.

    They may be tens of thousands of messages; beyond it those with most are reset.
    """
    eager_strangers: int = 64
    """Peers without a valid token so far that have more than EAGER_BYTES unhandled; more are reset."""
    unread: int = 16 * 1024**2
    """Unread bytes of replies to one peer; beyond it its requests are refused.

    Beyond twice as much it is reset: the largest reply takes as much.
    """
    unread_in_all: int = 128 * 1024**2
    """Unread bytes of replies to all peers; beyond it those with most are reset."""
    newcomers: int = 200
    """New connections per second, ten seconds' worth at once; one that is reset counts as sixty more."""
    wasted: int = 1024**2
    """Bytes of an unauthenticated peer that were dropped unread; beyond it the peer is reset."""
    connections: int = 64
    """A further connection replaces the one that was silent for longest, peers without a message first."""


BOUNDS: Final = Bounds()


class AcceptLimiter:
    """Blocks new connections of a socket for a moment if too many arrive, or many that have to be reset.

    Meanwhile the kernel drops their first packets: peers send them again after a second, and cost nothing.
    Established connections notice nothing. The limiter of a socket file never blocks.
    """

    def __init__(self, endpoint: str, rate: float, now: float) -> None:
        """`rate` is new connections per second in the long run."""
        port = endpoint.rpartition(":")[2]
        self._listener = listener_at(int(port)) if port.isdecimal() else None
        self._rate = rate
        self._spent_until = now
        self.is_blocking = False

    def charge(self, newcomers: int, now: float) -> None:
        """Count new connections, or one that costs as much as so many."""
        spent_until = max(self._spent_until, now) + newcomers / self._rate
        self._spent_until = min(spent_until, now + BURST_SECONDS + MOST_BLOCKED_SECONDS)
        self.update(now)

    def update(self, now: float) -> None:
        """Start or stop blocking, as the count demands."""
        is_due = self._spent_until - now > BURST_SECONDS
        if self._listener is not None and is_due != self.is_blocking:
            program = struct.pack("HP", 1, ctypes.addressof(DROP_ALL))
            option, value = (ATTACH_FILTER, program) if is_due else (DETACH_FILTER, bytes(4))
            with contextlib.suppress(OSError):  # the kernel has no filters, or the socket is closed
                self._listener.setsockopt(sockets.SOL_SOCKET, option, value)
                self.is_blocking = is_due

    def close(self) -> None:
        """Close the descriptor."""
        if self._listener is not None:
            self._listener.close()


def listener_at(port: int) -> sockets.socket | None:
    """Return this process's socket that listens at the port, with a new descriptor; None if there is none."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # not a socket, or closed meanwhile
            # Descriptors of others are never closed: closing one would release the locks of its file.
            found = sockets.socket(fileno=int(entry.name))
            try:
                listens = found.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN)
                if listens and found.getsockname()[1:2] == (port,):
                    return found.dup()
            finally:
                found.detach()
    return None


class ResidentMemory:
    """The resident memory of this process: it grows with what has come, though no message is whole yet."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/statm", os.O_RDONLY)
        self._before = self._pages()

    def mark(self) -> None:
        """Measure growth from now on."""
        self._before = self._pages()

    def has_grown(self, size: int) -> bool:
        """Return whether there are more than `size` bytes more than at the mark."""
        return (self._pages() - self._before) * PAGE_BYTES > size

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._file)

    def _pages(self) -> int:
        return int(os.pread(self._file, 64, 0).split()[1])


class Tally:
    """Counts of one peer's bytes: the socket's owner counts, the watching thread enforces limits."""

    __slots__ = (
        "address",
        "deferred",
        "descriptor",
        "handled",
        "is_cut",
        "is_full",
        "is_gone",
        "is_known",
        "key",
        "routing_id",
        "sent",
        "wasted",
    )

    def __init__(
        self, routing_id: bytes, descriptor: int, address: str | None = None, key: str | None = None
    ) -> None:
        self.routing_id = routing_id
        self.descriptor = descriptor
        self.address = address
        """The peer's IP address; None for a socket file."""
        self.key = key
        """The peer's CURVE key, by its owner's name if the server has a list; None without CURVE."""
        self.handled = 0
        self.sent = 0
        self.wasted = 0
        """Bytes of an unauthenticated peer that were dropped unread."""
        self.is_cut = False
        """Whether its remaining messages may be dropped unread."""
        self.is_gone = False
        """Whether it has disconnected, so that no reply can reach it."""
        self.is_known = False
        """Whether a valid token has come from it."""
        self.deferred = 0
        """Its messages that wait behind others' (`DeferredFrames`)."""
        self.is_full = False
        """Whether it has so many unread replies that no more should be made."""


class Connection:
    """One connection, through a descriptor of its own, which stays readable after ZeroMQ closes its own."""

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
        """Raises OSError if it is closed already or no descriptor is free."""
        self._socket = sockets.socket(fileno=os.dup(descriptor))
        self._overhead = self._uncounted_sent = self._total_before = 0
        self._is_greeted = False
        self.descriptor = descriptor
        self.is_tcp = self._socket.family != sockets.AF_UNIX
        """The kernel counts no bytes of a socket file."""
        self.accepted_at = self.last_received = now
        self.total = 0
        """Bytes received from the peer in all."""
        self.taken = 0
        """Bytes sent to the peer that it has acknowledged."""
        self.is_cut = False
        self.absences = 0
        """How many times the socket was empty since the peer left."""
        self.tally: Tally | None = None

    @property
    def is_stranger(self) -> bool:
        """Whether no valid token has come from the peer so far."""
        return self.tally is None or not self.tally.is_known

    def read_counts(self, now: float) -> int:
        """Read the kernel's counts; return the bytes received since the last call."""
        if not self.is_tcp or self.is_cut:
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
        """Bytes received from the peer that are not handled yet."""
        left = self.total - self._overhead
        if self.tally is not None:
            left -= self.tally.handled
        return left if left > 0 else 0

    @property
    def unread(self) -> int:
        """Bytes sent to the peer and not acknowledged; 0 for a socket file, which counts none."""
        if not self.is_tcp:
            return 0
        sent = self._uncounted_sent + (0 if self.tally is None else self.tally.sent)
        if self.taken > sent:  # greetings and heartbeats, which are not counted
            self._uncounted_sent += self.taken - sent
            return 0
        return sent - self.taken

    def bind(self, tally: Tally) -> Tally | None:
        """Count messages in `tally` from now on; return the tally used before."""
        former, self.tally = self.tally, tally
        tally.is_cut, tally.is_gone = self.is_cut, self._socket.fileno() < 0
        if former is not None:
            self._overhead += former.handled
            self._uncounted_sent += former.sent
        return former

    def excuse(self, now: float) -> None:
        """Count what is left as overhead: the socket was empty, so it is no whole message."""
        left = self._total_before - self._handled - self._overhead
        most = (
            OVERHEAD_BYTES
            + int(OVERHEAD_BYTES_PER_SECOND * (now - self.accepted_at))
            - self._overhead
        )
        self._overhead += max(0, min(left, max(left - MAX_PART_BYTES, most)))
        self._total_before = self.total

    def is_foreign(self, now: float) -> bool:
        """Return whether the peer speaks another protocol than ZMTP 3, or did not begin in time."""
        if self._is_greeted:
            return False
        self._is_greeted = not self.is_tcp or self.taken >= GREETING_BYTES
        return not self._is_greeted and now - self.accepted_at > HANDSHAKE_SECONDS

    def discard_input(self) -> None:
        """Drop everything received from the peer that is not handled yet."""
        self.is_cut = True
        if self.tally is not None:
            self.tally.is_cut = True

    def cut(self) -> None:
        """Reset the connection: data on its way to or from the peer is lost, and ZeroMQ closes its side."""
        if not (self.is_tcp and self._disconnect()):
            with contextlib.suppress(OSError):  # it is closed already
                self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, LINGER_NOTHING)
                self._socket.shutdown(sockets.SHUT_RDWR)
        self.discard_input()

    def _disconnect(self) -> bool:
        """Drop what the kernel has received and ZeroMQ not read, which it would read to the end otherwise."""
        descriptor, unread = self._socket.fileno(), ctypes.c_int()
        LIBC.ioctl(descriptor, termios.FIONREAD, ctypes.byref(unread))
        if LIBC.connect(descriptor, NO_ADDRESS, len(NO_ADDRESS)) != 0:
            return False
        self.total -= unread.value
        return True

    def leave(self) -> None:
        """Note that the peer has left, and close the descriptor."""
        if self.tally is not None:
            self.tally.is_gone = True
        self.close()

    def close(self) -> None:
        """Close the descriptor, after ZeroMQ has closed its own."""
        self._socket.close()

    @property
    def _handled(self) -> int:
        return 0 if self.tally is None else self.tally.handled
