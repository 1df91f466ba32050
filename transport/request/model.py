"""A request, validated against the envelope of the message API, and what is wrong with one that is none.

Importing pydantic takes a tenth of a second: a client does it if something is wrong (`outgoing.py`).
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from transport.message import (
    ACTION_PATTERN,
    ID_PATTERN,
    TENANT_PATTERN,
    TIMEOUT_MS,
    VERSION,
    Problem,
    readable_traceparent,
)
from transport.validation import safe_name

_EXPECTED = {
    "v": "must be 1, the version that this server speaks",
    "id": "must be a string of 1-64 printable ASCII characters",
    "tenant": "must be a string of 1-63 of a-z, 0-9 and -, not beginning with -",
    "action": "must be a string of at most 128 characters, dotted lower case, such as contacts.add",
    "params": "must be a map",
    "token": "must be a string of at most 512 characters",
    "timeout_ms": "must be an integer from 1 to 600000",
    "traceparent": "must be a W3C traceparent: 2, 32, 16 and 2 hexadecimal digits, joined by -",
}
"""What each field of a request must be; also the list of fields that there are."""

_DETAILS = 20
"""Problems named in one refusal; a developer with more has enough to go on."""


class Request(BaseModel):
    """One request, validated against the envelope and not against its action's schema.

    Unknown fields are refused, so that a misspelt `timeout` is noticed.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    v: int = Field(default=VERSION, ge=VERSION, le=VERSION)
    """Protocol version. Not a Literal, which would accept `true` for 1."""
    id: str = Field(pattern=ID_PATTERN)
    """Names this request and is its idempotency key for 24 h; 1-64 printable ASCII characters."""
    tenant: str | None = Field(default=None, pattern=TENANT_PATTERN)
    """The tenant; required for tenant actions."""
    action: str = Field(max_length=128, pattern=ACTION_PATTERN)
    """Name of an action in the index, dotted lower case."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Validated later, against the action's schema."""
    token: str | None = Field(default=None, max_length=512)
    """Bearer token; required unless the action is public."""
    timeout_ms: int = Field(default=TIMEOUT_MS, ge=1, le=600_000)
    """Milliseconds after which the server does not begin the work."""
    traceparent: Annotated[str | None, BeforeValidator(readable_traceparent)] = Field(
        default=None, pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\z"
    )
    """W3C Trace Context, level 1, section 3.2; None if it is absent or cannot be read."""


def problems_of(error: ValidationError) -> list[Problem]:
    """Return the problems of a request's fields, without their values."""
    errors = error.errors(include_url=False, include_input=False)
    return [_problem(one) for one in errors[:_DETAILS]]


def _problem(error: ErrorDetails) -> Problem:
    field = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field[:64], _EXPECTED, n=1)
        return Problem(
            safe_name(field), "unknown field" + (f"; did you mean {near[0]}?" if near else "")
        )
    return Problem(field, ("missing; " if error["type"] == "missing" else "") + _EXPECTED[field])
