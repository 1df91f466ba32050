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
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog
import zmq

from transport.connection import (
    BOUNDS,
    EAGER_BYTES,
    AcceptLimiter,
    Bounds,
    Connection,
    ResidentMemory,
    Tally,
)
from transport.departed import DepartedPeers, Resets

log = structlog.get_logger()

EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED
EVENT: Final = struct.Struct("=Hi")

BUSY_INTERVAL_SECONDS: Final = 0.02
"""Seconds between two checks of the connections under load."""

IDLE_INTERVAL_SECONDS: Final = 0.2
"""Seconds between two checks with next to no load."""

BUSY_BYTES: Final = 64 * 1024
"""Bytes received since the last check, unhandled or unread, from which on there is load."""

LOOK_INTERVAL_SECONDS: Final = 0.01
"""Seconds between two looks at the process's memory while there are peers without a valid token."""

SHARE: Final = 20
"""Checks take one part in so many of a processor's time, unless there are too many connections."""

RUSH_BYTES: Final = 1024**2
"""Bytes received since the last check from which on they may take RUSH_SHARE: memory is being filled."""

RUSH_INTERVAL_SECONDS: Final = 0.005
"""Seconds between two checks while memory is being filled."""

RUSH_SHARE: Final = 4
"""SHARE while memory is being filled."""

CLOSE_SECONDS: Final = 2.0
"""Seconds for which closing waits for the thread."""


