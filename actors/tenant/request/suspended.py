"""The functions of one tenant that wait for connectors.

A function that may wait, from its first step to its answer.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from actors.errors import ResourceExhausted, Unimplemented
from actors.messages import CallConnector, TenantRecord, TenantRequest
from actors.replies import NOT_IMPLEMENTED_TEXT
from actors.routing.route import Route
from actors.runtime.clock import DeadlineTimer
from actors.runtime.futures import CoroutineDriver, ReplyFuture, resolve_with_error
from actors.runtime.mailbox import Mailbox
from actors.tenant.database.guard import AllowedSql
from actors.tenant.database.statements import ScopedDatabase
from actors.tenant.request.connector_calls import ConnectorCall, ConnectorCalls
from actors.tenant.request.idempotency import Progress
from actors.tenant.request.sends import Sends
from transport.message import DEADLINE_EXCEEDED, UNAVAILABLE, Refusal

NOTHING_KEPT: Final = "nothing of it was committed"


class SuspendedCall:
    """One of them. It ends on the version that it began with, whatever is served by then."""

    __slots__ = (
        "allowed_sql",
        "awaiting",
        "began",
        "calls",
        "digest",
        "progress",
        "route",
        "scoped",
        "sends",
        "stepper",
        "wait_number",
        "work",
    )  # fmt: skip

    def __init__(
        self,
        work: TenantRequest,
        route: Route,
        digest: bytes,
        allowed_sql: AllowedSql,
        began: float,
        stepper: CoroutineDriver,
        scoped: ScopedDatabase,
        calls: ConnectorCalls,
        sends: Sends,
    ) -> None:
        self.work = work
        self.route = route
        self.digest = digest
        """Of the request's content; empty for a read, whose id is not remembered."""
        self.allowed_sql = allowed_sql
        """The SQL text of the code that it is part of."""
        self.began = began
        """time.monotonic() in seconds."""
        self.stepper = stepper
        self.scoped = scoped
        self.calls = calls
        self.sends = sends
        self.progress: Progress | None = None
        """What is on disk of it; None as long as nothing is."""
        self.awaiting: ReplyFuture | None = None
        """None before its first wait."""
        self.wait_number = 0
        """Number of the wait that it is in, or was in last."""

    @property
    def id(self) -> tuple[str, str]:
        """Under which its reply will stand: the caller, and the request's id."""
        return self.work.principal.caller, self.work.request.id

    @property
    def deadline(self) -> float:
        """time.monotonic() after which nobody waits for it, in seconds."""
        return self.work.received + self.work.request.timeout_ms / 1000

    def overdue(self) -> Refusal:
        """Why it is closed once the deadline is over."""
        timeout = self.work.request.timeout_ms
        return self.cancelled(
            f"not finished within {timeout} ms, and closed while it waited", DEADLINE_EXCEEDED
        )

    def cancelled(
        self, cause: str, code: str = UNAVAILABLE, retry_after_ms: int | None = None
    ) -> Refusal:
        """Why it is closed, and that nothing is on disk of it, where that is so; else see `halfway`."""
        if self.progress is None:
            return Refusal(code, f"{cause}; {NOTHING_KEPT}", retry_after_ms=retry_after_ms)
        return Refusal(code, cause)

    def with_progress(self, refusal: Refusal) -> Refusal:
        """The refusal as it is stored where something is on disk: it stays, so there is no trying again."""
        return refusal if self.progress is None else self.progress.annotate(refusal)


MAX_SUSPENDED: Final = 200
"""Functions of one tenant that may wait at once; what they hold, a frame and a request each, is memory."""

RETRY_FULL_MS: Final = 1000
"""What callers are told to wait where as many do, in milliseconds."""


_numbers = itertools.count(1)


class ConnectorReplied(NamedTuple):
    """To a tenant: a connector has answered."""

    wait_number: int
    """Which wait is over; no two in a process have the same number, whichever incarnation made them."""


