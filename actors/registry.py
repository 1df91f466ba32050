"""The Registry: owns the index, publishes routing tables, is the only writer of registry.toml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from actors.actor import Actor
from actors.index.reader import read_index
from actors.mailbox import Mailbox
from actors.routing import RoutingTable

log = structlog.get_logger()


class Published:
    """One reference, replaced as a whole by its owner and read by everybody: an immutable snapshot."""

    __slots__ = ("current",)

    def __init__(self, current: RoutingTable) -> None:
        self.current = current


class Reload(NamedTuple):
    """Ask: read the index again. Answered by the new table; a broken file raises and changes nothing."""


def load_table(path: Path, environment: str) -> RoutingTable:
    """Read the index and load the code of every version it serves in this environment."""
    return RoutingTable.build(read_index(path), environment)


class Registry(Actor):
    """Replaces the published table between two messages; what has begun ends on its own version."""

    def __init__(
        self,
        mailbox: Mailbox,
        path: Path,
        environment: str,
        tables: Published,
        prepare: Callable[[RoutingTable], object] = lambda _: None,
    ) -> None:
        """`prepare` does beforehand what the first message on a new table would otherwise wait for."""
        super().__init__(mailbox)
        self._prepare = prepare
        self._path = path
        self._environment = environment
        self._tables = tables

    def on_receive(self, message: Any) -> RoutingTable:
        """Reload."""
        if not isinstance(message, Reload):
            raise TypeError(f"the Registry takes Reload, not {type(message).__name__}")
        table = load_table(self._path, self._environment)
        self._prepare(table)
        self._tables.current = table
        log.info("index loaded", path=str(self._path), actions=len(self._tables.current.routes))
        return self._tables.current
