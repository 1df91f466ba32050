"""Servers that come and go on one data directory, and a look at their tenants' files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import Server
from tests.raw_client import Map

INDEX = Path(__file__).parent.parent / "faulty" / "registry.toml"


class Servers:
    """Makes servers on one data directory, one at a time."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._running: list[Server] = []

    def __call__(self, **settings: Any) -> Server:
        """Stop the last one, and start another."""
        self.stop()
        self._running.append(Server(self.data, **{"registry": INDEX, **settings}))
        return self._running[0]

    def stop(self) -> None:
        """Stop the one that runs, if any."""
        while self._running:
            self._running.pop().stop()


def request(server: Server, tenant: str, action: str, **params: Any) -> Map:
    """The fields of a member's request."""
    return {"tenant": tenant, "token": server.tokens[tenant], "action": action, "params": params}


def path_of(server: Server, tenant: str) -> Path:
    """The tenant's file."""
    record = server.system.local.find_tenant(tenant)
    assert record is not None
    return server.system.settings.data / "tenants" / f"{record.id}.db"
