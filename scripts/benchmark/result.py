"""Computes figures from measurements: medians over rounds, ratios within rounds, and doubts."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.benchmark.plan import FASTAPI, FLOOR, GATEWAYS, ON_REQUEST, TENANTRY, Cell
from scripts.benchmark.run import Measurement

NOISY = "too noisy to believe"

RATIO_SCATTER = 0.20
"""Width of the middle half of a ratio's rounds, as a share of its median."""
OTHERS = 0.10
"""Share of all processors that other processes may use, in all but a quarter of the measurements."""
STOLEN = 0.02
"""The same for the hypervisor."""
CPU_SCATTER = 0.15
"""Width of the middle half of the calibration loop's times, as a share of their median."""
SYNC_SCATTER = 0.75
"""The same of the calibration's sync; disks vary more."""
SYNC_LEAST = 20.0
"""Microseconds; a sync that takes less reaches no disk, and durability costs nothing there."""


class Spread(NamedTuple):
    """A figure over the rounds."""

    median: float
    low: float
    high: float
    scatter: float
    """Width of the middle half as a share of the median: one bad round in five does not move it."""


@dataclass(frozen=True)
class PeerFigures:
    """One peer in one cell."""

    rate: Spread
    p50_ms: Spread
    p99_ms: Spread
    p999_ms: Spread
    cpu_us: Spread
    messages: int
    """Timed messages over all rounds."""


@dataclass(frozen=True)
class CellFigures:
    """One cell: every peer, Tenantry's rate as a multiple of each other peer's, and doubts.

    At a fixed pace all have one rate, and the ratios are those of p99.
    """

    cell: Cell
    peers: dict[str, PeerFigures]
    ratios: dict[str, Spread]
    """Other peer to Tenantry's rate (at a fixed pace: its p99) divided by that peer's, in the same round."""
    doubts: list[str]
    """Why the cell is too noisy to believe; empty when it is not."""
    through: dict[tuple[str, str], Spread] = field(default_factory=dict)
    """The same of peers that reach Tenantry through a gateway: that peer and another, to the ratio."""
    cpu: dict[str, Spread] = field(default_factory=dict)
    """As `ratios`, of the processor time of a message."""


def spread(values: Sequence[float]) -> Spread:
    """Median, least, greatest and scatter."""
    median, (first, third) = statistics.median(values), quartiles(values)
    return Spread(median, min(values), max(values), (third - first) / median if median else 0.0)


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The ends of the middle half; a single value is both."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def figures(measured: Sequence[Measurement]) -> list[CellFigures]:
    """The figures of every cell, in the order of the table."""
    cells = sorted({one.cell for one in measured})
    return [cell_figures([one for one in measured if one.cell == cell]) for cell in cells]


def cell_figures(measured: Sequence[Measurement]) -> CellFigures:
    """The figures of one cell."""
    names = list(dict.fromkeys(one.peer for one in measured))
    peers = {name: peer_figures([one for one in measured if one.peer == name]) for name in names}
    ratios = {
        other: spread(found)
        for other in (FLOOR, FASTAPI, *ON_REQUEST)
        if (found := ratios_by_round(measured, other))
    }
    through = {
        (gateway, other): spread(found)
        for gateway in GATEWAYS
        for other in (TENANTRY, FASTAPI)
        if (found := ratios_by_round(measured, other, gateway))
    }
    cpu = {
        other: spread(found)
        for other in ratios
        if (found := ratios_by_round(measured, other, figure="cpu_us"))
    }
    return CellFigures(
        measured[0].cell, peers, ratios, list(doubts(measured, ratios)), through, cpu
    )


def peer_figures(measured: Sequence[Measurement]) -> PeerFigures:
    """Medians over the rounds of one peer in one cell."""
    return PeerFigures(
        rate=spread([one.rate for one in measured]),
        p50_ms=spread([one.p50_ms for one in measured]),
        p99_ms=spread([one.p99_ms for one in measured]),
        p999_ms=spread([one.p999_ms for one in measured]),
        cpu_us=spread([one.cpu_us for one in measured]),
        messages=sum(one.messages for one in measured),
    )


def ratios_by_round(
    measured: Sequence[Measurement], other: str, peer: str = TENANTRY, figure: str = ""
) -> list[float]:
    """A peer's rate, its p99 at a fixed pace, or another figure over another's, for each round with both."""
    figure = figure or ("p99_ms" if measured[0].cell.pace else "rate")
    rates = {(one.round, one.peer): float(getattr(one, figure)) for one in measured}
    rounds = sorted({one.round for one in measured})
    return [
        rates[number, peer] / rates[number, other]
        for number in rounds
        if (number, peer) in rates
        and rates.get((number, other))  # the clock of processors has 10 ms
    ]


def doubts(measured: Sequence[Measurement], ratios: dict[str, Spread]) -> Iterator[str]:
    """Yield the reasons why a cell is too noisy to believe."""
    for other, ratio in ratios.items():
        if ratio.scatter > RATIO_SCATTER:
            yield f"the ratio to {other} wanders by {ratio.scatter:.0%} from round to round"
    _, others = quartiles([one.crowd.others for one in measured])
    if others > OTHERS:
        yield f"other processes used {others:.0%} of the processors in a quarter of the measurements"
    _, stolen = quartiles([one.crowd.stolen for one in measured])
    if stolen > STOLEN:
        yield f"the hypervisor took {stolen:.0%} of the processors in a quarter of the measurements"
    yield from calibration_doubts(measured)


def calibration_doubts(measured: Sequence[Measurement]) -> Iterator[str]:
    """Yield doubts from the fixed work before each measurement."""
    cpu = spread([one.calibration.cpu_ms for one in measured])
    if cpu.scatter > CPU_SCATTER:
        yield f"a fixed loop took {cpu.low:.1f} to {cpu.high:.1f} ms"
    sync = spread([one.calibration.fsync_us for one in measured])
    if sync.scatter > SYNC_SCATTER:
        yield f"a sync took {sync.low:.0f} to {sync.high:.0f} µs"
    if sync.median < SYNC_LEAST:
        yield f"a sync takes {sync.median:.0f} µs: the folder is on no real disk"
