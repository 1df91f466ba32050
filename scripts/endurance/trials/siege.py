"""Hostile peers, with one token or none: the server lives in bounded memory and serves another tenant.

Each shape has a server of its own: one that had to reset many connections makes newcomers wait for minutes,
and the next shape would not get in. The peers share the machine's processors with the server, and what they
take is not taken off: it is printed, and is next to nothing. There are two figures to compare with, each from
before and after the shape: `calm`, and `burnt`, while one process computes without end and sends nothing.
Promises are judged by `calm`. On a busy machine no figure says much of the server: other processes' part is
in all of them. If Linux groups processes by session (sched_autogroup), niceness means nothing between them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from actors.settings import Settings
from scripts.benchmark.child import Child
from scripts.benchmark.peers import HERE
from scripts.benchmark.plan import Call
from scripts.endurance.connection import LoadConnection
from scripts.endurance.load import Window, steady
from scripts.endurance.server import Installation, Server
from scripts.endurance.verdict import Report

MEGABYTE: Final = 1024**2
LOOK_EVERY: Final = 0.05
"""Seconds between two looks at the server's memory."""
TENANTS: Final = ("bystander", "besieger")
CALM: Final = 3.0
"""Seconds without hostile peers, and seconds with one that only computes; before and after, at most."""
WARM_UP: Final = 1.0
BEGIN: Final = "begin"
"""The shape of messages that are only begun, which have a bound of their own."""
BURN: Final = "burn"
"""The shape that only computes."""
OWN: Final = {
    name: Settings.model_fields[name].default
    for name in ("tenant_rate", "connection_rate", "stranger_ms")
}
"""The server's default limits: a benchmark's servers have none."""
NO_LIMITS: Final = {"token_rate": 0, "tenant_rate": 0, "connection_rate": 0}


class Plan(NamedTuple):
    """How long and how hard."""

    seconds: float
    rate: float
    limit: int
    memory: int
    growth: int
    ratio: float
    least_ms: float
    shapes: str


SHAPES: Final = "leave,greedy,begin,deaf,crowd,http,tls,silence,heavy,flood:10,flood:60,flood:0"

FULL: Final = Plan(
    seconds=600.0,
    rate=100.0,
    limit=500,
    memory=1024 * MEGABYTE,
    growth=64 * MEGABYTE,
    ratio=2.0,
    least_ms=20.0,
    shapes=SHAPES,
)
QUICK: Final = FULL._replace(seconds=60.0)

MEANINGS: Final = {
    "seconds": "how long all shapes take together",
    "rate": "requests a second of the other tenant",
    "limit": "requests a second that one token may send",
    "memory": "resident bytes of the server at the most",
    "growth": "resident bytes that `begin` adds at the most",
    "ratio": "times that the other tenant's p99 may grow",
    "least_ms": "p99 in milliseconds that is good enough, however much it has grown",
    "shapes": "what they do (attackers.py); flood:N at N times the limit, flood:0 without one",
}


class ShapeResult(NamedTuple):
    """What one shape did."""

    shape: str
    window: Window
    before: int
    """Resident memory when it began, in bytes."""
    peak: int
    """Resident memory at the most, in bytes."""
    is_alive: bool
    took: float
    """Processors that the hostile process took, on the average."""


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """One shape after the other, each on a server of its own; ChildFailed, NoReply."""
    report = Report(f"siege: {plan.rate:g} requests/s of one tenant while others do their worst")
    shapes = plan.shapes.split(",")
    installation = Installation(folder, TENANTS, {**OWN, "token_rate": plan.limit})
    for shape in shapes:
        flags = NO_LIMITS if shape == "flood:0" else {}
        trial = Trial(plan, installation, folder, progress, plan.seconds / len(shapes))
        trial.run(shape, flags, report)
    return report


