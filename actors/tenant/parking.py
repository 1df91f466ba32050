"""The functions of one tenant that wait for connectors."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from actors.answers import TO_BE_IMPLEMENTED
from actors.errors import ResourceExhausted, Unimplemented
from actors.messages import Operate, TenantRecord, Work
from actors.runtime.clock import Alarm
from actors.runtime.futures import Answer, settle_with_error
from actors.runtime.mailbox import Mailbox
from actors.tenant.calls import Call
from actors.tenant.parked import Parked

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
        self._alarm = Alarm(clock, mailbox, self.__len__)
        self._under_way: dict[Parked, None] = {}
        self._waiting: dict[int, Parked] = {}
        self._by_id: dict[tuple[str, str], Parked] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __iter__(self) -> Iterator[Parked]:
        return iter(list(self._under_way))

    def under_way(self, work: Work) -> Parked | None:
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

    def park(self, function: Parked, call: Call) -> None:
        """Send what it awaits, and have the tenant told when the answer is there, or the time is over."""
        wait, answer = next(_numbers), Answer()
        function.wait, function.awaits = wait, answer
        self._under_way[function] = None
        self._waiting[wait] = function
        if function.digest:
            self._by_id[function.id] = function
        answer.listen(lambda: self._answered(wait))
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

    def _send(self, function: Parked, call: Call, answer: Answer) -> None:
        connector = call.operation.name.partition(".")[0]
        mailbox = self._connectors.get(connector)
        if mailbox is None:
            settle_with_error(answer, Unimplemented(f"connector {connector}: {TO_BE_IMPLEMENTED}"))
            return
        mailbox.tell(
            Operate(
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
