"""Load over ZeroMQ: one DEALER, msgpack bodies packed beforehand, replies read afterwards."""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice

import msgpack
import zmq

from scripts.benchmark.load import IN_FLIGHT, PATIENCE, Answer, LoadFailed, LoadResult, due_times
from scripts.benchmark.plan import Call

NUMBER_DIGITS = 6
"""The last hexadecimal digits of an id are its number in the sequence (calls.py)."""


class ZeromqClient:
    """Drives a peer that speaks the message API."""

    def __init__(self, endpoint: str, tokens: Mapping[str, str]) -> None:
        self.tokens = tokens
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE * 1000))
        self.socket.setsockopt(zmq.SNDTIMEO, int(PATIENCE * 1000))
        self.socket.connect(endpoint)

    def pack(self, call: Call) -> bytes:
        """The call as a body of the message API."""
        return packed(call, self.tokens[call.tenant])

    def drive(self, bodies: Sequence[bytes], seconds: float) -> LoadResult:
        """Send for so many seconds or until none is left, and await the rest."""
        began, sent, arrived, replies = self._exchange(bodies, seconds)
        answers = [read(reply, at) for reply, at in zip(replies, arrived, strict=True)]
        return LoadResult(began, sent, answers)

    def drive_at(self, bodies: Sequence[bytes], pace: float) -> LoadResult:
        """Send all when they are due, and await the rest."""
        clock, descriptor = time.perf_counter, int(self.socket.get(zmq.FD))
        found: list[tuple[bytes, float]] = []
        began = last = clock()
        due = due_times(began, len(bodies), pace)
        number = 0
        while len(found) < len(bodies):
            while number < len(bodies) and due[number] <= clock():
                self.socket.send(bodies[number])
                number += 1
            if self._take(found):  # its descriptor is ready once for all that has come until then
                last = clock()
                continue
            if clock() - last > PATIENCE:
                raise LoadFailed(f"no reply for {PATIENCE:.0f} s: the server hangs or drops")
            wait = due[number] - clock() if number < len(bodies) else PATIENCE
            select.select([descriptor], [], [], max(0.0, wait))
        return LoadResult(began, due, [read(*each) for each in found])

    def _take(self, found: list[tuple[bytes, float]]) -> bool:
        """Take what has arrived; return whether anything has."""
        before = len(found)
        with suppress(zmq.Again):
            while True:
                found.append((self.socket.recv(zmq.NOBLOCK), time.perf_counter()))
        return len(found) > before

    def echo(self, bodies: Sequence[bytes], seconds: float) -> LoadResult:
        """Drive a server that sends requests back; answers are taken in their order of arrival."""
        began, sent, arrived, _ = self._exchange(bodies, seconds)
        return LoadResult(began, sent, [Answer(n, at, "", {}) for n, at in enumerate(arrived)])

    def _exchange(
        self, bodies: Sequence[bytes], seconds: float
    ) -> tuple[float, list[float], list[float], list[bytes]]:
        """The timed part and nothing but it: for each message a receive, a clock and a send."""
        send, receive, clock = self.socket.send, self._receive, time.perf_counter
        sent: list[float] = []
        arrived: list[float] = []
        replies: list[bytes] = []
        waiting = iter(bodies)
        began = clock()
        until = began + seconds
        for body in islice(waiting, IN_FLIGHT):
            sent.append(clock())
            send(body)
        for body in waiting:
            replies.append(receive())
            now = clock()
            arrived.append(now)
            if now >= until:
                break
            sent.append(now)
            send(body)
        while len(replies) < len(sent):
            replies.append(receive())
            arrived.append(clock())
        return began, sent, arrived, replies

    def _receive(self) -> bytes:
        try:
            return self.socket.recv()
        except zmq.Again:
            raise LoadFailed(f"no reply for {PATIENCE:.0f} s: the server hangs or drops") from None

    def close(self) -> None:
        """Let go of the socket."""
        self.socket.close()


def packed(call: Call, token: str) -> bytes:
    """A request of the message API as msgpack."""
    body: bytes = msgpack.packb({"v": 1, **call._asdict(), "token": token})
    return body


def read(reply: bytes, at: float) -> Answer:
    """A reply as the message API words it."""
    body = msgpack.unpackb(reply)
    if body["ok"] is True:
        return Answer(int(body["id"][-NUMBER_DIGITS:], 16), at, "", body["result"])
    error = body["error"]
    return Answer(
        int(body["id"][-NUMBER_DIGITS:], 16), at, f"{error['code']}: {error['message']}", {}
    )
