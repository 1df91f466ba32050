"""A gateway as a child process before a running server, and HTTP clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx2
import pytest

from tests.child import Child
from tests.conftest import Server

PROGRAM = ("-m", "transport.gateway")


class Gateway:
    """A gateway before a server; a context manager that ends it."""

    def __init__(self, endpoint: str, *arguments: str) -> None:
        self.child = Child("--server", endpoint, "--port", 0, *arguments, program=PROGRAM)
        self.address = self.child.ready()
        """Such as http://127.0.0.1:40123."""
        self.http = httpx2.Client(base_url=self.address, timeout=20.0)

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self.address.rpartition(":")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()
        self.child.__exit__(kind, error, trace)


class Web:
    """HTTP calls as a member of a tenant."""

    def __init__(self, gateway: Gateway, server: Server) -> None:
        self.gateway = gateway
        self.server = server
        self.http = gateway.http

    def headers(self, tenant: str = "acme") -> dict[str, str]:
        """What authenticates a member of the tenant."""
        return {"authorization": f"Bearer {self.server.tokens[tenant]}"}

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The same as bytes, beside headers that are no text."""
        return [(name.encode(), value.encode()) for name, value in self.headers().items()]

    def post(
        self, action: str, params: Any = None, *, tenant: str = "acme", **headers: str
    ) -> httpx2.Response:
        """Call an action; headers by their names with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            f"/v1/{tenant}/{action}",
            json={} if params is None else params,
            headers=self.headers(tenant) | given,
        )


@pytest.fixture(scope="module")
def gateway(server: Server) -> Iterator[Gateway]:
    """One gateway for a module's tests."""
    with Gateway(server.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def web(gateway: Gateway, server: Server) -> Web:
    """Calls of acme's member, and of globex's."""
    return Web(gateway, server)
