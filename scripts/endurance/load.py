"""Marks to be signed, always so many under way: what was sent and what came back, in one client's time.

A light open-loop load: requests leave at fixed times, whether or not earlier ones were answered.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmark.plan import Call, touch_then_scatter
from scripts.endurance import verdict
from scripts.endurance.connection import (
    REPLY_SECONDS,
    LoadConnection,
    NoReply,
    Reply,
    code,
    problem,
)
from scripts.endurance.server import FUNCTION

TICK: Final = 0.001
"""Seconds without a reply after which others who use the same thread get their turn."""


class Sent(NamedTuple):
    """One request."""

    tenant: str
    at: float
    """time.perf_counter() just before it left."""


class Answer(NamedTuple):
    """One reply, and the request that it is for."""

    id: str
    tenant: str
    sent: float
    received: float
    """time.perf_counter() just after it had come."""
    code: str
    """`ok`, or the error's."""
    wrong: str
    """What is wrong with it in words; empty if it is ok and names one version."""
    version: int
    """The version that it names; 0 if none."""
    reason: str
    trace_id: str


class Traffic:
    """One client's requests to many tenants at random. Not for threads: one moment comes after the other."""

    def __init__(
        self, connection: LoadConnection, tenants: Sequence[str], in_flight: int, name: str
    ) -> None:
        """`name` is a prefix that makes ids unique in a run."""
        self.sent: dict[str, Sent] = {}
        """By id, in the order of sending."""
        self.answers: dict[str, Answer] = {}
        self.twice = 0
        """Replies to what had been answered, or never sent."""
        self._connection = connection
        self._tenants = touch_then_scatter(tenants, random.Random(name))
        self._in_flight = in_flight
        self._name = name
        self._numbers = count()
        self._pongs: set[str] = set()
        self._last_reply = time.perf_counter()

    def step(self) -> None:
        """Keep so many under way, and take a reply if one comes soon; NoReply."""
        while len(self.sent) - len(self.answers) < self._in_flight:
            self._send()
        self._listen()

    def run(self, answers: int) -> float:
        """Go on until so many more are answered; how many were in a second. NoReply."""
        began, until = time.perf_counter(), len(self.answers) + answers
        while len(self.answers) < until:
            self.step()
        return answers / (time.perf_counter() - began)

    def flush(self) -> float:
        """Go on until all has come that the router had sent by now; that moment. NoReply.

        A connection's messages come in the order in which they were sent, and the router itself answers the
        ping: behind its answer there is nothing that the router had sent before.
        """
        ping = f"{self._name}-ping-{next(self._numbers)}"
        tenant = next(self._tenants)
        self._connection.send(Call(ping, tenant, "system.ping", {}))
        while ping not in self._pongs:
            self.step()
        return self._last_reply

    def finish(self) -> None:
        """Send no more, and wait for what is under way; NoReply."""
        while len(self.answers) < len(self.sent):
            self._listen()
        self._connection.close()

    def _send(self) -> None:
        call_id, tenant = f"{self._name}-{next(self._numbers):06x}", next(self._tenants)
        self.sent[call_id] = Sent(tenant, time.perf_counter())
        self._connection.send(Call(call_id, tenant, FUNCTION, {"text": call_id}))

    def _listen(self) -> None:
        reply = self._connection.receive(TICK)
        if reply is not None:
            self._last_reply = time.perf_counter()
            self._take(reply)
        elif time.perf_counter() - self._last_reply > REPLY_SECONDS:
            raise NoReply(f"{len(self.sent) - len(self.answers)} were not answered: it hangs")

    def _take(self, reply: Reply) -> None:
        id = reply["id"]
        if id in self.sent and id not in self.answers:
            self.answers[id] = answer(id, self.sent[id], self._last_reply, reply)
        elif "-ping-" in id:
            self._pongs.add(id)
        else:
            self.twice += 1


def answer(id: str, sent: Sent, received: float, reply: Reply) -> Answer:
    """What the reply says, and whether all of it speaks of one version."""
    meta = reply["meta"]
    version, wrong = meta.get("version", 0), problem(reply)
    if not wrong and reply["result"]["version"] != version:
        wrong = f"version {version} is said to have answered, and {reply['result']['version']} did"
    return Answer(
        id, *sent, received, code(reply), wrong, version, meta.get("reason", ""), meta["trace_id"]
    )


# What is in the files


class Files(NamedTuple):
    """The marks in the files of a stopped server, beside what was answered."""

    right: int
    lost: int
    """Answered ok, and not there as signed by the version that the reply names."""
    unknown: int
    """There, and not answered so: doubled, signed by another version, or left behind by a failure."""
    disordered: int
    """Tenants whose marks are not in the order in which they were sent."""

    def __str__(self) -> str:
        return (
            f"{self.right:,} rows, {self.lost} lost, {self.unknown} doubled or of another version, "
            f"{self.disordered} tenants out of order"
        )

    @property
    def sound(self) -> bool:
        """Whether what is there is what was answered: once each, signed as answered, in order."""
        return self.right > 0 and not (self.lost or self.unknown or self.disordered)


def compare(data: Path, *traffics: Traffic) -> Files:
    """Look at every tenant's file."""
    lost = unknown = disordered = right = 0
    for tenant, path in verdict.tenant_files(data).items():
        found = verdict.marks(path)
        wanted = [signed for traffic in traffics for signed in signatures(traffic, tenant)]
        right += (Counter(wanted) & Counter(found)).total()
        lost += (Counter(wanted) - Counter(found)).total()
        unknown += (Counter(found) - Counter(wanted)).total()
        disordered += Counter(found) == Counter(wanted) and found != wanted
    return Files(right, lost, unknown, disordered)


def signatures(traffic: Traffic, tenant: str) -> list[str]:
    """What a tenant's marks say, in the order of sending, by what was answered."""
    answers = (traffic.answers[id] for id, sent in traffic.sent.items() if sent.tenant == tenant)
    return [f"{each.version} {each.id}" for each in answers if each.code == "ok"]


def own_index(folder: Path) -> Path:
    """Copy the index of fixtures/faulty, which a server may rewrite; return its path."""
    source = Path(__file__).parent / "fixtures" / "faulty"
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(source, folder / "index", ignore=ignored)) / "registry.toml"


class Window(NamedTuple):
    """The result of one period of load."""

    latencies: list[float]
    """Seconds from the moment that a request was due to its reply."""
    problems: Counter[str]
    """Replies that were not ok, by their error."""

    def percentile(self, share: float) -> float:
        """The latency that so large a share stays below, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


def steady(
    connection: LoadConnection, calls: Iterator[Call], rate: float, seconds: float
) -> Window:
    """Send `rate` requests a second for so long, and wait for all replies; NoReply.

    Latency counts from when a request was due: one that leaves late because its sender was held up has
    waited, too.
    """
    window = Window([], Counter())
    due_of: dict[str, float] = {}
    due = time.perf_counter()
    ends = due + seconds
    while due < ends or due_of:
        if due < ends and time.perf_counter() >= due:
            call = next(calls)
            due_of[call.id] = due
            connection.send(call)
            due += 1 / rate
            continue
        reply = connection.receive(due - time.perf_counter() if due < ends else REPLY_SECONDS)
        if reply is not None:
            window.latencies.append(time.perf_counter() - due_of.pop(reply["id"]))
            window.problems.update(filter(None, [problem(reply)]))
        elif due >= ends:
            raise NoReply(f"{len(due_of)} requests were not answered in {REPLY_SECONDS:.0f} s")
    return window
