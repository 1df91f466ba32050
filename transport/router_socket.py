"""A ROUTER socket as the mailbox of an actor: frames from the network and messages from inside, one queue.

Only the owner's thread may touch the socket. Other threads append to a deque and write to a
socket that the owner polls too, once for each time it waits.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import zmq

from transport.connection import BOUNDS, Bounds, Tally
from transport.connections import Connections
from transport.frames import (
    HEAVY_BYTES,
    MAX_STRANGERS,
    NOBLOCK,
    Counters,
    DeferredFrames,
    Frame,
    OutgoingReplies,
    in_turn,
)

MAX_FRAMES = 256
"""Frames read from the socket in one batch, so that messages from inside do not wait."""

MIN_FRAMES = 16
"""Frames in one batch, however few of them a turn has time for."""

MAX_BYTES = 256 * 1024
"""Bytes of bodies after which a batch ends: reading them takes a few milliseconds."""

MAX_PARTS = 4
"""Parts kept of one message: an envelope has three at most, so a fourth shows that it is none."""

MAX_DROPPED = 64
"""Messages dropped unread, in some 0.2 ms, after which a batch ends and the owner pauses."""

PAUSE_SECONDS = 5e-5
"""Seconds of that pause: a waiting thread needs about as long to wake up."""

FRAME_OVERHEAD = 2
"""Bytes that ZMTP adds to each part, at least."""

RETRY_MS = 5
"""Milliseconds after which a peer whose queue was full is tried again."""


class RouterSocket:
    """The network side of a mailbox. All methods but `append` and `wake` are for the owner's thread."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        before_sleep: Callable[[], None] = lambda: None,
        after_sleep: Callable[[], None] = lambda: None,
        bounds: Bounds = BOUNDS,
        between_batches: Callable[[], None] = lambda: None,
    ) -> None:
        self._before_sleep = before_sleep
        self._after_sleep = after_sleep
        self._between_batches = between_batches
        self.counters = Counters()
        self._socket = socket
        self._receive_part = socket.recv  # looking it up takes as long as a tenth of receiving
        self._outgoing = OutgoingReplies(socket, self.counters)
        self._inside: deque[Any] = deque()
        self._read: list[Frame] = []  # frames that are read and not yet taken, or were put back
        self._most, self._taken = MAX_FRAMES, 0  # frames of the next batch, and of the last one
        self._deferred = DeferredFrames()
        self._silence: SimpleQueue[None] = (
            SimpleQueue()
        )  # never filled: waits less than poll's 1 ms
        self._dropped = 0  # messages dropped unread since the last pause
        self._asleep: deque[None] = deque()  # one element while the owner waits and wants a wakeup
        self.connections = Connections(socket, bounds)
        self._tallies: dict[bytes, Tally] = {}
        self.is_hurried = False
        """Whether others shall compute between two batches; the owner sets it."""
        self.has_keys = False
        """Whether any peer has come with a CURVE key."""
        self._wakeup_reader, self._wakeup_writer = sockets.socketpair()
        self._wakeup_reader.setblocking(False)
        self._wakeup_writer.setblocking(False)
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._wakeup_reader, zmq.POLLIN)

    def __len__(self) -> int:
        return len(self._inside)

    def append(self, message: Any) -> None:
        """Append a message from inside; any thread may call this."""
        self._inside.append(message)
        self.wake()

    def wake(self) -> None:
        """Wake the owner if it waits; any thread may call this."""
        try:
            self._asleep.pop()
        except IndexError:
            return
        with contextlib.suppress(OSError):  # closed meanwhile: no owner is left to wake
            self._wakeup_writer.send(b"\0")

    def receive_batch(self) -> list[Any]:
        """Wait for messages; return those from inside first, then frames, at least one in all."""
        while True:
            if self.is_hurried or self._dropped >= MAX_DROPPED:
                self._between_batches()
            self._pause()
            self._outgoing.flush()
            emptied = self.connections.emptied
            frames = self._frames()  # read first: if it raises, messages from inside stay queued
            inside = self._inside
            mail = [*(inside.popleft() for _ in range(len(inside))), *frames]
            if mail:
                return mail
            if self.connections.emptied > emptied:
                self._wait()

    def put_back(self, frames: list[Frame]) -> None:
        """Take back frames of the last batch, in their order, that its turn had no time for.

        The next batches have fewer.
        """
        self._read[:0] = frames
        self._most = max(MIN_FRAMES, self._taken - len(frames))

    def send(self, routing_id: bytes, parts: list[bytes]) -> None:
        """Send without waiting. Replies to slow peers are queued; those to lost peers are counted."""
        tally = self._tallies.get(routing_id)
        if tally is not None:
            tally.sent += len(parts[-1])
        self._outgoing.send([routing_id, *parts])

    def is_full(self, routing_id: bytes) -> bool:
        """Return whether a peer has so many unread replies that no more should be made for it."""
        tally = self._tallies.get(routing_id)
        return tally is not None and tally.is_full

    def trust(self, routing_id: bytes) -> None:
        """Count a peer as known, because a valid token came from it: its messages are deferred no longer."""
        tally = self._tallies.get(routing_id)
        if tally is not None:
            tally.is_known = True

    def waste(self, routing_id: bytes, size: int) -> None:
        """Count a message of an unauthenticated peer that is dropped unread, of so many bytes."""
        self._dropped += 1
        tally = self._tallies.get(routing_id)
        if tally is not None:
            tally.wasted += size

    def peer_of(self, routing_id: bytes) -> tuple[str | None, str | None]:
        """Return the IP address and the CURVE key of a peer; None for what it has not, or if it is gone."""
        tally = self._tallies.get(routing_id)
        return (None, None) if tally is None else (tally.address, tally.key)

    @property
    def unsent(self) -> int:
        """Replies queued for peers that do not read."""
        return len(self._outgoing)

    def drain(self, timeout_ms: int) -> None:
        """Give peers up to `timeout_ms` to read their queued replies; nothing is received meanwhile."""
        deadline = time.monotonic() + timeout_ms / 1000
        self._outgoing.flush()
        while self._outgoing and time.monotonic() < deadline:
            zmq.zmq_poll([], RETRY_MS)  # there is no event for a peer that begins to read
            self._outgoing.flush()

    def close(self) -> None:
        """Close the socket; ZeroMQ delivers what it has taken for up to the socket's LINGER."""
        self.connections.close()
        self._socket.close()
        self._wakeup_reader.close()
        self._wakeup_writer.close()

    def _frames(self) -> list[Frame]:
        drop_closed(self._tallies, self.connections.gone)
        left, weight = len(self._read), 0
        try:
            if left:
                weight = sum([len(frame.parts[-1]) for frame in self._read])
                self._socket.getsockopt(zmq.EVENTS)  # or it looks for peers after 100 messages only
            else:
                self._most = min(2 * self._most, MAX_FRAMES)
            for _ in range(min(max(self._most - left, self._most // 2), MAX_FRAMES - left)):
                weight += self._receive()
                if weight >= MAX_BYTES or self._dropped >= MAX_DROPPED:
                    break
            self.connections.check_soon()
        except zmq.Again:
            self.connections.emptied += 1
        except (
            BaseException
        ):  # out of memory, for example: frames already read wait for the next batch
            skip_rest(self._socket)
            raise
        frames, self._read = self._read, []
        self._taken = len(frames)
        if self._deferred and not any(frame.is_deferred for frame in frames):
            is_dropping = self._dropped >= MAX_DROPPED
            frames += self._deferred.take(MAX_FRAMES, 1 if is_dropping else MAX_STRANGERS)
        return in_turn(frames) if left or weight > HEAVY_BYTES else frames

    def _pause(self) -> None:
        """Let other threads run after many messages were dropped.

        Receiving releases the interpreter for less time than a waiting thread needs to wake up: it would run
        only once in a switch interval.
        """
        if self._dropped >= MAX_DROPPED:
            self._dropped = 0
            with contextlib.suppress(Empty):
                self._silence.get(timeout=PAUSE_SECONDS)

    def _receive(self) -> int:
        """Receive one message, and keep it if its connection is not cut; return the bytes of its last part.

        Of a million parts only MAX_PARTS are kept.
        """
        receive = self._receive_part
        routing_id = receive(NOBLOCK)
        part = receive(NOBLOCK, False)  # a routing id is not the last part of anything
        tally = self._tallies.get(routing_id) or self._start_tally(routing_id, part)
        body = part.bytes
        tally.handled += len(body) + FRAME_OVERHEAD
        parts = [routing_id, body]
        while part.more:
            part = receive(NOBLOCK, False)
            body = part.bytes
            tally.handled += len(body) + FRAME_OVERHEAD
            if len(parts) < MAX_PARTS:
                parts.append(body)
            else:
                parts[-1] = body
        if tally.is_known and not (tally.is_cut or tally.deferred):
            self._read.append(Frame(parts, tally.is_gone))
        else:
            self._defer(tally, parts)
        return len(body)

    def _defer(self, tally: Tally, parts: list[bytes]) -> None:
        """Put a message behind others; drop it if its connection is cut, or if too many wait."""
        if tally.is_cut:
            self._dropped += 1
        elif not self._deferred.add(tally, parts):
            self.waste(parts[0], len(parts[-1]))

    def _start_tally(self, routing_id: bytes, part: zmq.Frame) -> Tally:
        """Start counting for a peer: only its first message shows which connection it uses."""
        try:
            descriptor = int(part.get(zmq.SRCFD))
        except zmq.ZMQError:  # from a socket of this process
            descriptor = -1
        address, key = property_of(part, "Peer-Address"), property_of(part, "User-Id")
        tally = self._tallies[routing_id] = Tally(routing_id, descriptor, address, key)
        self.has_keys = self.has_keys or key is not None
        self.connections.add(tally)
        return tally

    def _wait(self) -> None:
        self._asleep.append(None)
        if self._inside:  # appended since the last look: no wakeup comes for it
            self._asleep.clear()
            return
        self._before_sleep()
        ready = self._poller.poll(RETRY_MS if self._outgoing else None)
        self._asleep.clear()
        self._after_sleep()
        if any(source == self._wakeup_reader.fileno() for source, _ in ready):
            self._wakeup_reader.recv(64)


def drop_closed(tallies: dict[bytes, Tally], gone: deque[Tally]) -> None:
    """Remove the tallies of peers that have left, unless a peer with the same routing id has come since."""
    while gone:
        tally = gone.popleft()
        if tallies.get(tally.routing_id) is tally:
            del tallies[tally.routing_id]


def skip_rest(socket: zmq.Socket[bytes]) -> None:
    """Skip the rest of a message that was read in part: its next part would pass for a routing id."""
    nothing = bytearray()
    while socket.getsockopt(zmq.RCVMORE):
        socket.recv_into(nothing)


def property_of(part: zmq.Frame, name: str) -> str | None:
    """Return a property of the connection that a part came on; None if the connection has none."""
    try:
        return str(part.get(name)) or None
    except zmq.ZMQError:
        return None
