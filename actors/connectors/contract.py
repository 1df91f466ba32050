"""What the code of a connector is: two pure transformations, and the I/O between them.

A version's class is made once, without arguments, and serves every tenant; what differs between tenants comes
with each call. `inner` data is the index's, `outer` data the outside service's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class Delivery(NamedTuple):
    """Which call this is."""

    operation: str
    """With the connector's name, such as `mail.send`."""
    tenant: str
    """The tenant's name."""
    key: str
    """Idempotency key: the same for every try of one call, and another for every other call."""
    deadline: float
    """time.monotonic() in seconds; nobody waits for the answer after it."""
    trace_id: str


class Transient(Exception):
    """It did not work, and trying again can help: nobody there, busy, a limit that passes."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds that the service asks to be left alone; None where it does not say."""


class Permanent(Exception):
    """It did not work, and will not: refused, misconfigured, not there."""


class Connector(Protocol):
    """One version of a connector. Anything else that it raises is a defect of its own."""

    settings: Mapping[str, Any]
    """JSON Schema of what a tenant states for it; secrets have `format = "password"`."""

    def outer(
        self, delivery: Delivery, params: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The service's request, as JSON has values. Pure; Permanent where there can be none."""
        ...

    async def exchange(
        self, delivery: Delivery, outer: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Do the I/O and nothing else; cancelled where it takes too long. Transient, Permanent."""
        ...

    def inner(self, delivery: Delivery, response: Mapping[str, Any]) -> Mapping[str, Any]:
        """The operation's result. Pure; Permanent where the service has refused after all."""
        ...

    async def close(self) -> None:
        """Let go of connections; no call is under way any more."""
        ...
