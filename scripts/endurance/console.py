"""The admin channel of a server under trial, as the first developer admin has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from actors.assembly.provisioning import TOKEN_FILE
from scripts.benchmark.plan import Call
from scripts.endurance.wire import NoReply, Reply, Wire, problem

FUNCTION = "marks.sign"
"""Has versions 1 and 2 in the index of trouble; 2 is the one that is moved."""


NO_OWNERS: Final[Mapping[str, str]] = MappingProxyType({})


class Console:
    """One connection; a new one for each server process."""

    def __init__(self, data: Path, owners: Mapping[str, str] = NO_OWNERS) -> None:
        """As a developer admin, and about these tenants as their owner, by the token."""
        token = (data / TOKEN_FILE).read_text().strip()
        self._wire = Wire(f"ipc://{data / 'admin.sock'}", defaultdict(lambda: token, owners))
        self._numbers = count()

    def move(self, to: str) -> None:
        """Order version 2 to be moved; its answer comes by `receive`."""
        self._send(
            "functions.move", {"function": FUNCTION, "version": 2, "to": to, "why": "a trial"}
        )

    def receive(self) -> Reply | None:
        """The result of what was ordered, if it has come; NoReply where that was refused."""
        reply = self._wire.receive(0.0)
        return None if reply is None else result(reply)

    def moved(self, *states: str) -> None:
        """Move version 2 through these states, one after the other; NoReply."""
        for to in states:
            self.move(to)
            result(self._wire.reply())

    def ask(self, action: str, tenant: str = "", /, **params: object) -> Reply:
        """The result, about a tenant where one is named; NoReply where it is refused."""
        self._send(action, params, tenant)
        return result(self._wire.reply())

    def connect(self, tenants: Iterable[str], connector: str, **settings: object) -> None:
        """Let these tenants use a connector, with these settings."""
        for tenant in tenants:
            self.ask("subscriptions.set", tenant, connector=connector)
            self.ask("connectors.configure", tenant, connector=connector, settings=settings)

    def close(self) -> None:
        """Leave."""
        self._wire.close()

    def _send(self, action: str, params: dict[str, Any], tenant: str = "") -> None:
        self._wire.send(Call(f"order-{next(self._numbers)}", tenant, action, params))


def result(reply: Reply) -> Reply:
    """Of an order; NoReply where it was refused: no trial gives one that may be."""
    if wrong := problem(reply):
        raise NoReply(f"an order was refused: {wrong}")
    found: Reply = reply["result"]
    return found
