"""What a connector is: two pure translations with the one exchange between them that reaches outside.

Whoever runs connectors brings limits, retries and the journal; a connector brings none of these. It tells
by its exceptions whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from actors.errors import TenantryError

Settings = Any
"""One tenant's settings for one connector as attributes, secrets in clear among them: never kept or logged.

They fit `[connectors.NAME.settings]` of the index; what is not set is its default, or else None.
"""

Outer = Mapping[str, Any]
"""A request or a response as the outside has it, fit for JSON; bytes are base64."""


class Delivery(NamedTuple):
    """One thing to be done outside; the same over all attempts at it, but for the deadline."""

    operation: str
    """Without the connector's name: `send`, of `mail.send`."""
    tenant: str
    """The tenant's name."""
    key: str
    """The idempotency key: the outside can tell by it that it has seen this delivery before."""
    at: float
    """When it was asked for: time.time() in seconds."""
    deadline: float
    """When this attempt must be over: time.monotonic() in seconds."""
    trace_id: str
    """That of the request it came from."""


class ConnectorProblem(TenantryError):
    """It was not done, or nobody knows. The message names no secret and no content."""


class Transient(ConnectorProblem):
    """It may go better next time: a network that is down, a service that is busy."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds that the service asks us to wait; None where it asks nothing."""


class Permanent(ConnectorProblem):
    """The same again would fail again: wrong settings, a refused target, a service that says no."""


class Connector(Protocol):
    """A way to an outside service. One serves all tenants, on one event loop; it keeps nothing of theirs.

    It may have `check(settings)` besides: pure, Permanent where settings that fit can never work; it is asked
    before they are kept.

    Its class is called once for each version, with the operator's EgressPolicy
    (actors/connectors/outbound/boundary.py).
    """

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Settings) -> Outer:
        """The request as the outside wants it. Pure, and without secrets: it is written to the journal.

        Permanent where the params or the settings cannot become one.
        """

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Settings) -> Outer:
        """Send it and wait for the answer: the only part that touches the network. Transient, Permanent."""

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:
        """The result for the function that asked, as the index describes it. Pure."""

    async def close(self) -> None:
        """Let go of whatever is held open."""
