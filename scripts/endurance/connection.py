"""A connection for load: one DEALER, requests as plain calls, replies as plain maps, in any order."""

from __future__ import annotations

import select
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgpack
import zmq

from scripts.benchmark.plan import Call

Reply = Mapping[str, Any]

REPLY_SECONDS = 60.0
"""Seconds without any reply after which the server hangs: beyond its own deadline of 30 s."""
IN_FLIGHT = 128
"""Requests under way at once in an `exchange`."""
LAST_REPLY_SECONDS = 0.3
"""Seconds of silence after which a killed server has sent all that it will."""


class NoReply(Exception):
    """The server no longer answers, or its answer breaks every promise."""


class LoadConnection:
    """One client process's connection; a new one for each server process."""

    def __init__(self, endpoint: str, tokens: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # what is under way is the bound
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.connect(endpoint)

    def send(self, call: Call) -> None:
        """Send without waiting; a call with an empty tenant names none."""
        request = {"v": 1, **call._asdict(), "token": self._tokens[call.tenant]}
        request["tenant"] = call.tenant or None
        self._socket.send(msgpack.packb(request), zmq.NOBLOCK)

    def receive(self, seconds: float) -> Reply | None:
        """Return the next reply, or None after so many seconds, to within 0.1 ms; zmq's poll takes 1 ms."""
        until = time.perf_counter() + seconds
        while True:
            try:
                reply: Reply = msgpack.unpackb(self._socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                left = until - time.perf_counter()
                if left <= 0:
                    return None
                # The descriptor signals changes only: receiving until Again, as above, arms it.
                select.select([self._socket.fileno()], [], [], left)
            else:
                return reply

    def reply(self) -> Reply:
        """Return the next reply; NoReply if none comes."""
        found = self.receive(REPLY_SECONDS)
        if found is None:
            raise NoReply(
                f"the server has not answered anything for {REPLY_SECONDS:.0f} s: it hangs"
            )
        return found

    def rest(self) -> Iterator[Reply]:
        """Replies that were on their way when the server was killed."""
        while (reply := self.receive(LAST_REPLY_SECONDS)) is not None:
            yield reply

    def exchange(self, calls: Iterable[Call]) -> dict[str, Reply]:
        """Ask all, IN_FLIGHT at a time; the replies by id, refusals included. NoReply."""
        replies: dict[str, Reply] = {}
        asked = 0
        for asked, call in enumerate(calls, start=1):
            if asked - len(replies) > IN_FLIGHT:
                _put(replies, self.reply())
            self.send(call)
        while len(replies) < asked:
            _put(replies, self.reply())
        return replies

    def flow(self, calls: Iterator[Call], in_flight: int) -> Iterator[Reply]:
        """Keep so many of endless calls under way; each reply as it comes. NoReply."""
        for call in islice(calls, in_flight):
            self.send(call)
        for call in calls:
            yield self.reply()
            self.send(call)

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def _put(replies: dict[str, Reply], reply: Reply) -> None:
    if reply["id"] in replies:
        raise NoReply(f"the id {reply['id']} was answered twice")
    replies[reply["id"]] = reply


def problem(reply: Reply) -> str:
    """Return a reply's error in short; empty if it is ok."""
    return "" if reply["ok"] else f"{reply['error']['code']}: {reply['error']['message']}"


def code(reply: Reply) -> str:
    """`ok`, or the error's code."""
    return "ok" if reply["ok"] else str(reply["error"]["code"])
