"""Measures how quiet the machine is: the time of a fixed piece of work, and the load of other processes."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

LOOPS = 100_000
"""Turns of the calibration loop: some 3 ms, long enough to notice other load."""
SYNCS = 12
BLOCK = b"\0" * 4096


class Calibration(NamedTuple):
    """Cost of a fixed piece of work at one moment."""

    cpu_ms: float
    """Milliseconds for LOOPS turns of an empty loop; median of three."""
    fsync_us: float
    """Microseconds to append 4 KiB and sync it; median of SYNCS."""


class Usage(NamedTuple):
    """Processor time since boot, in seconds, over all cores."""

    busy: float
    """User and system time of every process."""
    stolen: float
    """Time that the hypervisor gave to other machines."""
    total: float


class OtherLoad(NamedTuple):
    """Load of others during a measurement, as shares of all processors."""

    others: float
    """Processes that are neither the load generator nor the server measured."""
    stolen: float


def calibrate(folder: Path) -> Calibration:
    """Time the fixed work; the file it syncs is made in `folder` and removed."""
    cpu = statistics.median(timed(spin) for _ in range(3))
    path = folder / "calibration"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        sync = statistics.median(timed(lambda: append(handle)) for _ in range(SYNCS))
    finally:
        os.close(handle)
        path.unlink()
    return Calibration(cpu * 1e3, sync * 1e6)


def spin() -> None:
    """A loop that touches no memory and calls nothing."""
    for _ in range(LOOPS):
        pass


def append(handle: int) -> None:
    """Append and sync a block, the least that a commit does."""
    os.write(handle, BLOCK)
    os.fdatasync(handle)


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that a piece of work took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def usage() -> Usage:
    """Return the usage now, without interrupts, which serve the measured processes too."""
    times = psutil.cpu_times()
    busy = times.user + times.nice + times.system
    return Usage(busy, times.steal, busy + times.steal + times.idle + times.iowait)


def other_load(before: Usage, after: Usage, own: float) -> OtherLoad:
    """Return the load of others between two moments; `own` is the measurement's processor seconds."""
    total = max(after.total - before.total, 1e-9)
    others = max(after.busy - before.busy - own, 0.0)
    return OtherLoad(others / total, (after.stolen - before.stolen) / total)
