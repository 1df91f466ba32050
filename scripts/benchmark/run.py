"""A run: rounds in which the peers take turns, each from the same bytes and with new processes."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from scripts.benchmark.calls import ADD, Cell, calls
from scripts.benchmark.child import Child, free_port
from scripts.benchmark.load import Door
from scripts.benchmark.load_zeromq import ZeromqDoor
from scripts.benchmark.peers import HERE, Peer, address, copy
from scripts.benchmark.plan import Plan
from scripts.benchmark.stretch import Measurement, Stretch, quiet, rate

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
