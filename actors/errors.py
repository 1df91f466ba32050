"""What can go wrong, on one screen.

An ActionError is an expected refusal: it becomes a reply and rolls back its own message only. Anything
else that a function raises is a defect: the caller gets `internal` with a trace id, and it is logged.
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
    """The server cannot start as configured; the message says which setting and what to do."""


class IndexProblem(TenantryError):
    """The index is refused whole; the message names file, line, key and problem."""


class CodeProblem(TenantryError):
    """A version's code cannot be served: it does not import, or has the wrong signature."""


class DatabaseProblem(TenantryError):
    """A database file is not what it should be: another tenant's, damaged, or of a newer schema."""


class MigrationNeeded(DatabaseProblem):
    """The file is older than the code: it has to be migrated before it is opened."""


class EncryptionError(TenantryError):
    """What is encrypted cannot be read, or nothing be encrypted; the message says why, after what it is."""


class StatementRefused(TenantryError):
    """A function tried what ctx.db does not allow; the message says why and what to do instead."""


class CallRefused(TenantryError):
    """A function tried what ctx.call or ctx.send does not allow; the message says why and what to do."""


class MisfitCall(CallRefused):
    """What it wanted to send does not fit the operation: `invalid_argument`, as the caller's own would."""


class ActionError(TenantryError):
    """A refusal that a function means. Raise one of the subclasses; the savepoint is rolled back.

    What is no text becomes text: `NotFound(404)` says `404`. TypeError, ValueError where `details` are no
    pairs of field and problem, or `retry_after_ms` is no number.
    """

    code: ClassVar[str] = api.INTERNAL
    refusal: Refusal = Refusal(api.INTERNAL, "a refusal that was made without words")
    """Another one in each that was made by `__init__`, which a subclass may forget to call."""

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
    """The request's content cannot be served as it is."""

    code = api.INVALID_ARGUMENT


class Unauthenticated(ActionError):
    """No valid token for that tenant; says the same whatever the cause."""

    code = api.UNAUTHENTICATED


class PermissionDenied(ActionError):
    """The caller is known and may not do this."""

    code = api.PERMISSION_DENIED


class NotFound(ActionError):
    """The thing asked for is not there."""

    code = api.NOT_FOUND


class AlreadyExists(ActionError):
    """What was to be created is there already."""

    code = api.ALREADY_EXISTS


class FailedPrecondition(ActionError):
    """The thing is not in a state that allows this."""

    code = api.FAILED_PRECONDITION


class Aborted(ActionError):
    """A revision moved in between: read again and try again."""

    code = api.ABORTED


class Unimplemented(ActionError):
    """No version of the action is served in this environment."""

    code = api.UNIMPLEMENTED


class ResourceExhausted(ActionError):
    """A mailbox, a rate or a quota is full."""

    code = api.RESOURCE_EXHAUSTED


class DeadlineExceeded(ActionError):
    """The work was not begun, or not finished, before the request's timeout."""

    code = api.DEADLINE_EXCEEDED


class Unavailable(ActionError):
    """The tenant is suspended, restarting or stopping, or its database cannot be written."""

    code = api.UNAVAILABLE


class NotSubscribed(ActionError):
    """The tenant may not use this connector, or not now."""

    code = api.NOT_SUBSCRIBED


class ConnectorFailed(ActionError):
    """A defect of a connector's code: logged with the trace id, and no fault of the function's."""


class AuditProblem(Unavailable):
    """The admin log cannot be written or read; the message says which file, why and what to do."""
