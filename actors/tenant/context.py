"""What a function is given besides its params: who calls, when, and the tenant's database."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Executable

from actors.errors import CallRefused
from actors.messages import Principal
from actors.profiles import Config

Binds = Mapping[str, Any]


class Row(Protocol):
    """A row of a result: columns are attributes, in the order of the statement."""

    def __getattr__(self, name: str) -> Any: ...

    def _asdict(self) -> dict[str, Any]: ...


class Database(Protocol):
    """The tenant's database, as a function may use it: expressions with bound parameters, nothing else.

    A function cannot end the transaction it runs in: raising rolls its own effects back, returning keeps
    them, and the commit comes at the end of the turn. Anything else raises StatementRefused.
    """

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Every row of a result."""
        ...

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """The first row, or None."""
        ...

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """The first column of the first row, or None: also for `insert(...).returning(table.c.id)`."""
        ...

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """Run an INSERT, UPDATE or DELETE; how many rows it changed. A list of binds runs it for each."""
        ...


class CallFactory(Protocol):
    """Makes the connector calls of one `async def` (actors/tenant/request/connector_calls.py)."""

    def create(self, name: str, params: Mapping[str, Any]) -> Awaitable[Any]:
        """Make a call that is sent when it is awaited; CallRefused."""
        ...


class SendFactory(Protocol):
    """Takes the deliveries of one function (actors/tenant/request/sends.py)."""

    def create(
        self, name: str, params: Mapping[str, Any], then: str | None, *, ordered: bool
    ) -> str:
        """Return the key of a delivery that leaves after the commit; CallRefused, NotSubscribed."""
        ...


class Context(NamedTuple):
    """Given to every function as its first argument."""

    db: Database
    tenant: str
    """The tenant's name."""
    caller: Principal
    action: str
    now: datetime
    """When this message was begun, in UTC; the same for the whole message."""
    trace_id: str
    config: Config
    """The tenant's settings and whitelabel at one revision, the same for the whole message; nobody can
    change it. What the index's schema has as a default is not filled in: ask with `.get(name, default)`."""
    calls: CallFactory | None = None
    """Of an `async def`; None for a function that cannot wait."""
    sends: SendFactory | None = None
    """None where nothing can be sent from."""

    def call(self, operation: str, /, **params: Any) -> Awaitable[Any]:
        """Call a connector's operation, such as `await ctx.call("timer.sleep", seconds=2.5)`.

        It leaves once what the function has written up to here is on disk: a function that waits is one
        transaction from each wait to the next. The answer has an attribute for each property of the
        operation's result. Raises CallRefused for what the index does not allow, and at the await whatever
        the connector refuses with (an ActionError, which a function may catch).
        """
        if self.calls is None:
            raise CallRefused(
                f"{self.action} calls {operation} in a plain def, which cannot wait: write async def, and "
                "await ctx.call(...)"
            )
        return self.calls.create(operation, params)

    def send(
        self,
        operation: str,
        params: Mapping[str, Any] | None = None,
        /,
        *,
        then: str | None = None,
        ordered: bool = False,
    ) -> str:
        """Have a connector do what must not be lost: `ctx.send("mail.send", {"to": …}, then="mail.sent")`.

        It is kept in the transaction of this function, leaves after its commit, and is tried again until it
        is done or given up, over restarts, too (docs/delivery.md). `then` names an action of the index that
        is called with the outcome: id, key, operation, ok, and result or error. With `ordered`, those of one
        operation leave one after another, in the order of commits. What it returns is the delivery's key.
        Raises CallRefused for what the index does not allow, and NotSubscribed, which a function may catch.
        """
        if self.sends is None:
            raise CallRefused(f"{self.action} sends {operation} where nothing can be sent from")
        return self.sends.create(operation, params or {}, then, ordered=ordered)
