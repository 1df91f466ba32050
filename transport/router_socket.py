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
from typing import Any, NamedTuple

import zmq

from transport.connection import Tally
from transport.connections import BOUNDS, Bounds, Connections

MAX_FRAMES = 256
"""Frames taken from the socket at a time, so that messages from inside are not kept waiting."""

TURN_SECONDS = 0.01
"""Of the owner's processor time that one turn should take at the most; past it fewer frames are taken."""

MIN_FRAMES = 32
"""Frames taken at a time, however much each of them takes."""

MAX_BYTES = 256 * 1024
"""Bytes of bodies after which no further frame is taken at a time: a few milliseconds of reading them."""

HEAVY_BYTES = 8 * 1024
"""A body longer than this waits, with all that its connection sends, behind what others sent."""

MAX_PARTS = 4
"""Parts kept of one message: an envelope has three at the most, so that one more tells it is none."""

MAX_UNSENT = 1000
"""Replies kept for one peer that does not read; further ones are dropped and counted."""

FRAME_OVERHEAD = 2
"""Bytes that a part takes on its way besides its own, at least."""

RETRY_MS = 5
"""How soon a peer whose queue was full is tried again, in milliseconds."""

NOBLOCK = int(zmq.NOBLOCK)
SNDMORE = int(zmq.NOBLOCK | zmq.SNDMORE)
"""Plain numbers: each message would pay for joining members of an enumeration anew."""


class Frame(NamedTuple):
    """One message from the network, cut at its frames; the first is the connection's routing id."""

    parts: list[bytes]
    """At most MAX_PARTS; of a message with more, the first ones and the very last."""
    is_late: bool = False
    """Whether its sender has left, so that no reply gets there."""


class Counters:
    """What the socket could not do for somebody; read by whoever shows figures."""

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
        self._inside: deque[Any] = deque()
        self._read: list[Frame] = []  # frames that are read and not yet taken
        self._max_frames = MAX_FRAMES
        self._turn_started = float("inf")  # thread time at which the last turn began
        self._asleep: deque[None] = deque()  # one element while the owner waits and wants a wakeup
        self._unsent: dict[bytes, deque[list[bytes]]] = {}
        self.connections = Connections(socket, bounds)
        self._tallies: dict[bytes, Tally] = {}
        self._wakeup_reader, self._wakeup_writer = sockets.socketpair()
        self._wakeup_reader.setblocking(False)
        self._wakeup_writer.setblocking(False)
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._wakeup_reader, zmq.POLLIN)

    def __len__(self) -> int:
        return len(self._inside)

    def append(self, message: Any) -> None:
        """Leave a message from inside; from any thread."""
        self._inside.append(message)
        self.wake()

    def wake(self) -> None:
        """Wake the owner if it sleeps; from any thread."""
        try:
            self._asleep.pop()
        except IndexError:
            return
        with contextlib.suppress(OSError):  # closed in between: there is nobody left to wake
            self._wakeup_writer.send(b"\0")

    def receive_batch(self) -> list[Any]:
        """Wait for mail, then bring messages from inside first, then frames; at least one of them."""
        self._adapt()
        while True:
            self._send_unsent()
            frames = self._frames()  # looked at first: if it raises, what is inside stays there
            mail = [*self._messages(), *frames]
            if mail:
                self._turn_started = time.thread_time()
                return mail
            self._wait()

    def send(self, routing_id: bytes, parts: list[bytes]) -> None:
        """Send without waiting; a peer that does not read gets a queue, a peer that is gone is counted."""
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
        return sum(len(queue) for queue in self._unsent.values())

    def drain(self, timeout_ms: int) -> None:
        """Give peers up to `timeout_ms` to take what waits for them; nothing is read any more."""
        deadline = time.monotonic() + timeout_ms / 1000
        self._send_unsent()
        while self._unsent and time.monotonic() < deadline:
            zmq.zmq_poll([], RETRY_MS)  # there is no event for a peer that begins to read
            self._send_unsent()

    def close(self) -> None:
        """Close the socket, letting ZeroMQ deliver what it has taken (the socket's LINGER)."""
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
                frame = self._receive()
                weight += len(frame.parts[-1])
                tally = self._tallies[frame.parts[0]]
                if not tally.is_cut:
                    self._read.append(Frame(frame.parts, True) if tally.is_gone else frame)
                if weight >= MAX_BYTES:
                    break
            self.connections.check_soon()
        except zmq.Again:
            self.connections.emptied += 1
        except BaseException:  # out of memory, say: what was read before waits for the next take
            self._skip_rest()
            raise
        frames, self._read = self._read, []
        return frames if weight <= HEAVY_BYTES else light_first(frames)

    def _adapt(self) -> None:
        """Others' messages wait for the turn's end: where each frame takes long, a turn has fewer."""
        if time.thread_time() - self._turn_started > TURN_SECONDS:
            self._max_frames = max(MIN_FRAMES, self._max_frames // 2)
        elif self._max_frames < MAX_FRAMES:
            self._max_frames = min(MAX_FRAMES, self._max_frames + MIN_FRAMES)

    def _receive(self) -> Frame:
        """One message; a million parts of one pass through here without being kept."""
        receive = self._socket.recv
        routing_id = receive(NOBLOCK)
        part = receive(NOBLOCK, copy=False)  # a routing id is not the last part of anything
        tally = self._tallies.get(routing_id) or self._start_tally(routing_id, part)
        body = part.bytes
        tally.handled += len(body) + FRAME_OVERHEAD
        parts = [routing_id, body]
        while part.more:
            part = receive(NOBLOCK, copy=False)
            body = part.bytes
            tally.handled += len(body) + FRAME_OVERHEAD
            if len(parts) < MAX_PARTS:
                parts.append(body)
            else:
                parts[-1] = body
        return Frame(parts)

    def _start_tally(self, routing_id: bytes, part: zmq.Frame) -> Tally:
        """Begin to count for a peer: only what it sends says which connection it is on."""
        try:
            descriptor = int(part.get(zmq.SRCFD))
        except zmq.ZMQError:  # from a socket of this process
            descriptor = -1
        tally = self._tallies[routing_id] = Tally(routing_id, descriptor)
        self.connections.add(tally)
        return tally

    def _drop_closed(self) -> None:
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

    def _wait(self) -> None:
        self._asleep.append(None)
        if self._inside:  # left between the last look and lying down: no wakeup comes for it
            self._asleep.clear()
            return
        self._before_sleep()
        ready = self._poller.poll(RETRY_MS if self._unsent else None)
        self._asleep.clear()
        self._after_sleep()
        if any(source == self._wakeup_reader.fileno() for source, _ in ready):
            self._wakeup_reader.recv(64)

    def _try_send(self, message: list[bytes]) -> bool:
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
            self.counters.unroutable += 1
        return True

    def _send_unsent(self) -> None:
        for routing_id, queue in list(self._unsent.items()):
            while queue and self._try_send(queue[0]):
                queue.popleft()
            if not queue:
                del self._unsent[routing_id]


def light_first(frames: list[Frame]) -> list[Frame]:
    """Those of connections that sent nothing heavy before all of those that did; each one's in order."""
    heavy = {frame.parts[0] for frame in frames if len(frame.parts[-1]) > HEAVY_BYTES}
    return sorted(frames, key=lambda frame: frame.parts[0] in heavy)
