"""ctx.call: how a function asks a connector and waits for the answer.

Nothing leaves from here. What a function awaits is handed to its tenant, who sends it once everything that
the function wrote before is on disk: a stretch that is rolled back has called nobody.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final

from actors.errors import CallRefused, InvalidArgument, MisfitCall
from actors.index.entries import Action, Operation
from actors.tenant.subscribed import RequireSubscribed

AWAITABLE: Final = (
    "only ctx.call(...) can be awaited here: there is no event loop, so have a connector do what takes "
    'time; await ctx.call("timer.sleep", seconds=1) waits'
)
"""What a function hears that awaits anything else, such as asyncio.sleep()."""


class Call:
    """One call of an operation, to be awaited once."""

    __slots__ = ("_calls", "operation", "params")

    def __init__(self, calls: Calls, operation: Operation, params: Mapping[str, Any]) -> None:
        self._calls = calls
        self.operation = operation
        self.params = params

    def __await__(self) -> Generator[Call, Any, Any]:
        """Hand itself to whoever steps; what comes back is checked, so that a function may rely on it."""
        self._calls.begin(self)
        answer = yield self
        result = self.operation.result
        result.check(answer)
        return result.model.model_validate(answer)


class Calls:
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
        self._made: list[Call] = []

    def make(self, name: str, params: Mapping[str, Any]) -> Call:
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
        call = Call(self, operation, params)
        self._made.append(call)
        return call

    def begin(self, call: Call) -> None:
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
