"""A run: rounds in which the peers take turns, each from the same bytes and with new processes.

One stretch: one peer, one cell, one round; warmed up, timed, checked.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from scripts.benchmark.child import Child, free_port
from scripts.benchmark.load import IN_FLIGHT, Door, Flight, check
from scripts.benchmark.load_zeromq import ZeromqDoor
from scripts.benchmark.noise import Calibration, Crowd, calibrate, crowd, usage
from scripts.benchmark.peers import HERE, Peer, address, copy
from scripts.benchmark.plan import ADD, Call, Cell, Plan, calls

MOST = 400_000
"""Calls packed for one stretch at most; it ends early when they are used up."""
HEADROOM = 2.0
"""Calls packed, as a multiple of what the warm-up's rate says will be needed."""


@dataclass(frozen=True)
class Measurement:
    """What one stretch showed."""

    round: int
    cell: Cell
    peer: str
    messages: int
    rate: float
    """Replies per second."""
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Processor time of the server, user and system, in microseconds per message."""
    calibration: Calibration
    """Taken just before."""
    crowd: Crowd


class Stretch:
    """Drives one peer through one cell of one round."""

    def __init__(self, plan: Plan, number: int, cell: Cell, peer: str) -> None:
        self._plan, self._round, self._cell, self._peer = plan, number, cell, peer
        self._seed = number * 1000 + cell.tenants
        self._where = f"{peer}, {cell}, round {number + 1}"

    def measure(self, child: Child, door: Door) -> Measurement:
        """Touch every tenant, warm up, then time."""
        touched = self._fly(door, "t", max(self._cell.tenants, IN_FLIGHT), float("inf"))
        count = self._enough(self._warm(door, touched), self._plan.seconds)
        asked, bodies = self._pack(door, "m", count)
        os.sync()  # so that no peer pays for what another left in the page cache
        calibration = calibrate(self._plan.folder)
        with quiet():
            before, used = usage(), child.cpu_seconds()
            own = time.process_time()
            flight = door.drive(bodies, self._plan.seconds)
            spent = child.cpu_seconds() - used
            others = crowd(before, usage(), spent + time.process_time() - own)
        check(self._where, asked, flight)
        return self._summary(flight, spent, calibration, others)

    def _warm(self, door: Door, touched: Flight) -> Flight:
        """Load for the length of the warm-up, unless touching the tenants took as long."""
        if lasted(touched) >= self._plan.warm_up:
            return touched
        return self._fly(door, "w", self._enough(touched, self._plan.warm_up), self._plan.warm_up)

    def _fly(self, door: Door, phase: str, count: int, seconds: float) -> Flight:
        asked, bodies = self._pack(door, phase, count)
        with quiet():
            flight = door.drive(bodies, seconds)
        check(self._where, asked, flight)
        return flight

    def _pack(self, door: Door, phase: str, count: int) -> tuple[list[Call], list[bytes]]:
        """Calls and their bytes; ids are unique within a round, one life of a peer's data."""
        prefix = f"{self._cell.action}-{self._cell.tenants}-{phase}-"
        asked = list(islice(calls(self._cell, prefix, self._seed, self._plan.rows), count))
        return asked, [door.pack(call) for call in asked]

    def _enough(self, flight: Flight, seconds: float) -> int:
        reached = len(flight.answers) / lasted(flight)
        return min(int(reached * seconds * HEADROOM) + 2 * IN_FLIGHT, MOST)

    def _summary(
        self, flight: Flight, spent: float, calibration: Calibration, others: Crowd
    ) -> Measurement:
        waits = sorted(answer.at - flight.sent[answer.number] for answer in flight.answers)
        return Measurement(
            self._round,
            self._cell,
            self._peer,
            len(waits),
            rate(flight, self._plan.seconds),
            percentile(waits, 0.50) * 1e3,
            percentile(waits, 0.99) * 1e3,
            spent / len(waits) * 1e6,
            calibration,
            others,
        )


def rate(flight: Flight, seconds: float) -> float:
    """Replies per second while requests were being sent.

    What arrives after the last send is left out, unless nothing arrived before.
    """
    last = lasted(flight)
    in_time = sum(answer.at <= flight.began + seconds for answer in flight.answers)
    return in_time / min(seconds, last) if in_time else len(flight.answers) / last


def lasted(flight: Flight) -> float:
    """Seconds from the first request to the last reply."""
    return max(answer.at for answer in flight.answers) - flight.began


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that so large a share of an ordered sequence does not exceed."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the generator's garbage collector out of the figures."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


Tell = Callable[[str], None]


def run(plan: Plan, peers: Sequence[Peer], tell: Tell) -> Iterator[Measurement]:
    """Measure everything in the plan; children and data are gone when it ends, however it ends."""
    ends = time.monotonic() + plan.budget
    with scratch(plan.folder) as folder:
        for peer in peers:
            tell(f"preparing {peer.name}: {len(plan.names())} tenants of {plan.rows} contacts")
            peer.prepare(folder / peer.name, plan.names(), plan.rows)
        for number in range(plan.rounds):
            began = time.monotonic()
            yield from one_round(plan, peers, number, folder, tell)
            if (now := time.monotonic()) + now - began > ends:
                return


def one_round(
    plan: Plan, peers: Sequence[Peer], number: int, folder: Path, tell: Tell
) -> Iterator[Measurement]:
    """Every cell, and in each cell every peer in turn."""
    with scratch(folder) as copies, serving(peers, folder, copies) as served:
        for cell in plan.cells():
            for peer, (child, door) in zip(peers, served, strict=True):
                tell(f"round {number + 1} of {plan.rounds}: {cell}: {peer.name}")
                yield Stretch(plan, number, cell, peer.name).measure(child, door)


@contextmanager
def serving(
    peers: Sequence[Peer], prepared: Path, copies: Path
) -> Iterator[list[tuple[Child, Door]]]:
    """All peers up at once, each on a copy of its prepared data; ended together."""
    with ExitStack() as stack:
        started = []
        for peer in peers:
            copy(prepared / peer.name, copies / peer.name)
            started.append(peer.start(copies / peer.name))
            stack.callback(started[-1].child.end)
        served = []
        for peer, server in zip(peers, started, strict=True):
            server.child.wait_ready()
            served.append((server.child, peer.door(server.port)))
            stack.callback(served[-1][1].close)
        yield served


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder that is removed whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ceiling(folder: Path, seconds: float) -> float:
    """Messages per second that the load generator drives through a server that only echoes."""
    endpoint = address(free_port())
    with scratch(folder) as place:
        child = Child("scripts.benchmark.echo", ["--endpoint", endpoint], place / "echo.log", HERE)
        try:
            child.wait_ready()
            return echoed(endpoint, seconds)
        finally:
            child.end()


def echoed(endpoint: str, seconds: float) -> float:
    """Drive the echo with ordinary bodies; replies are the requests, so they are not checked."""
    cell = Cell(ADD, 16)
    door = ZeromqDoor(endpoint, dict.fromkeys(cell.names(), "unchecked"))
    asked = islice(calls(cell, "c", 0, 1), int(150_000 * seconds))
    bodies = [door.pack(call) for call in asked]
    with quiet():
        flight = door.echo(bodies, seconds)
    door.close()
    return rate(flight, seconds)
