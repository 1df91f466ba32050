"""Bytes that are almost requests: no crash, no defect, each id its own reply once, no memory that stays."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgpack
import zmq

from scripts.endurance.connection import REPLY_SECONDS, NoReply
from scripts.endurance.server import Installation
from scripts.endurance.verdict import Report

TENANT: Final = "acme"
IN_FLIGHT: Final = 256
"""Requests under way at once on one connection."""
SAMPLES: Final = 40
"""How often the server's memory is read."""
WARM_UP: Final = 200_000
"""Frames, a quarter of all at most, after which the server has all the memory that it needs."""
INTACT: Final = "f0"
"""How the ids begin that nothing is changed up to."""
MARK: Final = "f" + "0" * 15
"""In the place of an id: every one is as long."""
SHARE_INTACT: Final = 0.8
"""Of the frames: nothing is changed up to their id, which comes first, so that they have to be answered."""
INTERESTING: Final = bytes(
    (0x00, 0x7F, 0x80, 0x90, 0xA0, 0xC0, 0xC1, 0xC4, 0xCA, 0xCF, 0xD9, 0xDC, 0xDF, 0xFF)
)
"""Headers of msgpack, which mean most in a wrong place."""
PUNCTUATION: Final = b'{}[]",:\\ue-0. \n'
"""The same for JSON."""
JUNK: Final = (
    b"",
    b"{",
    b"{}",
    b"\x80",
    b"\xc1" * 9,
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff" * 300,
    b"[" * 999,
)


class Plan(NamedTuple):
    """How much, and what may stay."""

    frames: int
    connections: int
    seed: int
    growth: float


FULL: Final = Plan(frames=10_000_000, connections=8, seed=1, growth=2.0)
QUICK: Final = FULL._replace(frames=200_000, growth=20.0)

MEANINGS: Final = {
    "frames": "frames sent",
    "connections": "connections that they are sent on",
    "seed": "of the changes: the same one makes the same frames",
    "growth": "megabytes by which the server's memory may grow with a million frames",
}


class Template(NamedTuple):
    """A request that is right, its id first."""

    body: bytes
    at: int
    """Offset of the id."""


