"""The plan of a run, fixed by the command line.

Every peer gets the same sequence of calls, whatever the protocol.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from scripts.benchmark.contacts import contact

ADD = "contacts.add"
GET = "contacts.get"
ACTIONS = (ADD, GET)
FRESH = 1_000_000
"""Added contacts are numbered from here, so that none repeats a row that was there before."""


HALF = "half"
"""A pace: half of what the peer has just reached with requests always in flight."""
WITHOUT_END = ""
"""The pace of a closed loop: a request for each reply."""


class Cell(NamedTuple):
    """One cell of the table: an action, spread over so many tenants, at one pace."""

    action: str
    tenants: int
    pace: str = WITHOUT_END
    """Requests per second, sent when they are due, whatever has been answered; or HALF, or WITHOUT_END."""

    def __str__(self) -> str:
        words = f"{self.action}, {self.tenants} tenant{'s' if self.tenants > 1 else ''}"
        return f"{words}, {self.pace_in_words}" if self.pace else words

    @property
    def pace_in_words(self) -> str:
        """As the table has it."""
        return "half its load" if self.pace == HALF else f"{self.pace}/s" if self.pace else ""

    def requests_per_second(self, reached: float) -> float | None:
        """Return the pace for a peer that has reached so many; None for a closed loop."""
        return reached / 2 if self.pace == HALF else float(self.pace) if self.pace else None

    def names(self) -> list[str]:
        """The tenants of this cell: each tenant count has its own, so that cells do not add up."""
        return [f"bench-{self.tenants}-{number}" for number in range(self.tenants)]


class Call(NamedTuple):
    """One call, before it is packed for a peer."""

    id: str
    tenant: str
    action: str
    params: Mapping[str, Any]


def calls(
    cell: Cell, phase: str, seed: int, rows: int, *, random_ids: bool = False
) -> Iterator[Call]:
    """Calls without end: each tenant once, then tenants at random; reads pick one of `rows` ids.

    `phase` is a prefix that makes ids unique in a run; the number in hexadecimal follows it. Before it comes
    nothing, or with `random_ids` 64 bits by chance: ids then lie anywhere in an index of ids.
    """
    chance = random.Random(seed)
    bits = random.Random(f"{phase}{seed}")
    for number, tenant in enumerate(touch_then_scatter(cell.names(), chance)):
        params = (
            contact(FRESH + number) if cell.action == ADD else {"id": chance.randrange(rows) + 1}
        )
        start = f"{bits.getrandbits(64):016x}-" if random_ids else ""
        yield Call(f"{start}{phase}{number:06x}", tenant, cell.action, params)


def touch_then_scatter(tenants: Sequence[str], chance: random.Random) -> Iterator[str]:
    """Each tenant once, so that all are open; then any of them."""
    yield from tenants
    while True:
        yield chance.choice(tenants)


def preload(tenants: Sequence[str], rows: int) -> Iterator[Call]:
    """Adds that give each tenant contacts 1 to `rows`, in that order."""
    for number, tenant in zip(
        (row for row in range(1, rows + 1) for _ in tenants), cycle(tenants), strict=False
    ):
        yield Call(f"preload-{tenant}-{number}", tenant, ADD, contact(number))


FLOOR = "floor"
TENANTRY = "tenantry"
BEFORE = "before"
QUIET = "quiet"
"""Tenantry without the tenants' logs."""
HTTP = "http"
"""Tenantry through one gateway, by POST on kept-alive connections."""
WEBSOCKET = "websocket"
"""Tenantry through one gateway, on one WebSocket."""
GATEWAYS = (HTTP, WEBSOCKET)
FASTAPI = "fastapi"
PEERS = (FLOOR, TENANTRY, FASTAPI)
"""Peers of a run by default."""
CHOICES = (FLOOR, TENANTRY, QUIET, HTTP, WEBSOCKET, FASTAPI)
"""In the order in which they take turns."""
ON_REQUEST = (BEFORE, QUIET)
"""Peers that have a column of ratios only if they take part."""


@dataclass(frozen=True)
class Plan:
    """One run."""

    peers: tuple[str, ...]
    """In the order in which they take turns."""
    actions: tuple[str, ...]
    tenants: tuple[int, ...]
    rounds: int
    budget: float
    """Seconds within which the last round must end, judged by the round before."""
    seconds: float
    """Length of a measurement: one peer, one cell, one round."""
    warm_up: float
    """Seconds of untimed load before each measurement."""
    rows: int
    """Contacts in each tenant before the run; reads pick among them."""
    folder: Path
    """Directory of temporary data, on the disk to measure."""
    flags: Mapping[str, str]
    """Passed on to Tenantry's server as --NAME=VALUE."""
    against: Path | None
    """Another checkout of Tenantry to run beside this one, without the flags."""
    pool_size: int
    """Connections to each tenant's database in the FastAPI peer."""
    paces: tuple[str, ...] = ()
    """Of open loops, measured after the closed loop of the same action and tenants."""
    random_ids: bool = False
    """Whether ids of requests are random, and not in the order of time."""

    def cells(self) -> list[Cell]:
        """In the order of measuring: reads first, while every tenant has its first rows only."""
        cells = [
            Cell(action, count, pace)
            for action in self.actions
            for count in self.tenants
            for pace in (WITHOUT_END, *self.paces)
        ]
        return sorted(cells, key=lambda cell: (cell.action != GET, cell.tenants))

    def names(self) -> list[str]:
        """Every tenant of the run, in every peer."""
        return [name for count in self.tenants for name in Cell(GET, count).names()]
