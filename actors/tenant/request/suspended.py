"""The functions of one tenant that wait for connectors.

A function that may wait, from its first stretch to its answer.
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
from actors.tenant.database.guard import KnownText
from actors.tenant.database.statements import ScopedDatabase
from actors.tenant.request.connector_calls import ConnectorCall, ConnectorCalls
from actors.tenant.request.idempotency import Progress
from actors.tenant.request.sends import Sends
from transport.message import DEADLINE_EXCEEDED, UNAVAILABLE, Refusal

NOTHING_KEPT: Final = "nothing of it was committed"


class Parked:
    """One of them. It ends on the version that it began with, whatever is served by then."""

    __slots__ = (
        "awaits",
        "began",
        "calls",
        "digest",
        "known",
        "progress",
        "route",
        "scoped",
        "sends",
        "stepper",
        "wait",
        "work",
    )  # fmt: skip

    def __init__(
        self,
        work: TenantRequest,
        route: Route,
        digest: bytes,
        known: KnownText,
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
        self.known = known
        """The SQL text of the code that it is part of."""
        self.began = began
        """time.monotonic() in seconds."""
        self.stepper = stepper
        self.scoped = scoped
        self.calls = calls
        self.sends = sends
        self.progress: Progress | None = None
        """What is on disk of it; None as long as nothing is."""
        self.awaits: ReplyFuture | None = None
        """None before its first wait."""
        self.wait = 0
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

    def halfway(self, refusal: Refusal) -> Refusal:
        """The refusal as it is stored where something is on disk: it stays, so there is no trying again."""
        return refusal if self.progress is None else self.progress.annotate(refusal)


MOST_PARKED: Final = 200
"""Functions of one tenant that may wait at once; what they hold, a frame and a request each, is memory."""

RETRY_FULL_MS: Final = 1000
"""What callers are told to wait where as many do, in milliseconds."""


_numbers = itertools.count(1)


class Arrived(NamedTuple):
    """To a tenant: a connector has answered."""

    wait: int
    """Which wait is over; no two in a process have the same number, whichever incarnation made them."""


class Parking:
    """Who waits, for which answer, and until when. For the tenant's turn; outlives its database."""

    def __init__(
        self,
        tenant: TenantRecord,
        mailbox: Mailbox,
        connectors: Mapping[str, Mailbox],
        clock: Mailbox | None,
    ) -> None:
        """`mailbox` is the tenant's, which is told Arrived and Overdue."""
        self.is_closed = False
        """True while the tenant waits for the last one to end, so as to leave: no others are let in."""
        self._tenant = tenant
        self._mailbox = mailbox
        self._connectors = connectors
        self._alarm = DeadlineTimer(clock, mailbox, self.__len__)
        self._under_way: dict[Parked, None] = {}
        self._waiting: dict[int, Parked] = {}
        self._by_id: dict[tuple[str, str], Parked] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __iter__(self) -> Iterator[Parked]:
        return iter(list(self._under_way))

    def under_way(self, work: TenantRequest) -> Parked | None:
        """Who works on the request with this id of this caller; reads are not looked for."""
        return self._by_id.get((work.principal.caller, work.request.id))

    def require_room(self) -> None:
        """ResourceExhausted where no other function may be begun that might wait."""
        if len(self) >= MOST_PARKED or self.is_closed:
            waits = (
                f"{len(self)} requests of tenant {self._tenant.name} wait for connectors already"
            )
            raise ResourceExhausted(
                f"{waits}; send this one again, with the same id", retry_after_ms=RETRY_FULL_MS
            )

    def park(self, function: Parked, call: ConnectorCall) -> None:
        """Send what it awaits, and have the tenant told when the answer is there, or the time is over."""
        wait, answer = next(_numbers), ReplyFuture()
        function.wait, function.awaits = wait, answer
        self._under_way[function] = None
        self._waiting[wait] = function
        if function.digest:
            self._by_id[function.id] = function
        answer.add_callback(lambda: self._answered(wait))
        self._send(function, call, answer)
        self.watch()

    def take(self, message: Arrived) -> Parked | None:
        """Who goes on now, and is still under way; None where nobody waits any more."""
        return self._waiting.pop(message.wait, None)

    def end(self, function: Parked) -> None:
        """It is not under way any more; nobody waits for what it awaits."""
        self._under_way.pop(function, None)
        self._waiting.pop(function.wait, None)
        if self._by_id.get(function.id) is function:
            del self._by_id[function.id]

    def overdue(self) -> list[Parked]:
        """Those whose deadline is over."""
        now = time.monotonic()
        return [function for function in self if function.deadline <= now]

    def watch(self) -> None:
        """Be told Overdue when the first deadline is over, or the server closes."""
        if self._under_way:
            first = min(function.deadline for function in self._under_way)
            self._alarm.set(min(first, self._mailbox.closing or first))

    def _answered(self, wait: int) -> None:
        """By the thread that answers: nobody is woken for a function that is gone."""
        if wait in self._waiting:
            self._mailbox.tell(Arrived(wait))

    def _send(self, function: Parked, call: ConnectorCall, answer: ReplyFuture) -> None:
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
                trace_id=function.work.trace_id,
                key=_key(self._tenant, function),
                at=time.time(),
                deadline=function.deadline,
                reply_to=answer,
            )
        )


def _key(tenant: TenantRecord, function: Parked) -> str:
    """Of this wait of this request, and of no other: what an outside service can tell a repeat by."""
    named = "\n".join((tenant.id, *function.id, str(function.wait)))
    return sha256(named.encode(errors="surrogatepass")).hexdigest()[:32]