class Fuzzer:
    """Makes frames of templates, each with a number of its own."""

    def __init__(self, token: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._templates = list(templates(token))
        self._number = 0

    def frame(self) -> tuple[str | None, bytes]:
        """Return a body, and the id that its reply must have; None if that is open."""
        self._number += 1
        choose = self._random.random
        template = self._templates[int(choose() * len(self._templates))]
        if choose() < SHARE_INTACT:
            id_ = f"f{self._number:015x}"
            return id_, self._changed(template, id_, template.at + len(MARK) + 1)
        if choose() < 0.1:
            return None, JUNK[int(choose() * len(JUNK))]
        return None, self._changed(template, f"w{self._number + 2**59:015x}", 0)

    def _changed(self, template: Template, id_: str, first: int) -> bytes:
        """With up to three changes from that place on."""
        body = bytearray(template.body)
        body[template.at : template.at + len(MARK)] = id_.encode()
        choose = self._random.random
        odd = PUNCTUATION if body[0] == 0x7B else INTERESTING
        for _ in range(int(choose() * 4)):
            at = first + int(choose() * max(1, len(body) - first))
            self._change(body, at, int(choose() * 6), odd)
        return bytes(body)

    def _change(self, body: bytearray, at: int, kind: int, odd: bytes) -> None:
        choose = self._random.random
        if kind == 0:
            body[at : at + 1] = bytes((int(choose() * 256),))
        elif kind == 1:
            body[at : at + 1] = bytes((odd[int(choose() * len(odd))],))
        elif kind == 2:
            body[at:at] = bytes((odd[int(choose() * len(odd))],))
        elif kind == 3:
            del body[at : at + 1 + int(choose() * 8)]
        elif kind == 4:
            body[at:at] = body[at : at + int(choose() * 64)] * int(1 + choose() * 3)
        elif choose() < 0.2:
            del body[at:]

    def envelope(self, body: bytes) -> list[bytes]:
        """The frames of its message: one as a rule, as REQ has them now and then, and seldom others."""
        kind = self._random.random()
        if kind > 0.1:
            return [body]
        return [b"", body] if kind > 0.02 else [body[:9], b"", body]


class Connections:
    """The connections, and what has not been answered on them."""

    def __init__(self, endpoint: str, count: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = [self._connected(endpoint) for _ in range(count)]
        self.waiting: dict[str, bool] = {}
        """Ids that have no reply yet, and whether it will be JSON."""
        self.codes: Counter[str] = Counter()
        self.wrong: list[str] = []
        """What must not be, in words."""

    def send(self, number: int, id_: str | None, frames: list[bytes]) -> None:
        """On the connection that is the number's turn."""
        if id_ is not None:
            self.waiting[id_] = frames[-1][:1] == b"{"
        self._sockets[number % len(self._sockets)].send_multipart(frames)

    def take(self) -> int:
        """All replies that are there; how many."""
        count = 0
        for socket in self._sockets:
            with suppress(zmq.Again):
                while True:
                    self.taken(socket.recv_multipart(zmq.NOBLOCK)[-1])
                    count += 1
        return count

    def settle(self, most: int) -> None:
        """Take replies until no more than so many are missing; NoReply if none comes for long."""
        last = time.monotonic()
        while len(self.waiting) > most:
            if self.take():
                last = time.monotonic()
            elif time.monotonic() - last > REPLY_SECONDS:
                raise NoReply(
                    f"{len(self.waiting)} ids have no reply, {next(iter(self.waiting))} among them"
                )
            else:
                zmq.zmq_poll([(each, zmq.POLLIN) for each in self._sockets], 10)

    def close(self) -> None:
        """Leave."""
        self._context.destroy(linger=0)

    def _connected(self, endpoint: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.connect(endpoint)
        return socket

    def taken(self, body: bytes) -> None:
        """Look at one reply."""
        is_json = body[:1] == b"{"
        reply: dict[str, Any] = json.loads(body) if is_json else msgpack.unpackb(body)
        id_, code = reply["id"], "ok" if reply["ok"] else reply["error"]["code"]
        self.codes[code] += 1
        if code == "internal" or set(reply) != {
            "v",
            "id",
            "ok",
            "result" if reply["ok"] else "error",
            "meta",
        }:
            self.wrong.append(f"{id_}: {reply}")
        elif id_ not in self.waiting:
            if id_.startswith(INTACT):
                self.wrong.append(f"{id_}: answered twice")
        elif self.waiting.pop(id_) is not is_json:
            self.wrong.append(f"{id_}: answered in the other encoding")


def templates(token: str) -> Iterator[Template]:
    """Requests that are served, and some that are refused for what they ask."""
    for encoding in ("msgpack", "json"):
        for fields in requests(token):
            request = {"id": MARK, **fields}
            body = msgpack.packb(request) if encoding == "msgpack" else json.dumps(request).encode()
            yield Template(body, body.index(MARK.encode()))


def requests(token: str) -> Iterator[dict[str, Any]]:
    """None of them writes: what stays then is a leak."""
    own = {"tenant": TENANT, "token": token}
    trace = f"00-{'4bf92f3577b34da6' * 2}-00f067aa0ba902b7-01"
    deep: Any = ["é", 1.5, -1, 2**62, None, True, {"a": [[], {}]}]
    for params in ({}, {"limit": 1}, {"limit": 3, "query": "añb"}, {"deep": deep}):
        yield {"v": 1, **own, "action": "contacts.find", "params": params, "timeout_ms": 9000}
    yield {"action": "contacts.get", "params": {"id": 1}, "traceparent": trace, **own}
    yield {"action": "no.such_action", **own}
    yield {"action": "members.list", **own}
    yield {"action": "contacts.find", "tenant": "globex", "token": token}
    yield {"action": "contacts.find", "tenant": TENANT, "token": "tnt_" + "x" * 43}
    yield {"action": "system.ping"}
    yield {"action": "system.whoami", "token": token}
    yield {"action": "system.describe", "params": {"prefix": "notes.", "limit": 2}, **own}


class Growth:
    """Samples of the server's memory; its growth is computed from those after a warm-up.

    It goes up and down by several megabytes, as allocators keep what a burst took. Less growth cannot be
    distinguished from none, so a short run shows little.
    """

    def __init__(self, rss: Callable[[], int], warm_up: int) -> None:
        """`rss` gives bytes; `warm_up` is in frames."""
        self._rss = rss
        self._warm_up = warm_up
        self._seen: list[tuple[int, int]] = []

    def look(self, frames: int) -> None:
        """Read it, after so many frames."""
        self._seen.append((frames, self._rss()))

    @property
    def last(self) -> int:
        """Bytes."""
        return self._seen[-1][1]

    def per_million(self) -> tuple[float, float]:
        """Megabytes for a million frames, and how many more or less that may be."""
        settled = [(n / 1e6, rss / 1e6) for n, rss in self._seen if n > self._warm_up]
        frames = [n for n, _ in settled]
        slope, start = statistics.linear_regression(frames, [rss for _, rss in settled])
        spread = statistics.pstdev(rss - start - slope * n for n, rss in settled)
        return slope, 2 * spread / (frames[-1] - frames[0])

    def __str__(self) -> str:
        return " ".join(f"{rss / 1e6:.0f}" for _, rss in self._seen[:: SAMPLES // 8])


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Send them all, look at every reply; ChildFailed, NoReply."""
    report = Report(f"fuzz: {plan.frames:,} frames on {plan.connections} connections")
    installation = Installation(folder, [TENANT], {})
    server = installation.start()
    try:
        connections = Connections(server.endpoint, plan.connections)
        growth = Growth(lambda: server.usage().rss, min(WARM_UP, plan.frames // 4))
        began = time.perf_counter()
        pour(plan, Fuzzer(installation.tokens[TENANT], plan.seed), connections, growth, progress)
        seconds = time.perf_counter() - began
        lives = server.running
        connections.close()
    finally:
        server.end()
    report.figure("frames a second", f"{plan.frames / seconds:,.0f}")
    report.figure(
        "answers", ", ".join(f"{code} {n:,}" for code, n in connections.codes.most_common())
    )
    report.figure("memory, MB", f"{growth}")
    report.promise("the server goes on", lives)
    report.promise(
        f"no other replies than there should be: {connections.wrong[:3]}", not connections.wrong
    )
    report.promise("each id that can be read has its reply", not connections.waiting)
    slope, noise = growth.per_million()
    words = (
        f"its memory grows by {slope:.2f} ± {noise:.2f} MB with a million, at most {plan.growth:g}"
    )
    report.promise(words, slope - noise <= plan.growth)
    return report


def pour(
    plan: Plan,
    fuzzer: Fuzzer,
    connections: Connections,
    growth: Growth,
    progress: Callable[[str], None],
) -> None:
    """All frames, with a look at memory now and then; in the end no reply is missing."""
    each = max(1, plan.frames // SAMPLES)
    for number in range(plan.frames):
        id_, body = fuzzer.frame()
        connections.send(number, id_, fuzzer.envelope(body))
        if number % 16 == 0:
            connections.take()
            connections.settle(IN_FLIGHT * plan.connections)
        if number % each == each - 1:
            connections.settle(0)
            growth.look(number + 1)
            progress(f"{number + 1:,} frames, {growth.last / 1e6:.0f} MB")
    connections.settle(0)
