"""ctx.call: connector calls of a function that waits for the result.

Nothing leaves from here. The tenant sends an awaited call once everything that the function wrote before is
on disk. A step that is rolled back has sent no call.

A connector call needs a subscription that is valid now. Without one, the end user gets a friendly message.
The index names the action that words it (`not_subscribed` of the connector); that is one of the tenant's
functions, run on its database, where it may only read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import structlog

from actors.errors import CallRefused, InvalidArgument, MisfitCall, NotSubscribed, Unimplemented
from actors.index.entries import Action, Operation
from actors.messages import CallConnector
from actors.profiles import Profile, may_use
from actors.registry.shared import MailboxesByName
from actors.replies import NOT_IMPLEMENTED_TEXT
from actors.routing.table import RoutingTable
from actors.runtime.futures import resolve_with_error

log = structlog.get_logger()


def start_call(connectors: MailboxesByName, call: CallConnector) -> None:
    """Send a call to its connector. Without one, the call is refused as not implemented."""
    connector = call.operation.partition(".")[0]
    mailbox = connectors.get(connector)
    if mailbox is None:
        error = Unimplemented(f"connector {connector}: {NOT_IMPLEMENTED_TEXT}")
        resolve_with_error(call.reply_to, error)
    else:
        mailbox.tell(call)


PLAIN: Final = (
    "This is not part of what {product_name} does for you so far. Please ask whoever manages your account "
    "to add it."
)
"""The message to end users if neither an action nor the whitelabel has one."""

NAMELESS: Final = PLAIN.replace("{product_name}", "this service")

Run = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

RequireSubscribed = Callable[[Operation], None]
"""Raises NotEntitled if the tenant may not use this operation now."""


class NotEntitled(NotSubscribed):
    """The tenant has no valid subscription to this connector."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.connector = operation.partition(".")[0]
        super().__init__(
            f"{operation} needs a subscription to {self.connector}, which the tenant does not have now: its "
            "owners see to that with subscriptions.set"
        )


def require_subscribed(operation: Operation, profile: Profile, table: RoutingTable) -> None:
    """Raise NotEntitled unless the tenant's subscription is valid now. Built-in connectors need none."""
    connector = operation.name.partition(".")[0]
    if connector not in table.connectors:
        return
    if not may_use(profile, connector, time.time()):
        raise NotEntitled(operation.name)


def user_message(error: NotEntitled, profile: Profile, table: RoutingTable, run: Run) -> str | None:
    """Return the message of the action that the index names; None if the whitelabel has a text for the code.

    `run` runs an action, read-only, and returns its result. An error in it is logged, and the plain sentence
    is used.
    """
    connector = table.connectors.get(error.connector)
    action = connector and connector.not_subscribed
    if action:
        params = {"connector": error.connector, "operation": error.operation}
        try:
            return str(run(action, params)["user_message"])
        except Exception as problem:
            log.error("not_subscribed action failed", action=action, exc_info=problem)
    whitelabel = profile.config.whitelabel
    texts = whitelabel.get("texts")
    if isinstance(texts, Mapping) and error.code in texts:
        return None
    return PLAIN if isinstance(whitelabel.get("product_name"), str) else NAMELESS


AWAITABLE: Final = (
    "only ctx.call(...) can be awaited here: there is no event loop, so have a connector do what takes "
    'time; await ctx.call("timer.sleep", seconds=1) waits'
)
"""The error in a function that awaits anything else, such as asyncio.sleep()."""


class ConnectorCall:
    """One call of an operation, to be awaited once."""

    __slots__ = ("_calls", "operation", "params")

    def __init__(
        self, calls: ConnectorCalls, operation: Operation, params: Mapping[str, Any]
    ) -> None:
        self._calls = calls
        self.operation = operation
        self.params = params

    def __await__(self) -> Generator[ConnectorCall, Any, Any]:
        """Yield itself to the coroutine's driver; check the result, so that a function may rely on it."""
        self._calls.start(self)
        answer = yield self
        result = self.operation.result
        result.check(answer)
        return result.model.model_validate(answer)


class ConnectorCalls:
    """Creates the connector calls of one function: operations that its action lists, with params that fit."""

    __slots__ = ("_action", "_made", "_operations", "_require_subscribed")

    def __init__(
        self,
        action: Action,
        operations: Mapping[str, Operation],
        require_subscribed: RequireSubscribed,
    ) -> None:
        """`operations` are all operations, by full name."""
        self._action = action
        self._require_subscribed = require_subscribed
        self._operations = operations
        self._made: list[ConnectorCall] = []

    def create(self, name: str, params: Mapping[str, Any]) -> ConnectorCall:
        """Return a call that is not sent yet. Raises CallRefused (MisfitCall), with the reason."""
        operation = self._operation(name)
        try:
            operation.params.parse(params)
        except (
            InvalidArgument,
            ValueError,
        ) as problem:  # ValueError: an object that is no JSON value
            raise MisfitCall(
                f"ctx.call of {self._action.name}: {problem}; what a connector gets is plain JSON"
            ) from None
        call = ConnectorCall(self, operation, params)
        self._made.append(call)
        return call

    def start(self, call: ConnectorCall) -> None:
        """Start a call that is awaited now.

        Raises CallRefused the second time, NotSubscribed if it may not leave.
        """
        if call not in self._made:
            raise CallRefused(
                f"this call of {call.operation.name} was awaited before: make another with ctx.call(...)"
            )
        self._made.remove(call)
        self._require_subscribed(call.operation)

    def require_awaited(self) -> None:
        """Raise CallRefused at the function's end if a call was created and never awaited."""
        if self._made:
            raise CallRefused(
                f"{self._action.name} called {self._made[0].operation.name} without awaiting it, so nothing "
                "was sent: write await ctx.call(...)"
            )

    def _operation(self, name: str) -> Operation:
        operation = self._operations.get(name)
        if operation is None or name not in self._action.connectors:
            raise CallRefused(
                f"{self._action.name} calls {name!r}, which is not among its connectors: add it to "
                f'connectors = [...] of [actions."{self._action.name}"] in the index'
            )
        return operation
