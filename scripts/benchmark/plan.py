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


class Cell(NamedTuple):
    """One cell of the table: an action, spread over so many tenants."""

    action: str
    tenants: int

    def __str__(self) -> str:
        return f"{self.action}, {self.tenants} tenant{'s' if self.tenants > 1 else ''}"

    def names(self) -> list[str]:
        """The tenants of this cell: each tenant count has its own, so that cells do not add up."""
        return [f"bench-{self.tenants}-{number}" for number in range(self.tenants)]


class Call(NamedTuple):
    """One call, before it is packed for a peer."""

    id: str
    tenant: str
    action: str
    params: Mapping[str, Any]


def calls(cell: Cell, phase: str, seed: int, rows: int) -> Iterator[Call]:
    """Calls without end: each tenant once, then tenants at random; reads pick one of `rows` ids.

    `phase` is a prefix that makes ids unique in a run; the number in hexadecimal follows it.
    """
    chance = random.Random(seed)
    for number, tenant in enumerate(touch_then_scatter(cell.names(), chance)):
        params = (
            contact(FRESH + number) if cell.action == ADD else {"id": chance.randrange(rows) + 1}
        )
        yield Call(f"{phase}{number:06x}", tenant, cell.action, params)


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

    def cells(self) -> list[Cell]:
        """In the order of measuring: reads first, while every tenant has its first rows only."""
        cells = [Cell(action, count) for action in self.actions for count in self.tenants]
        return sorted(cells, key=lambda cell: (cell.action != GET, cell.tenants))

    def names(self) -> list[str]:
        """Every tenant of the run, in every peer."""
        return [name for count in self.tenants for name in Cell(GET, count).names()]
