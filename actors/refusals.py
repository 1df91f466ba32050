"""What the Router has refused in the place of tenants, on its way to their logs.

A caller who keeps sending what is refused is bound by no limit of its tenant, which counts accepted messages
only. Its lines are bound here, so that it cannot fill the disk: further ones are counted, and a line says how
many they were.
"""

from __future__ import annotations

from actors.log.accounts import Accounts, refused_line
from actors.log.messages import FROM_ROUTER, Line
from actors.messages import TenantRecord, Work
from actors.routing.route import Route
from transport.message import RESOURCE_EXHAUSTED, Refusal

MOST_LINES = 10_000
"""Lines of one tenant between two calls of `sum_up`, which come once a minute."""

OTHERS = "*"
"""The action in the line about all that have none of their own."""


class Refusals:
    """For one actor, which notes what it refuses and tells it batch by batch."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._batch: dict[TenantRecord, list[Line]] = {}
        self._counts: dict[TenantRecord, int] = {}

    def note(
        self, tenant: TenantRecord, work: Work, refusal: Refusal, route: Route | None, size: int
    ) -> None:
        """One that was refused now, with a reply of this size in bytes."""
        count = self._counts[tenant] = self._counts.get(tenant, 0) + 1
        if count <= MOST_LINES:
            now = self._accounts.clock()
            line = refused_line(FROM_ROUTER, now, work, refusal, route, size)
            self._batch.setdefault(tenant, []).append(line)

    def tell(self) -> None:
        """Tell what was noted since the last time: one message for each tenant."""
        if self._batch:
            batch, self._batch = self._batch, {}
            for tenant, lines in batch.items():
                self._accounts.tell(tenant, tuple(lines))

    def sum_up(self) -> None:
        """Tell how many have no lines of their own, and begin counting anew."""
        self.tell()
        counts, self._counts = self._counts, {}
        now = self._accounts.clock()
        for tenant, count in counts.items():
            if count > MOST_LINES:
                self._accounts.tell(tenant, (summed_up(count - MOST_LINES, now),))
        self._accounts.close()


def summed_up(count: int, at: float) -> Line:
    """The line in the place of so many."""
    return Line(
        at=at,
        source=FROM_ROUTER,
        action=OTHERS,
        version=None,
        state=None,
        reason=None,
        params={},
        schema=None,
        caller="",
        person="",
        role="",
        outcome=RESOURCE_EXHAUSTED,
        message=f"{count} more messages were refused; they have no lines of their own",
        replayed=False,
        request_id="",
        trace_id="",
        queued_ms=0.0,
        handled_ms=0.0,
        reply_bytes=0,
    )
