"""The connections of a server's socket: those that hold too much of its memory are reset.

ZeroMQ limits queues in messages. If it stops reading from a peer whose queue is full, a reset by that peer
can end the process: an assertion of libzmq 4.3.5, with heartbeats of either side. So a server's sockets read
everything that arrives, and one thread for each socket counts bytes: those received from a peer and not
handled yet, and those of replies that it does not read. ZeroMQ's monitor reports connections, the kernel
counts bytes, and the socket's owner counts what it handles and sends. A connection that exceeds a limit is
reset, which ZeroMQ takes for the peer's own reset; other connections are not affected.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog
import zmq

from transport.connection import RESET_COST, AcceptLimiter, Connection, Tally

log = structlog.get_logger()

EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED
EVENT: Final = struct.Struct("=Hi")

BUSY_INTERVAL_SECONDS: Final = 0.02
"""Seconds between two checks of the connections under load."""

IDLE_INTERVAL_SECONDS: Final = 0.2
"""Seconds between two checks with next to no load."""

BUSY_BYTES: Final = 64 * 1024
"""Bytes received since the last check, unhandled or unread, from which on there is load."""

SHARE: Final = 20
"""Checks take one part in so many of a processor's time, unless there are too many connections."""

FORGETTABLE: Final = 1024
"""Bytes at most of a peer that left before its first message was read, to be forgotten at once."""

REPORT_SECONDS: Final = 10.0
"""Seconds between two log lines about connections that were reset."""

CLOSE_SECONDS: Final = 2.0
"""Seconds for which closing waits for the thread."""


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


