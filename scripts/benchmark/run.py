"""A run: rounds in which the peers take turns, each from the same bytes and with new processes.

One measurement is of one peer, one cell and one round: warmed up, timed, checked.
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
from scripts.benchmark.load import IN_FLIGHT, LoadClient, LoadResult, check
from scripts.benchmark.load_zeromq import ZeromqClient
from scripts.benchmark.noise import Calibration, OtherLoad, calibrate, other_load, usage
from scripts.benchmark.peers import HERE, Peer, Running, address, copy
from scripts.benchmark.plan import ADD, Call, Cell, Plan, calls

MAX_CALLS = 400_000
"""Calls packed for one measurement at most; it ends early when they are used up."""
HEADROOM = 2.0
"""Calls packed, as a multiple of those needed at the warm-up's rate."""


@dataclass(frozen=True)
class Measurement:
    """Figures of one peer in one cell of one round."""

    round: int
    cell: Cell
    peer: str
    messages: int
    rate: float
    """Replies per second."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu_us: float
    """Processor time of the server, user and system, in microseconds per message."""
    calibration: Calibration
    """Taken just before."""
    crowd: OtherLoad


class TimedRun:
    """Drives one peer through one cell of one round."""

    def __init__(self, plan: Plan, number: int, cell: Cell, peer: str) -> None:
        self._plan, self._round, self._cell, self._peer = plan, number, cell, peer
        self._seed = number * 1000 + cell.tenants
        self._where = f"{peer}, {cell}, round {number + 1}"

    def measure(self, child: Running, client: LoadClient) -> Measurement:
        """Touch every tenant, warm up, then time."""
        touched = self._drive(client, "t", max(self._cell.tenants, IN_FLIGHT), float("inf"))
        warm = self._warm(client, touched)
        pace = self._cell.requests_per_second(len(warm.answers) / duration(warm))
        count = (
            self._calls_needed(warm, self._plan.seconds)
            if pace is None
            else min(max(int(pace * self._plan.seconds), 2), MAX_CALLS)
        )
        asked, bodies = self._pack(client, "m", count)
        os.sync()  # so that no peer pays for what another left in the page cache
        calibration = calibrate(self._plan.folder)
        with quiet():
            before, used = usage(), child.cpu_seconds()
            own = time.process_time()
            result = (
                client.drive(bodies, self._plan.seconds)
                if pace is None
                else client.drive_at(bodies, pace)
            )
            spent = child.cpu_seconds() - used
            others = other_load(before, usage(), spent + time.process_time() - own)
        check(self._where, asked, result)
        return self._summary(result, spent, calibration, others)

    def _warm(self, client: LoadClient, touched: LoadResult) -> LoadResult:
        """Load for the length of the warm-up, unless touching the tenants took as long."""
        if duration(touched) >= self._plan.warm_up:
            return touched
        return self._drive(
            client, "w", self._calls_needed(touched, self._plan.warm_up), self._plan.warm_up
        )

    def _drive(self, client: LoadClient, phase: str, count: int, seconds: float) -> LoadResult:
        asked, bodies = self._pack(client, phase, count)
        with quiet():
            result = client.drive(bodies, seconds)
        check(self._where, asked, result)
        return result

    def _pack(self, client: LoadClient, phase: str, count: int) -> tuple[list[Call], list[bytes]]:
        """Calls and their bytes; ids are unique within a round, one life of a peer's data."""
        cell, plan = self._cell, self._plan
        prefix = f"{cell.action}-{cell.tenants}-{cell.pace}{phase}-"
        every = calls(cell, prefix, self._seed, plan.rows, random_ids=plan.random_ids)
        asked = list(islice(every, count))
        return asked, [client.pack(call) for call in asked]

    def _calls_needed(self, result: LoadResult, seconds: float) -> int:
        reached = len(result.answers) / duration(result)
        return min(int(reached * seconds * HEADROOM) + 2 * IN_FLIGHT, MAX_CALLS)

    def _summary(
        self, result: LoadResult, spent: float, calibration: Calibration, others: OtherLoad
    ) -> Measurement:
        waits = sorted(answer.at - result.sent[answer.number] for answer in result.answers)
        return Measurement(
            self._round,
            self._cell,
            self._peer,
            len(waits),
            rate(result, self._plan.seconds),
            percentile(waits, 0.50) * 1e3,
            percentile(waits, 0.99) * 1e3,
            percentile(waits, 0.999) * 1e3,
            spent / len(waits) * 1e6,
            calibration,
            others,
        )


def rate(result: LoadResult, seconds: float) -> float:
    """Replies per second while requests were being sent.

    What arrives after the last send is left out, unless nothing arrived before.
    """
    last = duration(result)
    in_time = sum(answer.at <= result.began + seconds for answer in result.answers)
    return in_time / min(seconds, last) if in_time else len(result.answers) / last


def duration(result: LoadResult) -> float:
    """Seconds from the first request to the last reply."""
    return max(answer.at for answer in result.answers) - result.began


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


Progress = Callable[[str], None]


def run(plan: Plan, peers: Sequence[Peer], progress: Progress) -> Iterator[Measurement]:
    """Measure everything in the plan; children and data are removed at the end, however it comes."""
    ends = time.monotonic() + plan.budget
    with scratch(plan.folder) as folder:
        for peer in peers:
            progress(f"preparing {peer.name}: {len(plan.names())} tenants of {plan.rows} contacts")
            peer.prepare(folder / peer.name, plan.names(), plan.rows)
        for number in range(plan.rounds):
            began = time.monotonic()
            yield from one_round(plan, peers, number, folder, progress)
            if (now := time.monotonic()) + now - began > ends:
                return


def one_round(
    plan: Plan, peers: Sequence[Peer], number: int, folder: Path, progress: Progress
) -> Iterator[Measurement]:
    """Every cell, and in each cell every peer in turn."""
    with scratch(folder) as copies, serving(peers, folder, copies) as served:
        for cell in plan.cells():
            for peer, (child, client) in zip(peers, served, strict=True):
                progress(f"round {number + 1} of {plan.rounds}: {cell}: {peer.name}")
                yield TimedRun(plan, number, cell, peer.name).measure(child, client)


@contextmanager
def serving(
    peers: Sequence[Peer], prepared: Path, copies: Path
) -> Iterator[list[tuple[Running, LoadClient]]]:
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
            served.append((server.child, peer.client(server.port)))
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
    client = ZeromqClient(endpoint, dict.fromkeys(cell.names(), "unchecked"))
    asked = islice(calls(cell, "c", 0, 1), int(150_000 * seconds))
    bodies = [client.pack(call) for call in asked]
    with quiet():
        result = client.echo(bodies, seconds)
    client.close()
    return rate(result, seconds)
