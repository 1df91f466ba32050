"""Messages of a server's socket: those read that wait behind others, and replies on their way out."""

from __future__ import annotations

from collections import deque
from typing import Final, final

import zmq
from msgspec import Struct

from transport.connection import Tally

HEAVY_BYTES: Final = 8 * 1024
"""Bytes of a body after which all frames of its connection in the batch wait behind those of others."""

MAX_STRANGERS: Final = 4
"""Deferred frames of strangers in one batch: handling each takes about as long as reading fifty."""

MAX_STRANGERS_BYTES: Final = 64 * 1024
"""Bytes of deferred frames after which a batch takes no more of them."""

MAX_DEFERRED: Final = 4096
"""Frames that are deferred at once; further ones are dropped."""

MAX_DEFERRED_BYTES: Final = 8 * 1024**2
"""Bytes of all deferred frames, which count for no connection any more."""


MAX_UNSENT: Final = 1000
"""Replies queued for one peer that does not read; further ones are dropped and counted."""

NOBLOCK: Final = int(zmq.NOBLOCK)
SNDMORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)
"""Plain numbers: joining members of an enumeration would cost time for every message."""


@final
class Frame(Struct, frozen=True):
    """The parts of one message from the network; the first is the connection's routing id."""

    parts: list[bytes]
    """At most MAX_PARTS: of a longer message the first ones and the last."""
    is_late: bool = False
    """Whether the sender has left, so that no reply can reach it."""
    is_deferred: bool = False
    """Whether the message had to wait: a valid token in it makes its connection known."""


class DeferredFrames:
    """Frames of strangers: connections on which no valid token has come so far.

    ZeroMQ reads one message of each connection in turn. If all were handled in that order, a message would
    wait until one of every stranger's was handled: 40 ms beside 400 of them. So theirs wait here, in order,
    behind all others, and a few are handled in each batch. All frames of a connection that becomes known
    stay in order: it is deferred until none of its frames waits.
    """

    def __init__(self) -> None:
        self._frames: deque[tuple[Tally, list[bytes]]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, tally: Tally, parts: list[bytes]) -> bool:
        """Append a message; return False if there is no room for it."""
        size = sum(map(len, parts))
        if len(self._frames) >= MAX_DEFERRED or self._bytes + size > MAX_DEFERRED_BYTES:
            return False
        self._frames.append((tally, parts))
        self._bytes += size
        tally.deferred += 1
        return True

    def take(self, most: int, most_strangers: int = MAX_STRANGERS) -> list[Frame]:
        """Remove and return the oldest: at most `most`, and `most_strangers` of them strangers' still.

        Those of connections that were reset meanwhile are dropped.
        """
        taken: list[Frame] = []
        strangers = weight = 0
        while self._frames and len(taken) < most:
            if strangers >= most_strangers or weight >= MAX_STRANGERS_BYTES:
                break
            tally, parts = self._frames.popleft()
            size = sum(map(len, parts))
            self._bytes -= size
            tally.deferred -= 1
            if tally.is_cut:
                continue
            strangers += not tally.is_known
            weight += size
            taken.append(Frame(parts, tally.is_gone, is_deferred=True))
        return taken


def in_turn(frames: list[Frame]) -> list[Frame]:
    """Return one frame of each connection, then a second of each, and so on; each one's own stay in order.

    Connections that sent a heavy body, or had to wait, come behind all others.
    """
    if len({frame.parts[0] for frame in frames}) < 2:  # as under the load of one client
        return frames
    last = {
        frame.parts[0]
        for frame in frames
        if frame.is_deferred or len(frame.parts[-1]) > HEAVY_BYTES
    }
    counts: dict[bytes, int] = {}
    ranks: list[tuple[bool, int]] = []
    for frame in frames:
        sender = frame.parts[0]
        counts[sender] = count = counts.get(sender, 0) + 1
        ranks.append((sender in last, count))
    return [frames[at] for at in sorted(range(len(frames)), key=ranks.__getitem__)]


class Counters:
    """Counts of what the socket could not deliver or read; other threads may read them."""

    def __init__(self) -> None:
        self.unroutable = 0
        """Replies whose peer had disconnected."""
        self.overflowed = 0
        """Replies dropped because their peer did not read."""
        self.undecodable = 0
        """Messages dropped because no id could be read."""


class OutgoingReplies:
    """Sends without waiting. Replies to slow peers are queued; those to lost peers are counted."""

    def __init__(self, socket: zmq.Socket[bytes], counters: Counters) -> None:
        # The compiled method: the one in Python around it takes as long again, for sockets of another kind.
        self._send_part = super(zmq.Socket, socket).send
        self._counters = counters
        self._queues: dict[bytes, deque[list[bytes]]] = {}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def __bool__(self) -> bool:
        return bool(self._queues)

    def send(self, message: list[bytes]) -> None:
        """Send the parts of a message, of which the first is the routing id; or queue it."""
        queue = self._queues.get(message[0])
        if queue is None:
            if not self._try_send(message):
                self._queues[message[0]] = deque([message])
        elif len(queue) < MAX_UNSENT:
            queue.append(message)
        else:
            self._counters.overflowed += 1

    def flush(self) -> None:
        """Send of what is queued as much as its peers take now."""
        for routing_id, queue in list(self._queues.items()):
            while queue and self._try_send(queue[0]):
                queue.popleft()
            if not queue:
                del self._queues[routing_id]

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
            self._counters.unroutable += 1
        return True