class Connections:
    """Watches a socket's connections in a thread of its own. Only the socket's owner may call its methods."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        bounds: Bounds = BOUNDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create before any peer connects. The thread ends with the socket."""
        self.emptied = 0
        """How many times the socket was empty; its owner counts."""
        self.gone: deque[Tally] = deque()
        """Tallies of peers that have left with everything handled; the owner removes them."""
        self.cut: Counter[str] = Counter()
        """Number of connections reset, by reason."""
        self._socket = socket
        self._bounds = bounds
        self._clock = clock
        self._added: deque[Tally] = deque()
        self._live: dict[int, Connection] = {}
        self._departed: list[Connection] = []
        self._left_over = 0
        """Unhandled bytes of departed peers at the last check."""
        self._leavers = 0
        """Number of departed peers with unhandled bytes at the last check; others are dropped at the next."""
        self._emptied_before = 0
        self._is_closing = False
        self._next_check = 0.0
        self._earliest_check = 0.0
        """The earliest time of the next check, whatever the load."""
        self._reported: Counter[str] = Counter()
        self._report_due = 0.0
        self._idle: deque[None] = deque()  # one element while the thread waits and wants a wakeup
        self._wakeup_reader, self._wakeup_writer = sockets.socketpair()
        self._wakeup_writer.setblocking(False)
        self.accept_limiter = AcceptLimiter(
            socket.getsockopt_string(zmq.LAST_ENDPOINT), bounds.newcomers, clock()
        )
        self._monitor = socket.get_monitor_socket(EVENTS)
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)
        self._thread.start()

    def add(self, tally: Tally) -> None:
        """Add the tally of a peer whose first message has arrived."""
        self._added.append(tally)

    def check_soon(self) -> None:
        """Check now if the next check is some time off, because much arrives."""
        try:
            self._idle.pop()
        except IndexError:
            return
        with contextlib.suppress(OSError):
            self._wakeup_writer.send(b"\0")

    def close(self) -> None:
        """End the thread. Call before the socket is closed."""
        with contextlib.suppress(zmq.ZMQError):
            self._socket.disable_monitor()
        self._thread.join(CLOSE_SECONDS)
        self._wakeup_writer.close()

    # The thread

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._wakeup_reader, zmq.POLLIN)
        with contextlib.suppress(zmq.ZMQError):  # the context is gone
            while not self._is_closing:
                self._wait(poller)
                self._try_check(self._clock())
        self._end()

    def _wait(self, poller: zmq.Poller) -> None:
        pause = max(0.0, self._next_check - self._clock())
        if pause > BUSY_INTERVAL_SECONDS:
            self._idle.append(None)
        ready = dict(poller.poll(int(pause * 1000) + 1))
        self._idle.clear()
        if self._wakeup_reader.fileno() in ready:
            self._wakeup_reader.recv(64)
            self._next_check = min(self._next_check, self._earliest_check)

    def _try_check(self, now: float) -> None:
        try:
            if now >= self._next_check:
                began = time.thread_time()  # other threads' time does not count
                is_busy = self._check(now)
                took = SHARE * (time.thread_time() - began)
                self._earliest_check = now + min(
                    max(BUSY_INTERVAL_SECONDS, took), IDLE_INTERVAL_SECONDS
                )
                self._next_check = self._earliest_check if is_busy else now + IDLE_INTERVAL_SECONDS
            else:
                self._follow_events(now)
        except zmq.ZMQError:
            raise
        except Exception as error:  # ZeroMQ waits for this thread to read its events: go on
            log.error("connection check failed", exc_info=error)
            self._next_check = now + IDLE_INTERVAL_SECONDS

    def _check(self, now: float) -> bool:
        """Enforce the limits on every connection; return whether there is load."""
        emptied = self.emptied
        added = [self._added.popleft() for _ in range(len(self._added))]
        self._follow_events(now)  # the events of the peers added are queued by now
        come = sum(each.read_counts(now) for each in self._live.values())
        for tally in added:
            self._bind(tally)
        if emptied >= self._emptied_before + 2:  # one of the two began after the last check
            self._emptied_before = self.emptied
            self._excuse(now)
        self._drop_handled()
        held = self._bound_unhandled() + self._bound_unread()
        self._bound_foreign(now)
        self._bound_wasted()
        self.accept_limiter.update(now)
        self._report(now)
        return self.accept_limiter.is_blocking or come + held > BUSY_BYTES

    def _end(self) -> None:
        for connection in (*self._live.values(), *self._departed):
            connection.close()
        self.accept_limiter.close()
        self._monitor.close(linger=0)
        self._wakeup_reader.close()

    # Who comes and goes

    def _follow_events(self, now: float) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                kind, value = EVENT.unpack(self._monitor.recv_multipart(zmq.NOBLOCK)[0])
                if kind == zmq.EVENT_ACCEPTED:
                    self._on_accepted(value, now)
                elif kind == zmq.EVENT_DISCONNECTED:
                    self._on_disconnected(value)
                else:
                    self._is_closing = True

    def _on_accepted(self, descriptor: int, now: float) -> None:
        self._on_disconnected(descriptor)
        self.accept_limiter.charge(1, now)
        self._next_check = min(self._next_check, self._earliest_check)  # it may send much
        try:
            connection = self._live[descriptor] = Connection(descriptor, now)
        except OSError:  # it is closed already
            return
        if self._is_much_left():
            self._cut(connection, "peers that have left hold too much")
        elif len(self._live) > self._bounds.connections:
            most_silent = min(
                self._open(), key=lambda each: (each.tally is not None, each.last_received)
            )
            self._cut(most_silent, "there were too many")

    def _is_much_left(self) -> bool:
        bounds = self._bounds
        return 2 * self._left_over > bounds.unhandled_in_all or self._leavers > bounds.departed

    def _on_disconnected(self, descriptor: int) -> None:
        connection = self._live.pop(descriptor, None)
        if connection is not None:
            connection.read_counts(connection.last_received)
            connection.leave()
            if connection.tally is not None or connection.total > FORGETTABLE:
                self._departed.append(connection)

    def _bind(self, tally: Tally) -> None:
        """Assign a tally to the connection of its first message: the oldest without a tally."""
        same = [each for each in self._departed if each.descriptor == tally.descriptor]
        live = self._live.get(tally.descriptor)
        if live is not None:
            same.append(live)
        for connection in same:
            if connection.tally is None or connection is live:
                former = connection.bind(tally)
                break
        else:
            former = tally
        if former is not None:
            self.gone.append(former)

    def _excuse(self, now: float) -> None:
        for connection in self._live.values():
            connection.excuse(now)
        for connection in self._departed:
            connection.absences += 1

    def _drop_handled(self) -> None:
        """Drop peers that have left with everything handled; discard the rest beyond the limit."""
        left: list[Connection] = []
        for each in self._departed:
            if each.absences < 2 and each.unhandled > FORGETTABLE:
                left.append(each)
            elif each.tally is not None:
                self.gone.append(each.tally)
        self._departed, self._leavers = left, len(left)
        self._left_over = sum(each.unhandled for each in left)
        if self._left_over > self._bounds.left:
            for each in left:
                self._discard_input(each)

    # Bounds

    def _open(self) -> list[Connection]:
        return [each for each in self._live.values() if not each.is_cut]

    def _bound_unhandled(self) -> int:
        bounds = self._bounds
        room = max(bounds.unhandled_in_all // 2, bounds.unhandled_in_all - self._left_over)
        reason = "they sent too much at once"
        begun = {each: each.unhandled for each in self._open() if each.tally is None}
        self._enforce(begun, bounds.unhandled, bounds.unhandled_in_all // 4, reason)
        held = {each: each.unhandled for each in self._open()}
        return self._left_over + self._enforce(held, bounds.unhandled, room, reason)

    def _bound_unread(self) -> int:
        bounds = self._bounds
        held = {each: each.unread for each in self._open()}
        for connection, unread in held.items():
            if connection.tally is not None:
                connection.tally.is_full = unread > bounds.unread
        return self._enforce(
            held, 2 * bounds.unread, bounds.unread_in_all, "they did not read their replies"
        )

    def _enforce(self, held: dict[Connection, int], each_most: int, most: int, reason: str) -> int:
        """Reset connections beyond their limit, then those with most until all together keep theirs."""
        total = sum(held.values())
        for connection in sorted(held, key=held.__getitem__, reverse=True):
            if held[connection] <= each_most and total <= most:
                break
            total -= held[connection]
            self._cut(connection, reason)
        return total

    def _bound_foreign(self, now: float) -> None:
        for connection in self._open():
            if connection.is_foreign(now):
                self._cut(connection, "they did not speak ZMTP 3")

    def _bound_wasted(self) -> None:
        for connection in self._open():
            if connection.tally is not None and connection.tally.wasted > self._bounds.wasted:
                self._cut(connection, "they sent much that is dropped unread")

    def _discard_input(self, connection: Connection) -> None:
        if not connection.is_cut:
            self.cut["they left too much unhandled"] += 1
            self.accept_limiter.charge(RESET_COST, self._clock())
            connection.discard_input()

    def _cut(self, connection: Connection, reason: str) -> None:
        self.cut[reason] += 1
        self.accept_limiter.charge(RESET_COST, self._clock())
        connection.cut()

    def _report(self, now: float) -> None:
        """Log one line for many resets, or a peer that fills memory would fill the log instead."""
        new = self.cut.total() - self._reported.total()
        if new and now >= self._report_due:
            reasons = dict(self.cut - self._reported)
            log.warning("connections reset", connections=new, reasons=reasons)
            self._reported, self._report_due = self.cut.copy(), now + REPORT_SECONDS
