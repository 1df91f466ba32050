"""What a function may do at this moment: one object for each tenant, read by everything that watches.

The authorizer, the progress handler and the check of statements all ask the same Guard. It changes twice
for each message, around the call of the function, and only in the tenant's own turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, NoReturn

from actors.errors import StatementRefused
from actors.tenant.sqltext import KnownText, Written, check_origin, spoken


class Guard:
    """Engine mode until `enter`, function mode until `leave`."""

    __slots__ = (
        *("_spoken", "broken", "deadline", "denied", "function", "known", "may_write", "params"),
    )

    def __init__(self) -> None:
        self.function = False
        """True while a function runs: internal tables are then out of reach."""
        self.known: KnownText | None = None
        """The SQL text of the code that is running; None refuses every statement."""
        self.may_write = False
        """True where the action's effect is `write`."""
        self.deadline = inf
        """time.monotonic() after which a running statement is interrupted, in seconds."""
        self.params: Mapping[str, Any] = {}
        """The message's params, to name the field whose value was found in SQL text."""
        self._spoken: str | None = None
        """All that is text in them, where a statement with text of its own was run."""
        self.denied: str | None = None
        """What the authorizer has refused, in words, until it is told."""
        self.broken: str | None = None
        """Why the transaction is over although the function still runs."""

    def enter(
        self, known: KnownText, params: Mapping[str, Any], deadline: float, may_write: bool
    ) -> None:
        """A function begins."""
        self.known = known
        self.params = params
        self._spoken = None
        self.deadline = deadline
        self.may_write = may_write
        self.denied = self.broken = None
        self.function = True

    def leave(self) -> None:
        """The function has ended: what follows is the engine's own, and is not interrupted."""
        self.function = False
        self.known = None
        self.deadline = inf

    def breaks(self, reason: str) -> None:
        """SQLite has rolled back the whole transaction: nothing more may run until the turn has seen it.

        Without this the function's next statement would commit by itself.
        """
        self.broken = reason
        self.known = None

    def admit(self, written: Written) -> None:
        """Let a statement through at the point of execution, or raise StatementRefused."""
        known = self.known or self._nothing_runs()
        if written.cleared is not known:
            known.check(written, self.params)
            written.cleared = known
        if written.telling and self.params:
            check_origin(written, self._said(), self.params)
        if not self.may_write and written.writes:
            raise StatementRefused(
                "the action's effect is `read` in the index, and this statement writes: make it "
                "`write` there, so that its reply is stored under the request's id"
            )

    def _said(self) -> str:
        """What the message says; made once for each, and for most messages never."""
        if self._spoken is None:
            self._spoken = spoken(self.params)
        return self._spoken

    def _nothing_runs(self) -> NoReturn:
        if self.broken is not None:
            raise StatementRefused(
                f"the transaction has ended ({self.broken}), so nothing more can run in it: let the "
                "error out of the function instead of catching it"
            )
        raise StatementRefused(
            "ctx.db belongs to the call it was given to, and that call has ended: do the work before "
            "the function returns"
        )
