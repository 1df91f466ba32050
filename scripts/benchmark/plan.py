"""What to measure: chosen on the command line, fixed for the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.calls import GET, Cell

FLOOR = "floor"
TENANTRY = "tenantry"
BEFORE = "before"
QUIET = "quiet"
"""Tenantry without the tenants' logs."""
FASTAPI = "fastapi"
PEERS = (FLOOR, TENANTRY, FASTAPI)
"""Unless others are asked for."""
CHOICES = (FLOOR, TENANTRY, QUIET, FASTAPI)
"""In the order in which they take turns."""
ON_REQUEST = (BEFORE, QUIET)
"""Have a column of ratios only where they took part."""


@dataclass(frozen=True)
class Plan:
    """One run."""

    peers: tuple[str, ...]
    """In the order in which they take turns."""
    actions: tuple[str, ...]
    tenants: tuple[int, ...]
    rounds: int
    budget: float
    """Seconds after which no further round is begun that would not end by then, as the last one went."""
    seconds: float
    """Length of a timed stretch: one peer, one cell, one round."""
    warm_up: float
    """Seconds of untimed load before each stretch."""
    rows: int
    """Contacts in each tenant before the run; reads pick among them."""
    folder: Path
    """Where temporary data goes, on the disk that is to be measured."""
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
