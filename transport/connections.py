"""The connections of a server's socket: those that hold too much of its memory are cut off.

ZeroMQ bounds queues in messages, and where it stops to read from a peer whose queue is full, a reset of that
peer can end the process: an assertion of libzmq 4.3.5, with heartbeats of either side. So a server's sockets
read whatever comes, and a thread for each socket counts bytes: those that came from a peer and are not
handled yet, and those of replies that it does not read. It learns of connections from ZeroMQ's monitor, of
bytes from the kernel, and of what is handled and sent from the socket's owner. A connection that is past a
bound is reset, which ZeroMQ takes for the peer's own doing; others notice nothing.
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
"""Between two looks at the connections while something is under way."""

IDLE_INTERVAL_SECONDS: Final = 0.2
"""Between two looks while next to nothing is."""

BUSY_BYTES: Final = 64 * 1024
"""Come since the last look, or not handled or not read: from there on something is under way."""

SHARE: Final = 20
"""Looking takes one part in so many of a processor's time, where there are few enough connections."""

FORGETTABLE: Final = 1024
"""Bytes of a peer that left before its first message was taken, at most, for it to be forgotten at once."""

REPORT_SECONDS: Final = 10.0
"""Between two lines in the log about connections that were cut off."""

CLOSE_SECONDS: Final = 2.0
"""How long closing waits for the thread."""


class Bounds(NamedTuple):
    """Of one connection, and of all of a socket together."""

    unhandled: int = 8 * 1024**2
    """Bytes that came from one peer and are not handled; past it the peer is cut off."""
    left: int = 4 * 1024**2
    """Bytes that peers who have left are not there to get replies to; past it they are thrown away."""
    departed: int = 128
    """Peers that have left and have left something to handle; past it newcomers are cut off.

    ZeroMQ takes from each in turn, so that each of them delays all others, however small its messages are.
    """
    unhandled_in_all: int = 64 * 1024**2
    """From half of it on that is of peers that have left, newcomers are cut off; the rest is the others'.

    Those without a whole message have a quarter of it.
    """
    unread: int = 16 * 1024**2
    """Bytes of replies that one peer has not read; past it its requests are refused.

    Past twice as much it is cut off: the largest reply takes as much.
    """
    unread_in_all: int = 128 * 1024**2
    """Past it those with most are cut off."""
    newcomers: int = 200
    """Connections a second, ten seconds' at once; one that is cut off counts as sixty more."""
    wasted: int = 1024**2
    """Bytes of a stranger that nobody reads, since strangers have had their time; past it it is cut off."""
    connections: int = 64
    """A further one takes the place of the one that was silent for longest, peers without a message first."""


BOUNDS: Final = Bounds()


class Connections:
    """Watches a socket's. All methods are for the socket's owner; the rest happens in a thread of its own."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        bounds: Bounds = BOUNDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Before any peer has come. The thread ends with the socket."""
        self.emptied = 0
        """How many times the socket was found empty; its owner counts."""
        self.gone: deque[Tally] = deque()
        """Of peers that have left and of whom nothing is left to handle; its owner takes them out."""
        self.cut: Counter[str] = Counter()
        """How many were cut off, by the reason."""
        self._socket = socket
        self._bounds = bounds
        self._clock = clock
        self._added: deque[Tally] = deque()
        self._live: dict[int, Connection] = {}
        self._departed: list[Connection] = []
        self._left_over = 0
        """Bytes of those, when they were looked at."""
        self._leavers = 0
        """How many had left some, then: others are here only until the next look."""
        self._emptied_before = 0
        self._is_closing = False
        self._next_check = 0.0
        self._earliest_check = 0.0
        """When the next look may be, however much comes."""
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
        """Of a peer whose first message has come."""
        self._added.append(tally)

    def check_soon(self) -> None:
        """Much is coming: have a look now, if the next one is some time off."""
        try:
            self._idle.pop()
        except IndexError:
            return
        with contextlib.suppress(OSError):
            self._wakeup_writer.send(b"\0")

    def close(self) -> None:
        """End the thread; before the socket is closed."""
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
                began = time.thread_time()  # what others compute meanwhile does not count
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
        except Exception as error:  # ZeroMQ waits for this thread to take its events: go on
            log.error("connections could not be looked at", exc_info=error)
            self._next_check = now + IDLE_INTERVAL_SECONDS

    def _check(self, now: float) -> bool:
        """At each connection, whether it keeps within bounds; gives whether much is under way."""
        emptied = self.emptied
        added = [self._added.popleft() for _ in range(len(self._added))]
        self._follow_events(now)  # the events of peers added are there by now
        come = sum(each.read_counts(now) for each in self._live.values())
        for tally in added:
            self._bind(tally)
        if (
            emptied >= self._emptied_before + 2
        ):  # so that one of the times began after the last look
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
        self._next_check = min(self._next_check, self._earliest_check)  # it may bring much
        try:
            connection = self._live[descriptor] = Connection(descriptor, now)
        except OSError:  # it has gone again
            return
        if self._is_much_left():
            self._cut(connection, "much is left to do of peers that have left")
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
        """To the connection that its first message came on: it is the oldest that is not bound yet."""
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
        """Forget those who have left and of whom everything is handled."""
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
        """Cut off those past their bound, and those with most until all are within theirs."""
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
                self._cut(connection, "they sent much that nobody reads")

    def _discard_input(self, connection: Connection) -> None:
        if not connection.is_cut:
            self.cut["they left much to do behind"] += 1
            connection.discard_input()

    def _cut(self, connection: Connection, reason: str) -> None:
        self.cut[reason] += 1
        self.accept_limiter.charge(RESET_COST, self._clock())
        connection.cut()

    def _report(self, now: float) -> None:
        """One line for many, or a peer that fills memory would fill the log instead."""
        new = self.cut.total() - self._reported.total()
        if new and now >= self._report_due:
            reasons = dict(self.cut - self._reported)
            log.warning("connections were cut off", connections=new, reasons=reasons)
            self._reported, self._report_due = self.cut.copy(), now + REPORT_SECONDS
