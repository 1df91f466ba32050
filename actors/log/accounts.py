"""How an actor tells the TenantLog what it has answered: it never waits, and the log never grows for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from actors.log.messages import Line, Turn, Untold
from actors.messages import TenantRecord, Work
from actors.routing.route import Route
from actors.runtime.mailbox import Mailbox
from transport.message import Refusal


class Accounts:
    """One actor's way to the TenantLog.

    Where the log is so far behind that its mailbox is full, lines are lost: they are counted, and the log
    is told how many as soon as it takes mail again, or at the end.
    """

    def __init__(
        self, log: Mailbox, clock: Callable[[], float] = time.time, wake_at: int = 1
    ) -> None:
        """`clock` gives seconds since the epoch; fewer turns than `wake_at` do not wake the log."""
        self._log = log
        self._wake_at = wake_at
        self.clock = clock
        self._untold: dict[str, Untold] = {}

    def tell(self, tenant: TenantRecord, lines: tuple[Line, ...]) -> None:
        """What one turn has answered for a tenant: at least one line."""
        if self._log.offer(Turn(tenant, lines)):
            if len(self._log) >= self._wake_at:
                self._log.wake()
            if self._untold:
                self.close()
        else:
            self._miss(tenant, lines)

    def close(self) -> None:
        """Tell what was lost."""
        untold, self._untold = self._untold, {}
        for message in untold.values():
            self._log.tell(message)

    def _miss(self, tenant: TenantRecord, lines: tuple[Line, ...]) -> None:
        before = self._untold.get(tenant.id) or Untold(tenant, 0, lines[0].at, 0.0)
        self._untold[tenant.id] = before._replace(
            lines=before.lines + len(lines), last=lines[-1].at
        )


def refused_line(
    source: str, at: float, work: Work, refusal: Refusal, route: Route | None, reply_bytes: int
) -> Line:
    """The line of a message that was refused now, at this time since the epoch, and never begun."""
    request, caller = work.request, work.principal
    return Line(
        at=at,
        source=source,
        action=request.action,
        version=None if route is None else route.version,
        state=None if route is None else route.state,
        reason=None if route is None else route.reason,
        params=request.params,
        schema=None if route is None else route.params.source,
        caller=caller.id,
        person=caller.person,
        role=caller.role,
        outcome=refusal.code,
        message=refusal.message,
        replayed=False,
        request_id=request.id,
        trace_id=work.trace_id,
        queued_ms=(time.monotonic() - work.received) * 1000.0,
        handled_ms=0.0,
        reply_bytes=reply_bytes,
        traceparent=request.traceparent,
    )
