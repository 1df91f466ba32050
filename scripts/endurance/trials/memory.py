"""One message of a million parts against a limit on memory: survive it, or end and be back at once.

Sends one message of very many parts, then asks for a sign of life: python -m scripts.endurance.trials.memory.

A process of its own, since the message fills the sender's memory as well. Says `ready` when the server has
dealt with it: a connection's messages are taken in their order, so the ping's answer comes after it.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgpack
import psutil
import zmq

from scripts.benchmark.child import Child
from scripts.benchmark.peers import HERE
from scripts.endurance.connection import LoadConnection
from scripts.endurance.server import Installation, Server
from scripts.endurance.verdict import Ledger, Report, RowCounts, find_acknowledged

PATIENCE: Final = 30.0
"""Seconds that a server may be silent without having ended before it counts as hanging."""
LOOK_EVERY: Final = 0.02
"""Seconds between two samples of the process, unless a reply comes before."""
MAX_ADDS: Final = 100_000
MEGABYTE: Final = 1024**2
TENANTS: Final = ("memory-0", "memory-1", "memory-2", "memory-3")


class Plan(NamedTuple):
    """How long and how hard."""

    memory_bytes: int
    parts: int
    part_bytes: int
    in_flight: int
    within: float


FULL: Final = Plan(
    memory_bytes=1536 * MEGABYTE, parts=1_000_000, part_bytes=400, in_flight=16, within=2.0
)
QUICK: Final = FULL._replace(parts=600_000)

MEANINGS: Final = {
    "memory_bytes": "the server's TENANTRY_MEMORY_BYTES",
    "parts": "parts of the message: first empty ones, then others",
    "part_bytes": "bytes of each of the others",
    "in_flight": "requests of other clients under way meanwhile",
    "within": "seconds between the server's end and its next `ready` that are too many",
}


class Flood(Child):
    """The sender of the message (flood.py)."""

    @property
    def answered(self) -> bool:
        """Whether the server has dealt with the message."""
        return self._ready.done() and self._ready.result() != ""


class FloodResult(NamedTuple):
    """What one message did."""

    status: int | None
    """How the process ended: minus a signal's number, or an exit status; None if it did not end."""
    hung: bool
    """Whether it neither ended nor answered any client for PATIENCE seconds."""
    stalled: float
    """Seconds that the other clients were without any reply at a time, at the most, before an end."""
    peak: int
    """Resident memory at the most, in bytes."""
    ended: float
    """time.perf_counter() when the end was seen."""


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """Empty parts, then others, each on a new server; ChildFailed, NoReply."""
    report = Report(
        f"memory: one message of {plan.parts:,} parts, {plan.memory_bytes / MEGABYTE:,.0f} MB to live in"
    )
    trial = Trial(plan, folder)
    for part_bytes in (0, plan.part_bytes):
        progress(f"{plan.parts:,} parts of {part_bytes} bytes")
        trial.run(part_bytes, report)
    return report


class Trial:
    """A server that serves others when the message comes."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._installation = Installation(folder, TENANTS, {"memory_bytes": plan.memory_bytes})
        self._ledger = Ledger(TENANTS)

    def run(self, part_bytes: int, report: Report) -> None:
        """Send the message; start again if that ended the process; look for acknowledged contacts."""
        server = self._installation.start()
        ready = 0.0
        try:
            before = server.usage().rss
            result = self._meet(server, part_bytes)
            if result.status is not None or result.hung:
                server.end()
                server = self._installation.start()
                ready = time.perf_counter() - result.ended
            counts, left = self._look(server)
        finally:
            server.end()
        what = f"{self._plan.parts:,} parts of {part_bytes} bytes"
        report.figure(what, f"{fate(result)}; others waited {result.stalled:.2f} s at the most")
        report.figure(
            "memory",
            f"{before / MEGABYTE:.0f} MB before, {result.peak / MEGABYTE:.0f} MB at the most",
        )
        for refusal, count in self._ledger.refused.most_common(3):
            report.figure("refused", f"{count} x {refusal}")
        report.promise(f"{what}: the process answers or ends, and does not hang", not result.hung)
        report.promise(
            f"{what}: of {counts['looked for']:,} adds {counts['lost']} lost, {counts['doubled']} doubled, "
            f"{left} not answered in the end",
            counts.wrong == left == 0,
        )
        if ready:
            report.promise(
                f"{what}: ready again {ready:.2f} s after the end, less than {self._plan.within:g} s",
                ready < self._plan.within,
            )

    def _meet(self, server: Server, part_bytes: int) -> FloodResult:
        """Serve others until the message has been dealt with, or the process has ended or hangs."""
        connection = LoadConnection(server.endpoint, self._installation.tokens)
        flood = self._flood(server, part_bytes)
        adds = islice(self._ledger.adds(), MAX_ADDS)
        for call in islice(adds, self._plan.in_flight):
            connection.send(call)
        peak, stalled, last = 0, 0.0, time.perf_counter()
        try:
            while server.running and not flood.answered and time.perf_counter() - last < PATIENCE:
                with suppress(psutil.Error):  # it has just ended
                    peak = max(peak, server.usage().rss)
                reply = connection.receive(LOOK_EVERY)
                stalled = max(stalled, time.perf_counter() - last)
                if reply is None:
                    continue
                last = time.perf_counter()
                self._ledger.take(reply)
                for call in islice(adds, 1):
                    connection.send(call)
        finally:
            flood.end()
        ended = time.perf_counter()
        status = None if server.running else server.status(0)
        for reply in connection.rest():
            self._ledger.take(reply)
        connection.close()
        return FloodResult(status, ended - last >= PATIENCE, stalled, peak, ended)

    def _flood(self, server: Server, part_bytes: int) -> Flood:
        plan = self._plan
        arguments = [f"--endpoint={server.endpoint}", f"--parts={plan.parts}"]
        arguments.append(f"--part-bytes={part_bytes}")
        return Flood("scripts.endurance.trials.memory", arguments, self._folder / "flood.log", HERE)

    def _look(self, server: Server) -> tuple[RowCounts, int]:
        """Send again what was not answered, then look for everything; how many have no answer still."""
        ledger = self._ledger
        connection = LoadConnection(server.endpoint, self._installation.tokens)
        counts = find_acknowledged(connection, ledger, list(ledger.acknowledged))
        calls = ledger.unacknowledged()
        for reply in connection.exchange(calls).values():
            ledger.take(reply)
        counts.update(
            find_acknowledged(
                connection, ledger, [c.id for c in calls if c.id in ledger.acknowledged]
            )
        )
        connection.close()
        return counts, len(ledger.unacknowledged())


def fate(result: FloodResult) -> str:
    """What became of the process, in words."""
    if result.hung:
        return f"the process hung: no client was answered for {PATIENCE:.0f} s"
    if result.status is None:
        return "the process survived"
    if result.status < 0:
        return f"the process ended with {signal.Signals(-result.status).name}"
    return f"the process ended with status {result.status}"


def main() -> None:
    """Send, ping, wait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--parts", type=int, required=True)
    parser.add_argument("--part-bytes", type=int, required=True)
    given = parser.parse_args()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(given.endpoint)
    part = bytes(given.part_bytes)
    for _ in range(given.parts - 1):
        socket.send(part, zmq.SNDMORE)
    socket.send(part)
    socket.send(msgpack.packb({"v": 1, "id": "alive", "action": "system.ping"}))
    socket.recv()
    print("ready", flush=True)
    socket.close()


if __name__ == "__main__":
    main()
