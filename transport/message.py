"""The message API as values: replies, refusals, and what requests and both are made of.

docs/message-api.md is the law; this module is its vocabulary. It uses no socket and no bytes. A request as a
server has it is in `transport/request/model.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

Encoding = Literal["msgpack", "json"]

VERSION = 1

TIMEOUT_MS = 30_000
"""`timeout_ms` of a request that names none."""

ID_PATTERN = r"^[ -~]{1,64}\z"
TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}\z"
ACTION_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\z"

INVALID_ARGUMENT = "invalid_argument"
UNAUTHENTICATED = "unauthenticated"
PERMISSION_DENIED = "permission_denied"
NOT_SUBSCRIBED = "not_subscribed"
REJECTED = "rejected"
NOT_FOUND = "not_found"
ALREADY_EXISTS = "already_exists"
FAILED_PRECONDITION = "failed_precondition"
ABORTED = "aborted"
UNIMPLEMENTED = "unimplemented"
RESOURCE_EXHAUSTED = "resource_exhausted"
DEADLINE_EXCEEDED = "deadline_exceeded"
UNAVAILABLE = "unavailable"
INTERNAL = "internal"

CODES = frozenset(
    {
        INVALID_ARGUMENT,
        UNAUTHENTICATED,
        PERMISSION_DENIED,
        NOT_SUBSCRIBED,
        REJECTED,
        NOT_FOUND,
        ALREADY_EXISTS,
        FAILED_PRECONDITION,
        ABORTED,
        UNIMPLEMENTED,
        RESOURCE_EXHAUSTED,
        DEADLINE_EXCEEDED,
        UNAVAILABLE,
        INTERNAL,
    }
)


_TENANT: Final = re.compile(TENANT_PATTERN.replace(r"\z", r"\Z"))
_ACTION: Final = re.compile(ACTION_PATTERN.replace(r"\z", r"\Z"))


@lru_cache(4096)
def is_tenant_name(name: str) -> bool:
    """Return whether a request may name such a tenant."""
    return _TENANT.match(name) is not None


@lru_cache(4096)
def is_action_name(name: str) -> bool:
    """Return whether a request may name such an action; of 128 characters at most."""
    return _ACTION.match(name) is not None


def is_id(text: str) -> bool:
    """Return whether a request may have such an id; of 1 to 64 characters."""
    return text.isascii() and text.isprintable()


_TRACEPARENT = re.compile(
    r"((?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?", re.DOTALL
)


def readable_traceparent(value: Any) -> str | None:
    """Return the part of a traceparent that this version reads; None if it is invalid, which is no error."""
    found = _TRACEPARENT.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[2] and found[1].startswith("00")):
        return None
    return found[1]


class Problem(NamedTuple):
    """One problem with one field of a request."""

    field: str
    """Dotted path from the request's root, such as `params.email`; empty for the whole request."""
    problem: str
    """The problem in words, without the offending value."""

    def as_map(self) -> dict[str, str]:
        """Return one element of the `details` of a reply."""
        return {"field": self.field, "problem": self.problem}


class Refusal(NamedTuple):
    """Why a request was not served: the `error` map of a reply."""

    code: str
    """One of CODES."""
    message: str
    """For developers: what happened, then what to do."""
    user_message: str | None = None
    """For end users, with the tenant's whitelabel applied."""
    details: tuple[Problem, ...] = ()
    """Problems with single fields."""
    retry_after_ms: int | None = None
    """Milliseconds after which to try again; None if waiting does not help."""
    note: str = ""
    """For logs, in brackets after the message; it is sent to no caller."""

    @property
    def logged(self) -> str:
        """Return the message with the note."""
        return f"{self.message} ({self.note})" if self.note else self.message

    def as_map(self) -> dict[str, Any]:
        """Return the `error` map of a reply, without absent fields."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.user_message is not None:
            error["user_message"] = self.user_message
        if self.details:
            error["details"] = [detail.as_map() for detail in self.details]
        if self.retry_after_ms is not None:
            error["retry_after_ms"] = self.retry_after_ms
        return error


class Reply(NamedTuple):
    """The answer to one request; exactly one of `result` and `error` is set."""

    id: str
    ok: bool
    result: Mapping[str, Any] | None
    error: Refusal | None
    message: str | None
    """Text for a person, such as `to be implemented`."""
    meta: Mapping[str, Any]
    """version, state, reason, replayed (present when true), trace_id."""
