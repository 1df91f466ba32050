"""A ROUTER socket as the mailbox of an actor: frames from the network and messages from inside, one queue.

Only the owner's thread may touch the socket. Other threads append to a deque and ring a bell that the
owner's poll also listens to, once for each time it sleeps.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import zmq

from transport.connection import Tally
from transport.connections import BOUNDS, Bounds, Connections

MOST_FRAMES = 256
"""Frames taken from the socket at a time, so that messages from inside are not kept waiting."""

TURN_SECONDS = 0.01
"""Of the owner's processor time that one turn should take at the most; past it fewer frames are taken."""

LEAST_FRAMES = 32
"""Frames taken at a time, however much each of them takes."""

MOST_BYTES = 256 * 1024
"""Bytes of bodies after which no further frame is taken at a time: a few milliseconds of reading them."""

HEAVY_BYTES = 8 * 1024
"""A body longer than this waits, with all that its connection sends, behind what others sent."""

MOST_PARTS = 4
"""Parts kept of one message: an envelope has three at the most, so that one more tells it is none."""

OUTBOX = 1000
"""Replies kept for one peer that does not read; further ones are dropped and counted."""

ABOUT = 2
"""Bytes that a part takes on its way besides its own, at least."""

RETRY_MS = 5
"""How soon a peer whose queue was full is tried again, in milliseconds."""

NOBLOCK = int(zmq.NOBLOCK)
SNDMORE = int(zmq.NOBLOCK | zmq.SNDMORE)
"""Plain numbers: each message would pay for joining members of an enumeration anew."""


class Frame(NamedTuple):
    """One message from the network, cut at its frames; the first is the connection's routing id."""

    parts: list[bytes]
    """At most MOST_PARTS; of a message with more, the first ones and the very last."""
    is_late: bool = False
    """Whether its sender has left, so that no reply gets there."""


class Counters:
    """What the socket could not do for somebody; read by whoever shows figures."""

    def __init__(self) -> None:
        self.gone = 0
        """Replies whose peer had disconnected."""
        self.overflowed = 0
        """Replies dropped because their peer did not read."""
        self.undecodable = 0
        """Messages dropped because no id could be read."""


