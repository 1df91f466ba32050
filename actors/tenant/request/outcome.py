"""The outcome of a request: what its reply will say, as a value, before it is worded, encoded and stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from msgspec import Struct
from msgspec.structs import replace

from actors.messages import TenantRequest
from actors.routing.health import Running
from actors.routing.route import Route
from transport.message import Refusal


@final
class Outcome(Struct, frozen=True):
    """What became of a request. It has a result, an earlier reply to repeat, an error or a refusal."""

    work: TenantRequest
    route: Route | None
    """The version that was chosen; None if none was, yet."""
    began: float
    """time.monotonic() in seconds."""
    result: Mapping[str, Any] | None = None
    """The result, checked; of a dummy its example."""
    digest: bytes | None = None
    """Fingerprint of a write, stored with its reply; None if no reply is stored."""
    stored: bytes | None = None
    """The reply to an earlier request with the same id."""
    error: BaseException | None = None
    """What ended the request. Whatever it wrote is rolled back."""
    running: Running | None = None
    """The call that ended in the error; None if no function had begun."""
    refusal: Refusal | None = None
    """A refusal of a request whose effects are kept: it was set aside."""

    def failed(self, error: BaseException) -> Outcome:
        """Return the outcome of a request whose reply cannot be made or stored."""
        return replace(self, error=error)


class NeedsOwnTransaction(Exception):
    """Signal, no failure: the function of this request may wait, so it needs its own transaction."""

    def __init__(self, work: TenantRequest, route: Route, params: Any) -> None:
        super().__init__(route.name)
        self.work = work
        self.route = route
        self.params = params


class NeedsSavepoints(Exception):
    """Signal: a request failed after it may have written, in a turn without savepoints.

    No refusal is made, and nothing is counted or logged.
    """