class Trial:
    """A server, a tenant that behaves, and peers that do not."""

    def __init__(
        self,
        plan: Plan,
        installation: Installation,
        folder: Path,
        progress: Callable[[str], None],
        seconds: float,
    ) -> None:
        self._plan = plan
        self._installation = installation
        self._folder = folder
        self._progress = progress
        self._seconds = seconds
        self._calls = calls()

    def run(self, shape: str, flags: dict[str, int], report: Report) -> None:
        """One shape on a new server."""
        server = self._installation.start({}, **flags)
        connection = LoadConnection(server.endpoint, self._installation.tokens)
        short = min(CALM, self._seconds / 2)
        calm, burnt = Window([], Counter()), Window([], Counter())
        try:
            steady(connection, self._calls, self._plan.rate, WARM_UP)
            self._compare(server, connection, short, calm, burnt)
            self._progress(shape)
            seen = self._besieged(server, connection, shape, self._seconds)
            if seen.is_alive:
                self._compare(server, connection, short, calm, burnt)
        finally:
            connection.close()
            server.end()
        self._report(calm, burnt, seen, report)

    def _compare(
        self,
        server: Server,
        connection: LoadConnection,
        seconds: float,
        calm: Window,
        burnt: Window,
    ) -> None:
        """Add the latencies of a moment without hostile peers, and of one beside BURN."""
        calm.latencies.extend(steady(connection, self._calls, self._plan.rate, seconds).latencies)
        burning = self._besieged(server, connection, BURN, seconds)
        burnt.latencies.extend(burning.window.latencies)

    def _besieged(
        self, server: Server, connection: LoadConnection, shape: str, seconds: float
    ) -> ShapeResult:
        """The other tenant's requests meanwhile, and the server's memory."""
        peaks = [server.usage().rss]
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(LOOK_EVERY) and server.running:
                peaks.append(server.usage().rss)

        watcher = threading.Thread(target=watch)
        peer = self._peer(server, shape)
        try:
            peer.wait_ready()
            watcher.start()
            spent = -peer.cpu_seconds()
            window = steady(connection, self._calls, self._plan.rate, seconds)
            spent += peer.cpu_seconds()
        finally:
            peer.end()
            is_over.set()
            watcher.join()
        return ShapeResult(shape, window, peaks[0], max(peaks), server.running, spent / seconds)

    def _peer(self, server: Server, shape: str) -> Child:
        name, _, times = shape.partition(":")
        arguments = [f"--endpoint={server.endpoint}", f"--shape={name}"]
        arguments += [f"--token={self._installation.tokens['besieger']}", "--tenant=besieger"]
        arguments.append(f"--rate={float(times or 0) * self._plan.limit}")
        return Child("scripts.endurance.attackers", arguments, self._folder / f"{name}.log", HERE)

    def _report(self, calm: Window, burnt: Window, seen: ShapeResult, report: Report) -> None:
        plan, (shape, window, start, peak, is_alive, took) = self._plan, seen
        most = max(plan.ratio * calm.percentile(0.99), plan.least_ms)
        p99 = window.percentile(0.99)
        report.figure(
            shape,
            f"p99 {p99:.1f} ms, calm {calm.percentile(0.99):.1f}, burnt {burnt.percentile(0.99):.1f}; "
            f"{peak / MEGABYTE:.0f} MB at the most, {(peak - start) / MEGABYTE:.0f} more than before; "
            f"took {took:.2f} processors",
        )
        report.promise(f"{shape}: the server lives", is_alive)
        report.promise(
            f"{shape}: {len(window.problems)} of the other tenant's requests went wrong, "
            f"p99 at most {most:.0f} ms",
            not window.problems and p99 <= most,
        )
        report.promise(f"{shape}: within {plan.memory / MEGABYTE:.0f} MB", peak <= plan.memory)
        if shape == BEGIN:
            grown = f"{shape}: {plan.growth / MEGABYTE:.0f} MB more than before at the most"
            report.promise(grown, peak - start <= plan.growth)


def calls() -> Iterator[Call]:
    """Of the tenant that behaves: writes and reads in turn."""
    for number in count(1):
        yield Call(f"siege-{number}", "bystander", "contacts.add", {"name": f"contact {number}"})
        yield Call(f"seen-{number}", "bystander", "contacts.get", {"id": 1})
