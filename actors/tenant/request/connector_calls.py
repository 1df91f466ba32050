"""ctx.call: how a function asks a connector and waits for the answer.

Nothing leaves from here. What a function awaits is handed to its tenant, who sends it once everything that
the function wrote before is on disk: a step that is rolled back has called nobody.

Calling a connector needs a subscription that holds now; without one the end user is told so, kindly.

The index names the action that words it (`not_subscribed` of the connector); that is the tenant's function
like any other, run on its database, where it may only read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import structlog

from actors.errors import CallRefused, InvalidArgument, MisfitCall, NotSubscribed
from actors.index.entries import Action, Operation
from actors.profiles import Profile, may_use
from actors.routing.table import RoutingTable

log = structlog.get_logger()

PLAIN: Final = (
    "This is not part of what {product_name} does for you so far. Please ask whoever manages your account "
    "to add it."
)
"""What end users are told where nobody has worded it."""

NAMELESS: Final = PLAIN.replace("{product_name}", "this service")

Run = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

RequireSubscribed = Callable[[Operation], None]
"""Raises NotEntitled if the tenant may not use this operation at this moment."""


class NotEntitled(NotSubscribed):
    """The tenant's subscription to this connector does not hold."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.connector = operation.partition(".")[0]
        super().__init__(
            f"{operation} needs a subscription to {self.connector}, which the tenant does not have now: its "
            "owners see to that with subscriptions.set"
        )


def require_subscribed(operation: Operation, profile: Profile, table: RoutingTable) -> None:
    """NotEntitled, unless it holds at this moment; what is built in needs none."""
    connector = operation.name.partition(".")[0]
    if connector not in table.connectors:
        return
    if not may_use(profile, connector, time.time()):
        raise NotEntitled(operation.name)


def user_message(error: NotEntitled, profile: Profile, table: RoutingTable, run: Run) -> str | None:
    """In the words of the action that the index names; None where whitelabel has words for the code.

    `run` runs an action, read-only, and gives its result. What goes wrong with that is logged, and leaves the
    plain sentence.
    """
    connector = table.connectors.get(error.connector)
    action = connector and connector.not_subscribed
    if action:
        params = {"connector": error.connector, "operation": error.operation}
        try:
            return str(run(action, params)["user_message"])
        except Exception as problem:
            log.error("nobody worded a missing subscription", action=action, exc_info=problem)
    whitelabel = profile.config.whitelabel
    texts = whitelabel.get("texts")
    if isinstance(texts, Mapping) and error.code in texts:
        return None
    return PLAIN if isinstance(whitelabel.get("product_name"), str) else NAMELESS


AWAITABLE: Final = (
    "only ctx.call(...) can be awaited here: there is no event loop, so have a connector do what takes "
    'time; await ctx.call("timer.sleep", seconds=1) waits'
)
"""What a function hears that awaits anything else, such as asyncio.sleep()."""


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
        """Hand itself to whoever steps; what comes back is checked, so that a function may rely on it."""
        self._calls.start(self)
        answer = yield self
        result = self.operation.result
        result.check(answer)
        return result.model.model_validate(answer)


class ConnectorCalls:
    """Makes the calls of one function: of the operations that its action lists, with params that fit."""

    __slots__ = ("_action", "_made", "_operations", "_require_subscribed")

    def __init__(
        self,
        action: Action,
        operations: Mapping[str, Operation],
        require_subscribed: RequireSubscribed,
    ) -> None:
        """`operations` are all there are, by full name."""
        self._action = action
        self._require_subscribed = require_subscribed
        self._operations = operations
        self._made: list[ConnectorCall] = []

    def create(self, name: str, params: Mapping[str, Any]) -> ConnectorCall:
        """A call that is not sent yet. CallRefused (MisfitCall) says what is wrong with it."""
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
        """It is awaited now; CallRefused the second time, NotSubscribed where it may not leave."""
        if call not in self._made:
            raise CallRefused(
                f"this call of {call.operation.name} was awaited before: make another with ctx.call(...)"
            )
        self._made.remove(call)
        self._require_subscribed(call.operation)

    def require_awaited(self) -> None:
        """At the function's end: CallRefused for a call that was made and never left."""
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