class SuspendedCalls:
    """Who waits, for which answer, and until when. For the tenant's turn; outlives its database."""

    def __init__(
        self,
        tenant: TenantRecord,
        mailbox: Mailbox,
        connectors: Mapping[str, Mailbox],
        clock: Mailbox | None,
    ) -> None:
        """`mailbox` is the tenant's, which is sent ConnectorReplied and Overdue."""
        self.is_closed = False
        """True while the tenant waits for the last one to end, so as to leave: no others are let in."""
        self._tenant = tenant
        self._mailbox = mailbox
        self._connectors = connectors
        self._alarm = DeadlineTimer(clock, mailbox, self.__len__)
        self._under_way: dict[SuspendedCall, None] = {}
        self._waiting: dict[int, SuspendedCall] = {}
        self._by_id: dict[tuple[str, str], SuspendedCall] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __iter__(self) -> Iterator[SuspendedCall]:
        return iter(list(self._under_way))

    def find(self, work: TenantRequest) -> SuspendedCall | None:
        """Who works on the request with this id of this caller; reads are not looked for."""
        return self._by_id.get((work.principal.caller, work.request.id))

    def require_capacity(self) -> None:
        """ResourceExhausted where no other function may be begun that might wait."""
        if len(self) >= MAX_SUSPENDED or self.is_closed:
            waits = (
                f"{len(self)} requests of tenant {self._tenant.name} wait for connectors already"
            )
            raise ResourceExhausted(
                f"{waits}; send this one again, with the same id", retry_after_ms=RETRY_FULL_MS
            )

    def add(self, suspended: SuspendedCall, call: ConnectorCall) -> None:
        """Send what it awaits, and have the tenant told when the answer is there, or the time is over."""
        wait_number, answer = next(_numbers), ReplyFuture()
        suspended.wait_number, suspended.awaiting = wait_number, answer
        self._under_way[suspended] = None
        self._waiting[wait_number] = suspended
        if suspended.digest:
            self._by_id[suspended.id] = suspended
        answer.add_callback(lambda: self._answered(wait_number))
        self._send(suspended, call, answer)
        self.arm_timer()

    def resume(self, message: ConnectorReplied) -> SuspendedCall | None:
        """Who goes on now, and is still under way; None where nobody waits any more."""
        return self._waiting.pop(message.wait_number, None)

    def end(self, suspended: SuspendedCall) -> None:
        """It is not under way any more; nobody waits for what it awaits."""
        self._under_way.pop(suspended, None)
        self._waiting.pop(suspended.wait_number, None)
        if self._by_id.get(suspended.id) is suspended:
            del self._by_id[suspended.id]

    def overdue(self) -> list[SuspendedCall]:
        """Those whose deadline is over."""
        now = time.monotonic()
        return [suspended for suspended in self if suspended.deadline <= now]

    def arm_timer(self) -> None:
        """Be told Overdue when the first deadline is over, or the server closes."""
        if self._under_way:
            first = min(suspended.deadline for suspended in self._under_way)
            self._alarm.set(min(first, self._mailbox.closing or first))

    def _answered(self, wait_number: int) -> None:
        """By the thread that answers: nobody is woken for a function that is gone."""
        if wait_number in self._waiting:
            self._mailbox.tell(ConnectorReplied(wait_number))

    def _send(self, suspended: SuspendedCall, call: ConnectorCall, answer: ReplyFuture) -> None:
        connector = call.operation.name.partition(".")[0]
        mailbox = self._connectors.get(connector)
        if mailbox is None:
            resolve_with_error(
                answer, Unimplemented(f"connector {connector}: {NOT_IMPLEMENTED_TEXT}")
            )
            return
        mailbox.tell(
            CallConnector(
                operation=call.operation.name,
                params=call.params,
                tenant=self._tenant,
                trace_id=suspended.work.trace_id,
                key=_key(self._tenant, suspended),
                at=time.time(),
                deadline=suspended.deadline,
                reply_to=answer,
            )
        )


def _key(tenant: TenantRecord, suspended: SuspendedCall) -> str:
    """Of this wait of this request, and of no other: what an outside service can tell a repeat by."""
    named = "\n".join((tenant.id, *suspended.id, str(suspended.wait_number)))
    return sha256(named.encode(errors="surrogatepass")).hexdigest()[:32]