class SocketMailbox:
    """The network side of a mailbox. All methods but `append` and `ring` are for the owner's thread."""

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
        self._inside: deque[Any] = deque()
        self._read: list[Frame] = []  # frames that are read and not yet taken
        self._most = MOST_FRAMES
        self._began = float("inf")  # thread time at which the last turn began
        self._asleep: deque[None] = deque()  # one element while the owner sleeps and wants the bell
        self._outboxes: dict[bytes, deque[list[bytes]]] = {}
        self.connections = Connections(socket, bounds)
        self._tallies: dict[bytes, Tally] = {}
        self._bell, self._ringer = sockets.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._bell, zmq.POLLIN)

    def __len__(self) -> int:
        return len(self._inside)

    def append(self, message: Any) -> None:
        """Leave a message from inside; from any thread."""
        self._inside.append(message)
        self.ring()

    def ring(self) -> None:
        """Wake the owner if it sleeps; from any thread."""
        try:
            self._asleep.pop()
        except IndexError:
            return
        with contextlib.suppress(OSError):  # closed in between: there is nobody left to wake
            self._ringer.send(b"\0")

    def take(self) -> list[Any]:
        """Wait for mail, then bring messages from inside first, then frames; at least one of them."""
        self._adapt()
        while True:
            self._flush()
            frames = self._frames()  # looked at first: if it raises, what is inside stays there
            mail = [*self._messages(), *frames]
            if mail:
                self._began = time.thread_time()
                return mail
            self._sleep()

    def send(self, routing_id: bytes, parts: list[bytes]) -> None:
        """Send without waiting; a peer that does not read gets an outbox, a peer that is gone is counted."""
        tally = self._tallies.get(routing_id)
        if tally is not None:
            tally.sent += len(parts[-1])
        outbox = self._outboxes.get(routing_id)
        message = [routing_id, *parts]
        if outbox is None:
            if not self._try(message):
                self._outboxes[routing_id] = deque([message])
        elif len(outbox) < OUTBOX:
            outbox.append(message)
        else:
            self.counters.overflowed += 1

    def is_full(self, routing_id: bytes) -> bool:
        """Whether a peer has so many replies to read that no more should be made for it."""
        tally = self._tallies.get(routing_id)
        return tally is not None and tally.is_full

    def waste(self, routing_id: bytes, size: int) -> None:
        """Count bytes of a stranger's that were not worth being read."""
        tally = self._tallies.get(routing_id)
        if tally is not None:
            tally.wasted += size

    @property
    def unsent(self) -> int:
        """Replies that wait for their peers to read."""
        return sum(len(outbox) for outbox in self._outboxes.values())

    def drain(self, timeout_ms: int) -> None:
        """Give peers up to `timeout_ms` to take what waits for them; nothing is read any more."""
        deadline = time.monotonic() + timeout_ms / 1000
        self._flush()
        while self._outboxes and time.monotonic() < deadline:
            zmq.zmq_poll([], RETRY_MS)  # there is no event for a peer that begins to read
            self._flush()

    def close(self) -> None:
        """Close the socket, letting ZeroMQ deliver what it has taken (the socket's LINGER)."""
        self.connections.close()
        self._socket.close()
        self._bell.close()
        self._ringer.close()

    def _messages(self) -> list[Any]:
        inside = self._inside
        return [inside.popleft() for _ in range(len(inside))]

    def _frames(self) -> list[Frame]:
        self._forget()
        weight = 0
        try:
            for _ in range(self._most - len(self._read)):
                frame = self._receive()
                weight += len(frame.parts[-1])
                tally = self._tallies[frame.parts[0]]
                if not tally.is_cut:
                    self._read.append(Frame(frame.parts, True) if tally.is_gone else frame)
                if weight >= MOST_BYTES:
                    break
            self.connections.hurry()
        except zmq.Again:
            self.connections.emptied += 1
        except BaseException:  # out of memory, say: what was read before waits for the next take
            self._skip_rest()
            raise
        frames, self._read = self._read, []
        return frames if weight <= HEAVY_BYTES else light_first(frames)

    def _adapt(self) -> None:
        """Others' messages wait for the turn's end: where each frame takes long, a turn has fewer."""
        if time.thread_time() - self._began > TURN_SECONDS:
            self._most = max(LEAST_FRAMES, self._most // 2)
        elif self._most < MOST_FRAMES:
            self._most = min(MOST_FRAMES, self._most + LEAST_FRAMES)

    def _receive(self) -> Frame:
        """One message; a million parts of one pass through here without being kept."""
        receive = self._socket.recv
        routing_id = receive(NOBLOCK)
        part = receive(NOBLOCK, copy=False)  # a routing id is not the last part of anything
        tally = self._tallies.get(routing_id) or self._first(routing_id, part)
        body = part.bytes
        tally.handled += len(body) + ABOUT
        parts = [routing_id, body]
        while part.more:
            part = receive(NOBLOCK, copy=False)
            body = part.bytes
            tally.handled += len(body) + ABOUT
            if len(parts) < MOST_PARTS:
                parts.append(body)
            else:
                parts[-1] = body
        return Frame(parts)

    def _first(self, routing_id: bytes, part: zmq.Frame) -> Tally:
        """Begin to count for a peer: only what it sends says which connection it is on."""
        try:
            descriptor = int(part.get(zmq.SRCFD))
        except zmq.ZMQError:  # from a socket of this process
            descriptor = -1
        tally = self._tallies[routing_id] = Tally(routing_id, descriptor)
        self.connections.introduce(tally)
        return tally

    def _forget(self) -> None:
        gone = self.connections.gone
        while gone:
            tally = gone.popleft()
            if self._tallies.get(tally.routing_id) is tally:
                del self._tallies[tally.routing_id]

    def _skip_rest(self) -> None:
        """Leave a message that was read in part, or its next part would pass for a routing id."""
        nothing = bytearray()
        while self._socket.getsockopt(zmq.RCVMORE):
            self._socket.recv_into(nothing)

    def _sleep(self) -> None:
        self._asleep.append(None)
        if self._inside:  # left between the last look and lying down: nobody will ring for it
            self._asleep.clear()
            return
        self._before_sleep()
        ready = self._poller.poll(RETRY_MS if self._outboxes else None)
        self._asleep.clear()
        self._after_sleep()
        if any(source == self._bell.fileno() for source, _ in ready):
            self._bell.recv(64)

    def _try(self, message: list[bytes]) -> bool:
        """True where the message needs no more attention: sent, or its peer is gone."""
        try:
            send = self._socket.send
            for part in message[:-1]:
                send(part, SNDMORE)
            send(message[-1], NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counters.gone += 1
        return True

    def _flush(self) -> None:
        for routing_id, outbox in list(self._outboxes.items()):
            while outbox and self._try(outbox[0]):
                outbox.popleft()
            if not outbox:
                del self._outboxes[routing_id]


def light_first(frames: list[Frame]) -> list[Frame]:
    """Those of connections that sent nothing heavy before all of those that did; each one's in order."""
    heavy = {frame.parts[0] for frame in frames if len(frame.parts[-1]) > HEAVY_BYTES}
    return sorted(frames, key=lambda frame: frame.parts[0] in heavy)
