"""What is asked of every peer: the same sequence of calls, whatever they are packed into."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
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


def calls(cell: Cell, stretch: str, seed: int, rows: int) -> Iterator[Call]:
    """Calls without end: each tenant once, then tenants at random; reads pick one of `rows` ids.

    `stretch` is a prefix that makes ids unique in a run; the number in hexadecimal follows it.
    """
    chance = random.Random(seed)
    for number, tenant in enumerate(touch_then_scatter(cell.names(), chance)):
        params = (
            contact(FRESH + number) if cell.action == ADD else {"id": chance.randrange(rows) + 1}
        )
        yield Call(f"{stretch}{number:06x}", tenant, cell.action, params)


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
