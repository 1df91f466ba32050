"""A demo server and a gateway before it, as children, each of which can be killed and started again."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.child import Child
from tests.conftest import NO_RATES

GATEWAY = ("-m", "transport.gateway")


class Served:
    """Both on ports that stay the same over restarts; a context manager that ends them."""

    def __init__(self, data: Path, *gateway_arguments: str) -> None:
        self._data = data
        self._gateway_arguments = gateway_arguments
        self._endpoint = "tcp://127.0.0.1:*"
        self._port = 0
        self._children: list[Child] = []
        self.start_server()
        self.start_gateway()

    def start_server(self) -> None:
        """Start the server, where it was before."""
        settings: dict[str, Any] = {"data": self._data, "endpoint": self._endpoint, **NO_RATES}
        self._server = self._begun(Child("--demo", **settings))
        self._endpoint = self._server.ready()

    def start_gateway(self) -> None:
        """Start the gateway, where it was before."""
        where = ("--server", self._endpoint, "--port", self._port, "--address-rate", 0)
        self._gateway = self._begun(Child(*where, *self._gateway_arguments, program=GATEWAY))
        self.address = self._gateway.ready()
        self._port = int(self.address.rpartition(":")[2])

    def kill_server(self) -> None:
        """As a power cut does."""
        self._server.stop(signal.SIGKILL)

    def kill_gateway(self) -> None:
        """The same."""
        self._gateway.stop(signal.SIGKILL)

    def token(self, tenant: str = "acme") -> str:
        """A member's."""
        tokens = json.loads((self._data / "demo.json").read_text())["tokens"]
        return str(tokens[tenant])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            child.__exit__(kind, error, trace)

    def _begun(self, child: Child) -> Child:
        self._children.append(child)
        return child
