"""One stretch: one peer, one cell, one round; warmed up, timed, checked."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from scripts.benchmark.calls import Call, Cell, calls
from scripts.benchmark.child import Child
from scripts.benchmark.load import IN_FLIGHT, Door, Flight, check
from scripts.benchmark.noise import Calibration, Crowd, calibrate, crowd, usage
from scripts.benchmark.plan import Plan

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
