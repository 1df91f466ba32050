"""Routing tables of an index, without a server."""

from __future__ import annotations

from pathlib import Path

from actors.index.parser import read_served_index
from actors.routing.table import RoutingTable


def load_table(path: Path, environment: str) -> RoutingTable:
    """Read the index and load the code of every version it serves in this environment."""
    return RoutingTable.build(read_served_index(path), environment)
