"""ctx.send: connector operations that must not be lost.

Nothing leaves from here, and nothing is written yet: the messages of a function are put into the outbox when
it returns or waits, in its own transaction. A function that is rolled back has sent nothing.

OutboxWriter puts the messages of a turn into the outbox; the relay delivers them after the commit.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from actors.access import DATA
from actors.errors import CallRefused, InvalidArgument, MisfitCall
from actors.index.entries import Action, Operation
from actors.messages import TenantRequest
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.schema.source import did_you_mean
from actors.tenant.database.outbox_table import OutboxMessage, OutboxTable, encode
from actors.tenant.request.connector_calls import RequireSubscribed
from actors.tenant.storage.outbox_marker import OutboxFlag

MOST_AT_ONCE: Final = 1000
"""Deliveries that one request may send: as many as an array in its params may have elements."""

SLEEP: Final = "timer.sleep"

LONGEST_SLEEP: Final = 59.0
"""Longest sleep, in seconds, within one attempt of a delivery, which has 60."""

A_FAILURE: Final = {"ok": False, "error": {"code": "unavailable", "message": "the service is away"}}
"""An outcome that every `then` action must accept, whatever its operation returns."""


class Sends:
    """The messages of one function: operations that its action lists, with params that fit."""

    __slots__ = ("_action", "_made", "_require_subscribed", "_table")

    def __init__(
        self, action: Action, table: RoutingTable, require_subscribed: RequireSubscribed
    ) -> None:
        self._action = action
        self._require_subscribed = require_subscribed
        self._table = table
        self._made: list[OutboxMessage] | None = None

    def create(
        self, name: str, params: Mapping[str, Any], then: str | None, *, ordered: bool
    ) -> str:
        """Add a message and return its key.

        Raises CallRefused (MisfitCall) or NotEntitled, with the reason.
        """
        operation = self._operation(name)
        try:
            operation.params.parse(params)
            content = encode(params)
        except (InvalidArgument, ValueError, TypeError) as problem:  # the others: no JSON value
            raise MisfitCall(
                f"ctx.send of {self._action.name}: {problem}; what a connector gets is plain JSON"
            ) from None
        if name == SLEEP and params["seconds"] > LONGEST_SLEEP:
            raise MisfitCall(
                f"ctx.send of {self._action.name}: {SLEEP} of more than {LONGEST_SLEEP:g} s is not over in "
                "an attempt, and would never be done: await ctx.call waits longer"
            )
        if then is not None:
            self._check_callback(operation, then)
        self._require_subscribed(operation)
        made = self._made = [] if self._made is None else self._made
        if len(made) >= MOST_AT_ONCE:
            raise self._refused(f"more than {MOST_AT_ONCE:,} from one message; send fewer")
        made.append(OutboxMessage(secrets.token_hex(16), name, content, then, ordered))
        return made[-1].key

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return self._made is None

    def take(self) -> list[OutboxMessage] | None:
        """Return and clear the messages added since the last call.

        None if there are none, as nearly always.
        """
        made, self._made = self._made, None
        return made

    def _operation(self, name: str) -> Operation:
        if self._action.effect != "write":
            raise self._refused(
                'its effect is "read" in the index, and what a read writes is rolled back: make it "write"'
            )
        operation = self._table.operations.get(name)
        if operation is None or name not in self._action.connectors:
            raise self._refused(
                f"{name!r} is not among its connectors: add it to connectors = [...] of "
                f'[actions."{self._action.name}"] in the index'
            )
        return operation

    def _check_callback(self, operation: Operation, name: str) -> None:
        route = self._table.routes.get(name)
        if route is None or route.built_in:
            known = (each for each, one in self._table.routes.items() if not one.built_in)
            raise self._refused(
                f"then={name!r} is no action of the index{did_you_mean(name, known)}"
            )
        if route.rule.channel != DATA or not route.writes:
            raise self._refused(
                f'then={name!r} has to be an action of the data channel with effect = "write"'
            )
        self._check_callback_params(route, operation)

    def _check_callback_params(self, route: Route, operation: Operation) -> None:
        """Check now.

        Otherwise a mismatch would show only when the outcome arrives and no action accepts it.
        """
        try:
            route.params.parse({"id": 1, "key": "0" * 32, "operation": operation.name, **A_FAILURE})
        except InvalidArgument as problem:
            raise self._refused(
                f"then={route.name!r} has to take id, key, operation, ok, and result or error; {problem}"
            ) from None

    def _refused(self, why: str) -> CallRefused:
        return CallRefused(f"ctx.send of {self._action.name}: {why}")


class OutboxWriter:
    """Writes one tenant's outbox while it is resident. Belongs to its turn alone."""

    __slots__ = ("flag", "has_new")

    def __init__(self, flag: OutboxFlag) -> None:
        self.flag = flag
        self.has_new = False
        """True if a message was put there and the relay has not run since."""

    def put(self, table: OutboxTable, sends: Sends, work: TenantRequest) -> None:
        """Put a function's messages into the outbox, in its transaction. The flag is on disk before."""
        sent = sends.take()
        if sent:
            self.flag.set()
            table.put(sent, work.principal.id, work.trace_id, time.time())
            self.has_new = True
