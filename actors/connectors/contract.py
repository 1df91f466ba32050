"""What a connector is: two pure translations with the one exchange between them that reaches outside.

The engine adds limits, retries and the journal; a connector has none of these. Its exceptions say whether a
retry can help.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from actors.errors import TenantryError

Settings = Any
"""One tenant's settings for one connector as attributes. They hold secrets in clear text: never log them.

They fit `[connectors.NAME.settings]` of the index; a setting that is not set has its default, or else None.
"""

Outer = Mapping[str, Any]
"""A request or a response in the form of the outside service, as JSON values; bytes are base64."""


class Delivery(NamedTuple):
    """One operation on an outside service. All attempts have the same values, except the deadline."""

    operation: str
    """Without the connector's name: `send`, of `mail.send`."""
    tenant: str
    """The tenant's name."""
    key: str
    """The idempotency key: the outside service can recognise a repeated delivery by it."""
    at: float
    """When the function asked for it: time.time() in seconds."""
    deadline: float
    """When this attempt must have ended: time.monotonic() in seconds."""
    trace_id: str
    """The trace id of the request that asked for it."""


class ConnectorProblem(TenantryError):
    """The operation was not done, or its result is unknown. The message holds no secret and no content."""


class Transient(ConnectorProblem):
    """A retry may succeed: the network is down, or the service is busy."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds that the service asks clients to wait; None if it gives none."""


class Permanent(ConnectorProblem):
    """A retry would fail again: wrong settings, a refused target, or a service that rejects the request."""


class Connector(Protocol):
    """A client of an outside service. One instance serves all tenants, on one event loop; it stores no data.

    It may also have `check(settings)`: pure, and it raises Permanent if settings that fit their schema can
    never work. The engine calls it before it stores settings.

    Its class is called once for each version, with the operator's EgressPolicy
    (actors/connectors/outbound/boundary.py).
    """

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Settings) -> Outer:
        """Return the request for the outside service. Pure, and without secrets: the journal stores it.

        Raises Permanent if the params or the settings do not make a request.
        """

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Settings) -> Outer:
        """Send the request and return the response. Only this uses the network. Transient, Permanent."""

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:
        """Return the function's result, as the index describes it. Pure."""

    async def close(self) -> None:
        """Close everything that is open."""
