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
from transport.frames import HEAVY_BYTES, DeferredFrames, Frame, light_first

MAX_FRAMES = 256
"""Frames read from the socket in one batch, so that messages from inside do not wait."""

TURN_SECONDS = 0.01
"""Seconds of the owner's processor time for one turn; if it takes longer, batches become smaller."""

MIN_FRAMES = 32
"""Frames in one batch, however long each takes."""

MAX_BYTES = 256 * 1024
"""Bytes of bodies after which a batch ends: reading them takes a few milliseconds."""

MAX_PARTS = 4
"""Parts kept of one message: an envelope has three at most, so a fourth shows that it is none."""

MAX_DROPPED = 64
"""Messages dropped unread, in some 0.2 ms, after which a batch ends and the owner pauses."""

PAUSE_SECONDS = 5e-5
"""Seconds of that pause: a waiting thread needs about as long to wake up."""

MAX_UNSENT = 1000
"""Replies queued for one peer that does not read; further ones are dropped and counted."""

FRAME_OVERHEAD = 2
"""Bytes that ZMTP adds to each part, at least."""

RETRY_MS = 5
"""Milliseconds after which a peer whose queue was full is tried again."""

NOBLOCK = int(zmq.NOBLOCK)
SNDMORE = int(zmq.NOBLOCK | zmq.SNDMORE)
"""Plain numbers: joining members of an enumeration would cost time for every message."""


class Counters:
    """Counts of what the socket could not deliver or read; other threads may read them."""

    def __init__(self) -> None:
        self.unroutable = 0
        """Replies whose peer had disconnected."""
        self.overflowed = 0
        """Replies dropped because their peer did not read."""
        self.undecodable = 0
        """Messages dropped because no id could be read."""


class RouterSocket:
    """The network side of a mailbox. All methods but `append` and `wake` are for the owner's thread."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        before_sleep: Callable[[], None] = lambda: None,
        after_sleep: Callable[[], None] = lambda: None,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._before_sleep = before_sleep
        self._after_sleep = after_sleep
        self.counters = Counters()
        self._socket = socket
        # The compiled method: the one in Python around it takes as long again, for sockets of another kind.
        self._send_part = super(zmq.Socket, socket).send
        self._inside: deque[Any] = deque()
        self._read: list[Frame] = []  # frames that are read and not yet taken
        self._deferred = DeferredFrames()
        self._max_frames = MAX_FRAMES
        self._silence: SimpleQueue[None] = (
            SimpleQueue()
        )  # never filled: waits less than poll's 1 ms
        self._dropped = 0  # messages dropped unread since the last pause
        self.turn_seconds = TURN_SECONDS
        """Processor time of one turn, in seconds; its owner may shorten turns for a while."""
        self._turn_started = float("inf")  # thread time at which the last turn began
        self._asleep: deque[None] = deque()  # one element while the owner waits and wants a wakeup
        self._unsent: dict[bytes, deque[list[bytes]]] = {}
        self.connections = Connections(socket, bounds)
        self._tallies: dict[bytes, Tally] = {}
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
        self._adapt()
        while True:
            self._pause()
            self._send_unsent()
            frames = self._frames()  # read first: if it raises, messages from inside stay queued
            mail = [*self._messages(), *frames]
            if mail:
                self._turn_started = time.thread_time()
                return mail
            self._wait()

    def send(self, routing_id: bytes, parts: list[bytes]) -> None:
        """Send without waiting. Replies to slow peers are queued; those to lost peers are counted."""
        tally = self._tallies.get(routing_id)
        if tally is not None:
            tally.sent += len(parts[-1])
        queue = self._unsent.get(routing_id)
        message = [routing_id, *parts]
        if queue is None:
            if not self._try_send(message):
                self._unsent[routing_id] = deque([message])
        elif len(queue) < MAX_UNSENT:
            queue.append(message)
        else:
            self.counters.overflowed += 1

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
        return sum(len(queue) for queue in self._unsent.values())

    def drain(self, timeout_ms: int) -> None:
        """Give peers up to `timeout_ms` to read their queued replies; nothing is received meanwhile."""
        deadline = time.monotonic() + timeout_ms / 1000
        self._send_unsent()
        while self._unsent and time.monotonic() < deadline:
            zmq.zmq_poll([], RETRY_MS)  # there is no event for a peer that begins to read
            self._send_unsent()

    def close(self) -> None:
        """Close the socket; ZeroMQ delivers what it has taken for up to the socket's LINGER."""
        self.connections.close()
        self._socket.close()
        self._wakeup_reader.close()
        self._wakeup_writer.close()

    def _messages(self) -> list[Any]:
        inside = self._inside
        return [inside.popleft() for _ in range(len(inside))]

    def _frames(self) -> list[Frame]:
        self._drop_closed()
        weight = 0
        try:
            for _ in range(self._max_frames - len(self._read)):
                weight += self._receive()
                if weight >= MAX_BYTES or self._dropped >= MAX_DROPPED:
                    break
            self.connections.check_soon()
        except zmq.Again:
            self.connections.emptied += 1
        except (
            BaseException
        ):  # out of memory, for example: frames already read wait for the next batch
            self._skip_rest()
            raise
        frames, self._read = self._read, []
        if weight > HEAVY_BYTES:
            frames = light_first(frames)
        return frames + self._deferred.take(MAX_FRAMES) if self._deferred else frames

    def _adapt(self) -> None:
        """Halve the batch if the last turn took too long, because other messages wait until a turn ends."""
        if time.thread_time() - self._turn_started > self.turn_seconds:
            self._max_frames = max(MIN_FRAMES, self._max_frames // 2)
        elif self._max_frames < MAX_FRAMES:
            self._max_frames = min(MAX_FRAMES, self._max_frames + MIN_FRAMES)

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
        receive = self._socket.recv
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

    def _drop_closed(self) -> None:
        gone = self.connections.gone
        while gone:
            tally = gone.popleft()
            if self._tallies.get(tally.routing_id) is tally:
                del self._tallies[tally.routing_id]

    def _skip_rest(self) -> None:
        """Skip the rest of a message that was read in part: its next part would pass for a routing id."""
        nothing = bytearray()
        while self._socket.getsockopt(zmq.RCVMORE):
            self._socket.recv_into(nothing)

    def _wait(self) -> None:
        self._asleep.append(None)
        if self._inside:  # appended since the last look: no wakeup comes for it
            self._asleep.clear()
            return
        self._before_sleep()
        ready = self._poller.poll(RETRY_MS if self._unsent else None)
        self._asleep.clear()
        self._after_sleep()
        if any(source == self._wakeup_reader.fileno() for source, _ in ready):
            self._wakeup_reader.recv(64)

    def _try_send(self, message: list[bytes]) -> bool:
        """Send a message; return whether it is done with: sent, or its peer gone."""
        try:
            send = self._send_part
            for part in message[:-1]:
                send(part, SNDMORE)
            send(message[-1], NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counters.unroutable += 1
        return True

    def _send_unsent(self) -> None:
        for routing_id, queue in list(self._unsent.items()):
            while queue and self._try_send(queue[0]):
                queue.popleft()
            if not queue:
                del self._unsent[routing_id]


def property_of(part: zmq.Frame, name: str) -> str | None:
    """Return a property of the connection that a part came on; None if the connection has none."""
    try:
        return str(part.get(name)) or None
    except zmq.ZMQError:
        return None
