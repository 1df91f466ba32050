"""Suspended calls: the functions of one tenant that wait for connectors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from actors.errors import ResourceExhausted
from actors.messages import CallConnector, TenantRecord, TenantRequest
from actors.registry.shared import MailboxesByName
from actors.routing.route import Route
from actors.runtime.clock import DeadlineTimer
from actors.runtime.futures import CoroutineDriver, ReplyFuture
from actors.runtime.in_flight import InFlight, ReplyArrived
from actors.runtime.mailbox import Mailbox
from actors.tenant.database.guard import AllowedSql
from actors.tenant.database.statements import ScopedDatabase
from actors.tenant.request.connector_calls import ConnectorCall, ConnectorCalls, start_call
from actors.tenant.request.idempotency import Progress
from actors.tenant.request.outcome import Outcome
from actors.tenant.request.sends import Sends
from transport.message import DEADLINE_EXCEEDED, UNAVAILABLE, Refusal

NOTHING_KEPT: Final = "nothing of it was committed"


@dataclass(slots=True, eq=False, kw_only=True)
class SuspendedCall:
    """One call of an async function.

    It ends on the version that it started with, whatever is served by then.
    """

    work: TenantRequest
    route: Route
    digest: bytes
    """Fingerprint of the request; empty for a read, whose id is not stored."""
    allowed_sql: AllowedSql
    """The SQL text that the code of its version contains."""
    began: float
    """time.monotonic() in seconds."""
    stepper: CoroutineDriver
    scoped: ScopedDatabase
    calls: ConnectorCalls
    sends: Sends
    progress: Progress | None = None
    """Its committed steps; None before the first one that wrote."""
    awaiting: ReplyFuture | None = None
    """The reply it waits for; None before its first wait."""
    wait_number: int = 0
    """Number of its current or last wait."""

    @property
    def id(self) -> tuple[str, str]:
        """The caller and the request's id, under which its reply will be stored."""
        return self.work.principal.caller, self.work.request.id

    @property
    def deadline(self) -> float:
        """time.monotonic() in seconds after which its caller does not wait any more."""
        return self.work.received + self.work.request.timeout_ms / 1000

    def outcome(self, **ended: Any) -> Outcome:
        """Return the outcome of its request: a result, an error or a refusal."""
        return Outcome(self.work, self.route, self.began, **ended)

    def overdue(self) -> Refusal:
        """Return the refusal of a call whose deadline has passed."""
        timeout = self.work.request.timeout_ms
        return self.cancelled(
            f"not finished within {timeout} ms, and closed while it waited", DEADLINE_EXCEEDED
        )

    def cancelled(
        self, cause: str, code: str = UNAVAILABLE, retry_after_ms: int | None = None
    ) -> Refusal:
        """Return the refusal of a cancelled call. If no step was committed, it says so and may be retried."""
        if self.progress is None:
            return Refusal(code, f"{cause}; {NOTHING_KEPT}", retry_after_ms=retry_after_ms)
        return Refusal(code, cause)

    def with_progress(self, refusal: Refusal) -> Refusal:
        """Add the committed steps to a refusal. If there are any, it is final and must not be retried."""
        return refusal if self.progress is None else self.progress.annotate(refusal)


MAX_SUSPENDED: Final = 200
"""Calls of one tenant that may be suspended at once. Each holds a frame and a request in memory."""

RETRY_FULL_MS: Final = 1000
"""`retry_after_ms` of requests refused because of that limit."""


class SuspendedCalls:
    """Registry of suspended calls, by wait and by id. Belongs to the tenant's turn; outlives its database."""

    def __init__(
        self,
        tenant: TenantRecord,
        mailbox: Mailbox,
        connectors: MailboxesByName,
        clock: Mailbox | None,
    ) -> None:
        """`mailbox` is the tenant's, which gets ReplyArrived and DeadlinePassed."""
        self.is_closed = False
        """True while the tenant is about to leave and waits for the last call to end: no others may start."""
        self._tenant = tenant
        self._mailbox = mailbox
        self._connectors = connectors
        self._alarm = DeadlineTimer(clock, mailbox, self.__len__)
        self._in_flight = InFlight[SuspendedCall](mailbox)
        self._by_id: dict[tuple[str, str], SuspendedCall] = {}

    def __len__(self) -> int:
        return len(self._in_flight)

    def __iter__(self) -> Iterator[SuspendedCall]:
        return iter(self._in_flight)

    def find(self, work: TenantRequest) -> SuspendedCall | None:
        """Return the running write with this id of this caller, or None."""
        return self._by_id.get((work.principal.caller, work.request.id))

    def require_capacity(self) -> None:
        """Raise ResourceExhausted if no other function that may wait can be started."""
        if len(self) >= MAX_SUSPENDED or self.is_closed:
            waits = (
                f"{len(self)} requests of tenant {self._tenant.name} wait for connectors already"
            )
            raise ResourceExhausted(
                f"{waits}; send this one again, with the same id", retry_after_ms=RETRY_FULL_MS
            )

    def add(self, suspended: SuspendedCall, call: ConnectorCall) -> None:
        """Send a call's connector call.

        The tenant gets ReplyArrived, or DeadlinePassed if that is first.
        """
        suspended.awaiting = answer = ReplyFuture()
        suspended.wait_number = self._in_flight.suspend(suspended, answer)
        if suspended.digest:
            self._by_id[suspended.id] = suspended
        self._send(suspended, call, answer)
        self.arm_timer()

    def resume(self, message: ReplyArrived) -> SuspendedCall | None:
        """Return the call that waits for this reply, or None if it has ended."""
        found = self._in_flight.resume(message)
        return found and found[0]

    def end(self, suspended: SuspendedCall) -> None:
        """Remove a call; its reply will be dropped."""
        self._in_flight.end(suspended)
        if self._by_id.get(suspended.id) is suspended:
            del self._by_id[suspended.id]

    def overdue(self) -> list[SuspendedCall]:
        """Return the calls whose deadline has passed."""
        now = time.monotonic()
        return [suspended for suspended in self if suspended.deadline <= now]

    def arm_timer(self) -> None:
        """Have the tenant told DeadlinePassed when the first deadline is over, or the server closes."""
        if self._in_flight:
            first = min(suspended.deadline for suspended in self._in_flight)
            self._alarm.set(min(first, self._mailbox.closing or first))

    def _send(self, suspended: SuspendedCall, call: ConnectorCall, answer: ReplyFuture) -> None:
        start_call(
            self._connectors,
            CallConnector(
                operation=call.operation.name,
                params=call.params,
                tenant=self._tenant,
                trace_id=suspended.work.trace_id,
                key=_key(self._tenant, suspended),
                at=time.time(),
                deadline=suspended.deadline,
                reply_to=answer,
            ),
        )


def _key(tenant: TenantRecord, suspended: SuspendedCall) -> str:
    """Return the idempotency key of this wait of this request, by which a service recognises a repeat."""
    named = "\n".join((tenant.id, *suspended.id, str(suspended.wait_number)))
    return sha256(named.encode(errors="surrogatepass")).hexdigest()[:32]
