"""One HTTP status for each error code of the message API, and the refusals that HTTP itself has need of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from transport import message as api
from transport.gateway.envelope import problem
from transport.message import Refusal

OK: Final = 200
NO_CONTENT: Final = 204
NOT_MODIFIED: Final = 304
REUSED_ID: Final = 422
"""An id that was used for other content: `invalid_argument` about the field `id`."""

STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        api.INVALID_ARGUMENT: 400,
        api.UNAUTHENTICATED: 401,
        api.NOT_SUBSCRIBED: 402,
        api.PERMISSION_DENIED: 403,
        api.NOT_FOUND: 404,
        api.ALREADY_EXISTS: 409,
        api.FAILED_PRECONDITION: 409,
        api.ABORTED: 409,
        api.REJECTED: 422,
        api.RESOURCE_EXHAUSTED: 429,
        api.INTERNAL: 500,
        api.UNIMPLEMENTED: 501,
        api.UNAVAILABLE: 503,
        api.DEADLINE_EXCEEDED: 504,
    }
)
"""The status of each error code."""


class HttpRefusal(Exception):
    """A request that the gateway refuses by itself."""

    def __init__(
        self, refusal: Refusal, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """`status` where HTTP has one of its own for this; otherwise the code's."""
        super().__init__(refusal.message)
        self.refusal = refusal
        self.status = STATUSES[refusal.code] if status is None else status
        self.headers = headers or {}


def invalid(words: str, field: str = "", status: int | None = None) -> HttpRefusal:
    """Return the refusal of what is no request of this API."""
    return HttpRefusal(problem(api.INVALID_ARGUMENT, words, field), status)


def no_such_path() -> HttpRefusal:
    """Return the refusal of a path that leads nowhere."""
    return HttpRefusal(
        problem(
            api.NOT_FOUND,
            "there is nothing at this path: an action is at /v1/TENANT/ACTION, such as "
            "/v1/acme/contacts.add; /docs lists what there is",
        )
    )


def wrong_method(allowed: str) -> HttpRefusal:
    """Return the refusal of a method that a path does not have."""
    refusal = problem(api.INVALID_ARGUMENT, f"this path takes {allowed}")
    return HttpRefusal(refusal, 405, {"allow": allowed})


def too_large(most: int) -> HttpRefusal:
    """Return the refusal of a body past the limit, in bytes."""
    words = f"the body is longer than {most} bytes"
    return HttpRefusal(problem(api.INVALID_ARGUMENT, words), 413, {"connection": "close"})


def too_slow(seconds: float) -> HttpRefusal:
    """Return the refusal of a body that did not come in time."""
    words = f"the body did not come within {seconds:g} s; nothing was done"
    return HttpRefusal(problem(api.INVALID_ARGUMENT, words), 408, {"connection": "close"})
