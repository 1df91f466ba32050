"""Deliveries to connectors, and boundaries around them, for tests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from actors.connectors.contract import Connector, Delivery, Settings
from actors.connectors.engine.instances import parse_settings
from actors.connectors.outbound.boundary import EgressPolicy, Resolver
from actors.index.parser import read_index

T = TypeVar("T")

INDEX = read_index(Path(__file__).parents[3] / "registry.toml")

LOOPBACK = EgressPolicy.from_settings(["127.0.0.0/8"])
"""Admits this machine, which is where the peers of tests are."""

AT = 1_764_000_000.5
"""24 November 2025, 16:00 UTC."""


def delivery(operation: str, *, key: str = "k-1", seconds: float = 20.0) -> Delivery:
    """One of acme's, with so many seconds left."""
    return Delivery(operation, "acme", key, AT, time.monotonic() + seconds, "0123abcd")


def known(connector: str, **settings: Any) -> Settings:
    """Settings of one of our connectors, as its code gets them."""
    return parse_settings(settings, INDEX.connectors[connector].settings)


async def deliver(
    connector: Connector, what: Delivery, params: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole way once, as the one who runs connectors goes it; the result is what the index promises."""
    name = type(connector).__module__.rpartition(".")[2]
    fit = known(name, **settings)
    outer = connector.outer(what, params, fit)
    json.dumps(outer)
    result = connector.inner(what, await connector.exchange(what, outer, fit))
    INDEX.connectors[name].operations[f"{name}.{what.operation}"].result.check(result)
    return result


def names(table: Mapping[str, Sequence[str]]) -> Resolver:
    """Resolves these names, and no others."""

    async def resolve(name: str) -> Sequence[str]:
        if name not in table:
            raise OSError(name)
        return table[name]

    return resolve


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run one test's coroutine, with asyncio's own checks on."""
    return asyncio.run(main, debug=True)
