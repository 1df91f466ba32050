"""The context of a function: the caller, the time, the tenant's database, calls and messages."""

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
    """A row of a result. Its columns are attributes, in the order of the statement."""

    def __getattr__(self, name: str) -> Any: ...

    def _asdict(self) -> dict[str, Any]: ...


class Database(Protocol):
    """The tenant's database, as a function may use it: expressions with bound parameters, nothing else.

    A function cannot end its transaction: raising rolls back its own effects, returning keeps them, and the
    commit comes at the end of the turn. Any other statement raises StatementRefused.
    """

    def all(self, statement: Executable, binds: Binds | None = None) -> Sequence[Row]:
        """Return every row of a result."""
        ...

    def first(self, statement: Executable, binds: Binds | None = None) -> Row | None:
        """Return the first row, or None."""
        ...

    def scalar(self, statement: Executable, binds: Binds | None = None) -> Any:
        """Return the first column of the first row, or None; also for `insert(...).returning(table.c.id)`."""
        ...

    def run(self, statement: Executable, binds: Binds | Sequence[Binds] | None = None) -> int:
        """Run an INSERT, UPDATE or DELETE.

        Return how many rows it changed. A list of binds runs it for each.
        """
        ...


class CallFactory(Protocol):
    """Creates the connector calls of one `async def` (actors/tenant/request/connector_calls.py)."""

    def create(self, name: str, params: Mapping[str, Any]) -> Awaitable[Any]:
        """Create a call that is sent when it is awaited. Raises CallRefused."""
        ...


class SendFactory(Protocol):
    """Accepts the deliveries of one function (actors/tenant/request/sends.py)."""

    def create(
        self, name: str, params: Mapping[str, Any], then: str | None, *, ordered: bool
    ) -> str:
        """Add a delivery that leaves after the commit.

        Return its key. Raises CallRefused or NotSubscribed.
        """
        ...


class Context(NamedTuple):
    """The first argument of every function."""

    db: Database
    tenant: str
    """The tenant's name."""
    caller: Principal
    action: str
    now: datetime
    """Time at which the engine started to serve this request, in UTC; the same for the whole request."""
    trace_id: str
    config: Config
    """The tenant's settings and whitelabel at one revision, the same for the whole request, and read-only.
    Defaults of the index's schema are not filled in: use `.get(name, default)`."""
    calls: CallFactory | None = None
    """Calls of an `async def`; None for a function that cannot wait."""
    sends: SendFactory | None = None
    """None if this function cannot send."""

    def call(self, operation: str, /, **params: Any) -> Awaitable[Any]:
        """Call a connector's operation, such as `await ctx.call("timer.sleep", seconds=2.5)`.

        The call leaves once everything that the function has written so far is on disk: each step from one
        wait to the next is one transaction. The result has an attribute for each property of the operation's
        result. Raises CallRefused for a call that the index does not allow; the await raises the connector's
        refusal (an ActionError, which a function may catch).
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
        """Send an operation that must not be lost: `ctx.send("mail.send", {"to": …}, then="mail.sent")`.

        Returns the delivery's key. The delivery is stored in the transaction of this function, leaves after
        its commit, and is repeated until it succeeds or is given up, also over restarts (docs/delivery.md).
        `then` names an action of the index that is called with the outcome: id, key, operation, ok, and
        result or error. With `ordered`, deliveries of one operation leave one after another, in the order of
        commits. Raises CallRefused for a delivery that the index does not allow, and NotSubscribed, which a
        function may catch.
        """
        if self.sends is None:
            raise CallRefused(f"{self.action} cannot send {operation} from here")
        return self.sends.create(operation, params or {}, then, ordered=ordered)
