"""The server's errors, on one screen.

An ActionError is an expected refusal: it becomes a reply, and only its own message is rolled back. Any other
error that a function raises is a defect: the caller gets `internal` with a trace id, and the error is logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from transport import message as api
from transport.fit import text_of
from transport.message import Problem, Refusal


class TenantryError(Exception):
    """Root of every error that this project raises on purpose."""


class SettingsError(TenantryError):
    """The server cannot start as configured. The message names the setting and what to do."""


class IndexProblem(TenantryError):
    """The index is rejected as a whole. The message names file, line, key and problem."""


class CodeProblem(TenantryError):
    """A version's code cannot be served: it does not import, or has the wrong signature."""


class DatabaseProblem(TenantryError):
    """A database file is not what it should be: another tenant's, damaged, or of a newer schema."""


class MigrationNeeded(DatabaseProblem):
    """The file is older than the code: it has to be migrated before it is opened."""


class EncryptionError(TenantryError):
    """A value cannot be encrypted or decrypted. The message names the value, then the reason."""


class StatementRefused(TenantryError):
    """A function used ctx.db in a way that is not allowed. The message says why and what to do instead."""


class CallRefused(TenantryError):
    """A function used ctx.call or ctx.send in a way that is not allowed. The message says what to do."""


class MisfitCall(CallRefused):
    """The params of a call do not fit the operation: `invalid_argument`, as for a caller's params."""


class ActionError(TenantryError):
    """A refusal that a function intends. Raise one of the subclasses; the savepoint is rolled back.

    A message that is no text is converted: `NotFound(404)` has the message `404`. Raises TypeError or
    ValueError if `details` are no pairs of field and problem, or `retry_after_ms` is no number.
    """

    code: ClassVar[str] = api.INTERNAL
    refusal: Refusal = Refusal(api.INTERNAL, "a refusal that was made without words")
    """Replaced by `__init__`; this default is for a subclass that does not call it."""

    def __init__(
        self,
        message: str,
        *,
        user_message: str | None = None,
        details: Iterable[Problem] = (),
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.refusal = Refusal(
            text_of(self.code),
            text_of(message),
            None if user_message is None else text_of(user_message),
            tuple(Problem(text_of(field), text_of(problem)) for field, problem in details),
            None if retry_after_ms is None else int(retry_after_ms),
        )


class InvalidArgument(ActionError):
    """The content of the request is invalid."""

    code = api.INVALID_ARGUMENT


class Unauthenticated(ActionError):
    """No valid token for the tenant. The message is the same for every cause."""

    code = api.UNAUTHENTICATED


class PermissionDenied(ActionError):
    """The caller is known and may not do this."""

    code = api.PERMISSION_DENIED


class NotFound(ActionError):
    """The requested thing does not exist."""

    code = api.NOT_FOUND


class AlreadyExists(ActionError):
    """The thing to be created exists already."""

    code = api.ALREADY_EXISTS


class FailedPrecondition(ActionError):
    """The thing is not in a state that allows this."""

    code = api.FAILED_PRECONDITION


class Aborted(ActionError):
    """The revision has changed meanwhile: read it again, then retry."""

    code = api.ABORTED


class Unimplemented(ActionError):
    """No version of the action is served in this environment."""

    code = api.UNIMPLEMENTED


class ResourceExhausted(ActionError):
    """A mailbox, a rate or a quota is full."""

    code = api.RESOURCE_EXHAUSTED


class DeadlineExceeded(ActionError):
    """The request was not begun, or not finished, before its timeout."""

    code = api.DEADLINE_EXCEEDED


class Unavailable(ActionError):
    """The tenant is suspended, restarting or stopping, or its database cannot be written."""

    code = api.UNAVAILABLE


class NotSubscribed(ActionError):
    """The tenant has no subscription to this connector now."""

    code = api.NOT_SUBSCRIBED


class ConnectorFailed(ActionError):
    """A defect of a connector's code, not of the function. It is logged with the trace id."""


class Rejected(ActionError):
    """The input was screened out. `rules` are for logs, and are sent to no caller."""

    code = api.REJECTED

    def __init__(
        self, message: str, *, details: Iterable[Problem] = (), rules: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, details=details)
        self.rules = rules
        if rules:
            self.refusal = self.refusal._replace(note=f"rules: {', '.join(rules)}")


class AuditProblem(Unavailable):
    """The audit log cannot be written or read. The message names the file, the reason and what to do."""


def id_reused(id_: str) -> InvalidArgument:
    """Return the refusal of a request whose id was used for other content."""
    return InvalidArgument(
        f"id {id_!r} was used for another request within 24 h; "
        "a request with different content needs an id of its own",
        details=(Problem("id", "was used for another request"),),
    )
