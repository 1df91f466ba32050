"""Counts rejected messages and writes a few lines about them.

AttemptCounter: attempts that get no audit record each, such as those to administer over the data channel, are
counted for some seconds and recorded as one.

RejectionLog: log lines about messages that the Router rejected on behalf of tenants. A caller that keeps
sending messages that are rejected is bound by no limit of its tenant, which counts accepted messages only.
Its lines are bound here, so that it cannot fill the disk: further ones are counted, and one line states their
number.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from actors.log.lines import RequestLogClient, refused_line
from actors.log.messages import ATTEMPTS, FROM_ROUTER, AuditEntry, Line
from actors.messages import Principal, TenantRecord, TenantRequest
from actors.routing.route import Route
from transport.message import PERMISSION_DENIED, RESOURCE_EXHAUSTED, Refusal

PERIOD_SECONDS = 5.0
"""Least time between two records, in seconds."""

MOST_COUNTED = 1000
"""Most pairs of caller and action counted separately in one period."""

OTHERS = "*"
"""Action of the record about all attempts that were not counted separately."""

DATA_CHANNEL = "over the data channel"
"""How an attempt was made, as records word it."""


class Attempt(NamedTuple):
    """Key of the counts: attempts that agree in these fields are counted together."""

    caller: Principal
    action: str
    tenant: TenantRecord | None


class AttemptCounter:
    """Counts attempts and returns the records that are due; its owner appends them. Pure."""

    def __init__(self, how: str = DATA_CHANNEL, outcome: str = PERMISSION_DENIED) -> None:
        """`how` ends the message of each record; `outcome` is the code of the refusal."""
        self._how = how
        self._outcome = outcome
        self._counts: dict[Attempt, int] = {}
        self._others = 0
        self._reported = -math.inf

    def add(self, attempt: Attempt, now: float) -> list[AuditEntry]:
        """Count one attempt at this time.monotonic() and return the records due: none within a period."""
        if attempt in self._counts or len(self._counts) < MOST_COUNTED:
            self._counts[attempt] = self._counts.get(attempt, 0) + 1
        else:
            self._others += 1
        return self.drain(now) if now - self._reported >= PERIOD_SECONDS else []

    def drain(self, now: float) -> list[AuditEntry]:
        """Return records of all attempts counted since the last ones, and reset the counts."""
        seconds, self._reported = now - self._reported, now
        counts, self._counts = self._counts, {}
        others, self._others = self._others, 0
        entries = [
            self._entry(attempt, count_text(count, seconds)) for attempt, count in counts.items()
        ]
        return [*entries, self._overflow(others, seconds)] if others else entries

    def _entry(self, attempt: Attempt, often: str) -> AuditEntry:
        caller, action, tenant = attempt
        return AuditEntry(
            ATTEMPTS,
            action,
            caller.role,
            person=caller.person or None,
            token=caller.id,
            tenant=tenant and tenant.name,
            tenant_id=tenant and tenant.id,
            outcome=self._outcome,
            message=f"{often} {self._how}",
        )

    def _overflow(self, count: int, seconds: float) -> AuditEntry:
        message = f"by others: {count_text(count, seconds)} {self._how}"
        return AuditEntry(ATTEMPTS, OTHERS, "various", outcome=self._outcome, message=message)


def count_text(count: int, seconds: float) -> str:
    """Return a count in words, such as `3 times in 5 s`; without a time if `seconds` is infinite."""
    often = "once" if count == 1 else f"{count} times"
    return often if math.isinf(seconds) else f"{often} in {seconds:.0f} s"


MOST_LINES = 10_000
"""Most lines of one tenant between two calls of `summarise`, which come once a minute."""


class RejectionLog:
    """Buffers the log lines of one actor's rejections and writes them batch by batch."""

    def __init__(self, request_log: RequestLogClient) -> None:
        self._request_log = request_log
        self._batch: dict[TenantRecord, list[Line]] = {}
        self._counts: dict[TenantRecord, int] = {}

    def add(
        self,
        tenant: TenantRecord,
        work: TenantRequest,
        refusal: Refusal,
        route: Route | None,
        size: int,
    ) -> None:
        """Add a request that was rejected now, with a reply of this size in bytes."""
        count = self._counts[tenant] = self._counts.get(tenant, 0) + 1
        if count <= MOST_LINES:
            now = self._request_log.clock()
            line = refused_line(FROM_ROUTER, now, work, refusal, route, size)
            self._batch.setdefault(tenant, []).append(line)

    def write(self) -> None:
        """Send the lines added since the last call to the log: one message for each tenant."""
        if self._batch:
            batch, self._batch = self._batch, {}
            for tenant, lines in batch.items():
                self._request_log.tell(tenant, tuple(lines))

    def summarise(self) -> None:
        """Write one line for each tenant that had more rejections than lines, and reset the counts."""
        self.write()
        counts, self._counts = self._counts, {}
        now = self._request_log.clock()
        for tenant, count in counts.items():
            if count > MOST_LINES:
                self._request_log.tell(tenant, (summary_line(count - MOST_LINES, now),))
        self._request_log.close()


def summary_line(count: int, at: float) -> Line:
    """Return the line that stands for `count` rejections without a line of their own."""
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