class Load(NamedTuple):
    """What one check has seen, in bytes."""

    received: int
    """From all peers since the last check."""
    held: int
    """Unhandled or unread, of all peers."""


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
        self._socket = socket
        self._bounds = bounds
        self._clock = clock
        self._added: deque[Tally] = deque()
        self._live: dict[int, Connection] = {}
        self._emptied_before = 0
        self._is_closing = False
        self._next_check = 0.0
        self._earliest_check = 0.0
        """The earliest time of the next check, whatever the load."""
        self._rush_check = 0.0
        """The earliest time of the next check if memory is being filled."""
        self._memory = ResidentMemory()
        """Its growth since the last check: peers that only begin messages show nowhere else."""
        self._has_strangers = False
        """Whether there may be peers without a valid token, which may fill memory."""
        self._idle: deque[None] = deque()  # one element while the thread waits and wants a wakeup
        self._wakeup_reader, self._wakeup_writer = sockets.socketpair()
        self._wakeup_writer.setblocking(False)
        self.accept_limiter = AcceptLimiter(
            socket.getsockopt_string(zmq.LAST_ENDPOINT), bounds.newcomers, clock()
        )
        self._resets = Resets(self.accept_limiter, clock)
        self.cut = self._resets.counts
        """Number of connections reset, by reason."""
        self._departed = DepartedPeers(bounds, self._resets)
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
        if self._has_strangers:
            pause = min(pause, LOOK_INTERVAL_SECONDS)
        ready = dict(poller.poll(int(pause * 1000) + 1))
        self._idle.clear()
        if self._wakeup_reader.fileno() in ready:
            self._wakeup_reader.recv(64)
            self._next_check = min(self._next_check, self._earliest_check)
        if self._has_strangers and self._memory.has_grown(RUSH_BYTES):
            self._next_check = min(self._next_check, self._rush_check)

    def _try_check(self, now: float) -> None:
        try:
            if now >= self._next_check:
                began = time.thread_time()  # other threads' time does not count
                load = self._check(now)
                self._plan_next(now, load, time.thread_time() - began)
            else:
                self._follow_events(now)
        except zmq.ZMQError:
            raise
        except Exception as error:  # ZeroMQ waits for this thread to read its events: go on
            log.error("connection check failed", exc_info=error)
            self._next_check = now + IDLE_INTERVAL_SECONDS

    def _plan_next(self, now: float, load: Load, took: float) -> None:
        self._earliest_check = now + shortest_pause(load, took)
        self._rush_check = now + max(RUSH_INTERVAL_SECONDS, RUSH_SHARE * took)
        is_busy = self.accept_limiter.is_blocking or load.received + load.held > BUSY_BYTES
        self._next_check = self._earliest_check if is_busy else now + IDLE_INTERVAL_SECONDS

    def _check(self, now: float) -> Load:
        """Enforce the limits on every connection; return the load."""
        emptied = self.emptied
        self._memory.mark()
        added = [self._added.popleft() for _ in range(len(self._added))]
        self._follow_events(now)  # the events of the peers added are queued by now
        received = sum([each.read_counts(now) for each in self._live.values()])
        for tally in added:
            self._bind(tally)
        if emptied >= self._emptied_before + 2:  # one of the two began after the last check
            self._emptied_before = self.emptied
            self._excuse(now)
        self._departed.drop_handled(self.gone)
        held = self._bound(now)
        self.accept_limiter.update(now)
        self._resets.report(now)
        return Load(received, held)

    def _end(self) -> None:
        self._memory.close()
        for connection in self._live.values():
            connection.close()
        self._departed.close()
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
            self._has_strangers = True
        except OSError:  # it is closed already
            return
        if self._departed.holds_too_much:
            self._resets.cut(connection, "peers that have left hold too much")
        elif len(self._live) > self._bounds.connections:
            most_silent = min(
                self._open(), key=lambda each: (each.tally is not None, each.last_received)
            )
            self._resets.cut(most_silent, "there were too many")

    def _on_disconnected(self, descriptor: int) -> None:
        connection = self._live.pop(descriptor, None)
        if connection is not None:
            connection.read_counts(connection.last_received)
            connection.leave()
            self._departed.add(connection)

    def _bind(self, tally: Tally) -> None:
        """Assign a tally to the connection of its first message: the oldest without a tally."""
        same = self._departed.of_descriptor(tally.descriptor)
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
        self._departed.excuse()

    # Bounds

    def _open(self) -> list[Connection]:
        return [each for each in self._live.values() if not each.is_cut]

    def _bound(self, now: float) -> int:
        """Enforce the limits on all open connections; return the bytes that they and departed peers hold.

        One loop, in which a connection that holds nothing costs least: how long it takes decides how much
        can come before the next check.
        """
        bounds, unhandled, unread, strangers = self._bounds, {}, {}, 0
        for connection in self._open():
            if waiting := connection.unhandled:
                unhandled[connection] = waiting
            if waiting := connection.unread:
                unread[connection] = waiting
            tally = connection.tally
            if tally is None or not tally.is_known:
                strangers += 1
            if tally is not None:
                tally.is_full = waiting > bounds.unread
            if tally is not None and tally.wasted > bounds.wasted:
                self._resets.cut(connection, "they sent much that is dropped unread")
            elif connection.is_foreign(now):
                self._resets.cut(connection, "they did not speak ZMTP 3")
        self._has_strangers = strangers > 0
        return self._bound_unhandled(unhandled) + self._enforce(
            unread, 2 * bounds.unread, bounds.unread_in_all, "they did not read their replies"
        )

    def _bound_unhandled(self, held: dict[Connection, int]) -> int:
        bounds = self._bounds
        room = max(bounds.unhandled_in_all // 2, bounds.unhandled_in_all - self._departed.left_over)
        reason = "they sent too much at once"
        begun = {each: size for each, size in held.items() if each.tally is None}
        self._enforce(begun, bounds.unhandled, bounds.unhandled_in_all // 4, reason)
        strangers = {each: size for each, size in held.items() if each.is_stranger}
        senders = {each: size for each, size in strangers.items() if each.tally is not None}
        self._enforce(senders, bounds.unhandled, bounds.strangers, reason)
        eager = {each: 1 for each, size in strangers.items() if size > EAGER_BYTES}
        self._enforce(eager, 1, bounds.eager_strangers, "too many strangers sent much at once")
        return self._departed.left_over + self._enforce(held, bounds.unhandled, room, reason)

    def _enforce(self, held: dict[Connection, int], each_most: int, most: int, reason: str) -> int:
        """Reset connections beyond their limit, then those with most until all together keep theirs."""
        held = {each: size for each, size in held.items() if not each.is_cut}
        total = sum(held.values())
        for connection in sorted(held, key=held.__getitem__, reverse=True):
            if held[connection] <= each_most and total <= most:
                break
            total -= held[connection]
            self._resets.cut(connection, reason)
        return total


def shortest_pause(load: Load, took: float) -> float:
    """Return the seconds to the next check at the earliest, after one that took so much processor time."""
    if load.received > RUSH_BYTES:
        pause = max(RUSH_INTERVAL_SECONDS, RUSH_SHARE * took)
    else:
        pause = max(BUSY_INTERVAL_SECONDS, SHARE * took)
    return min(pause, IDLE_INTERVAL_SECONDS)
