"""Errors that a call raises instead of returning a result: one class for each error code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transport import message as api
from transport.message import Problem, Refusal, Reply


class CallError(Exception):
    """Root of all errors of calls; raised itself for a code that this client does not know."""

    code: str = "unknown"
    """The code on the wire; `no_answer` if no reply came."""

    def __init__(self, refusal: Refusal, id: str, trace_id: str | None = None) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.code = refusal.code
        self.message = refusal.message
        """For developers."""
        self.user_message = refusal.user_message
        """For end users; None if the server has no text for them."""
        self.details: tuple[Problem, ...] = refusal.details
        """What is wrong with which field."""
        self.retry_after_ms = refusal.retry_after_ms
        """Milliseconds after which the same call, with the same id, makes sense; None: do not wait."""
        self.id = id
        """The request's id."""
        self.trace_id = trace_id
        """Finds the request in the server's logs; None if the server did not receive it."""

    def __reduce__(self) -> tuple[Any, ...]:
        refusal = Refusal(
            self.code, self.message, self.user_message, self.details, self.retry_after_ms
        )
        return type(self), (refusal, self.id, self.trace_id)


class NoAnswer(CallError, TimeoutError):
    """No reply came within the timeout. Whether the request was served is not known.

    Make the same call with `id=error.id`: it takes effect once, whether or not this one did.
    """

    code = "no_answer"


class InvalidArgument(CallError):
    """The request does not fit the action's schema, or is not a request and was not sent."""

    code = api.INVALID_ARGUMENT


class Unauthenticated(CallError):
    """The token is missing, unknown, expired or another tenant's, or the tenant is unknown."""

    code = api.UNAUTHENTICATED


class PermissionDenied(CallError):
    """The caller's role does not allow the action."""

    code = api.PERMISSION_DENIED


class NotSubscribed(CallError):
    """The action needs a connector that the tenant has not subscribed to."""

    code = api.NOT_SUBSCRIBED


class Rejected(CallError):
    """A screening rule refused the input."""

    code = api.REJECTED


class NotFound(CallError):
    """The action, or the object that the request names, does not exist."""

    code = api.NOT_FOUND


class AlreadyExists(CallError):
    """The object to create exists already."""

    code = api.ALREADY_EXISTS


class FailedPrecondition(CallError):
    """The object's state does not allow the action."""

    code = api.FAILED_PRECONDITION


class Aborted(CallError):
    """A revision changed meanwhile. Read again, then try again with a new id."""

    code = api.ABORTED


class Unimplemented(CallError):
    """No version of the action is served in that environment."""

    code = api.UNIMPLEMENTED


class ResourceExhausted(CallError):
    """A mailbox was full, or a rate limit or quota exceeded, for as long as this call could wait."""

    code = api.RESOURCE_EXHAUSTED


class DeadlineExceeded(CallError):
    """The server did not begin the work before the request's timeout; nothing was done."""

    code = api.DEADLINE_EXCEEDED


class Unavailable(CallError):
    """The tenant is suspended or restarting, or its database cannot be written."""

    code = api.UNAVAILABLE


class Internal(CallError):
    """A defect of the server; give its operator the trace id."""

    code = api.INTERNAL


_CLASSES: dict[str, type[CallError]] = {kind.code: kind for kind in CallError.__subclasses__()}


def failure(refusal: Refusal, id: str, trace_id: str | None = None) -> CallError:
    """Return the error of a refusal's code."""
    return _CLASSES.get(refusal.code, CallError)(refusal, id, trace_id)


def result_of(reply: Reply) -> Mapping[str, Any]:
    """Return the result of a reply, or raise its error."""
    if reply.error is not None:
        raise failure(reply.error, reply.id, reply.meta.get("trace_id"))
    assert reply.result is not None
    return reply.result
