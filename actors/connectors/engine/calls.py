"""One call of an operation, from when it came in to what the journal keeps of it.

Who may begin, and who waits: one connector's calls, fair between tenants.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from actors.connectors.contract import Delivery
from actors.errors import ResourceExhausted
from actors.index.entries import ConcurrencyLimits
from actors.log.redaction import ALL_SECRET
from actors.messages import CallConnector
from actors.profiles import EMPTY
from actors.runtime.futures import resolve, resolve_with_error

OK = "ok"
"""The outcome of what was done; else it is a code of docs/message-api.md."""


class Attempt(NamedTuple):
    """One try of the outside service."""

    at: float
    """Seconds since the epoch."""
    ms: float
    error: str | None
    """None where it succeeded."""


class OperationCall:
    """Its own task's, and its actor's before that."""

    def __init__(self, request: CallConnector) -> None:
        self.request = request
        self.at = time.time()
        """When it came in, in seconds since the epoch."""
        self.queued_at = time.monotonic()
        self.started_at: float | None = None
        """time.monotonic() in seconds; None while it waits for its turn."""
        self.timer: asyncio.TimerHandle | None = None
        """Goes off at the deadline, while it waits."""
        self.served: Mapping[str, Any] = {"version": 0, "state": "", "reason": ""}
        """version, state and reason of what serves it."""
        self.schemas: tuple[Mapping[str, Any], ...] = (ALL_SECRET, ALL_SECRET)
        """Of the inner request and the inner result; as long as none is known, all of it is secret."""
        self.settings: Mapping[str, Any] = EMPTY
        self.revision = 0
        """Of the settings."""
        self.settings_schema: Mapping[str, Any] = {}
        """What the index says of them; what it does not describe is secret."""
        self.outer: Mapping[str, Any] | None = None
        self.response: Mapping[str, Any] | None = None
        self.result: Mapping[str, Any] | None = None
        self.attempts: list[Attempt] = []
        self.outcome = ""
        self.message: str | None = None
        self.finished_at = 0.0
        """time.monotonic() in seconds."""

    @property
    def tenant_id(self) -> str:
        """Whose it is."""
        return self.request.tenant.id

    @property
    def delivery(self) -> Delivery:
        """As the connector's code is told of it."""
        request = self.request
        return Delivery(
            operation=request.operation.partition(".")[2],
            tenant=request.tenant.name,
            key=request.key,
            at=request.at,
            deadline=request.deadline,
            trace_id=request.trace_id,
        )

    @property
    def breaker_key(self) -> str:
        """Whose service, as it is set now, and which where a call names it: what a breaker is about."""
        named = (self.outer or {}).get("url")
        target = named.partition("//")[2].partition("/")[0] if isinstance(named, str) else ""
        return f"{self.tenant_id} {self.revision} {target.lower()}"

    def is_expired(self) -> bool:
        """Nobody waits for the answer any more."""
        return time.monotonic() >= self.request.deadline

    def begin(self) -> None:
        """It waits no longer."""
        self.started_at = time.monotonic()
        if self.timer is not None:
            self.timer.cancel()

    def succeed(self, result: Mapping[str, Any]) -> None:
        """Answer; the answer comes first, and the journal after it."""
        self.result, self.outcome, self.finished_at = result, OK, time.monotonic()
        resolve(self.request.reply_to, result)

    def fail(self, error: BaseException, outcome: str) -> None:
        """Answer with an error that the function gets to see."""
        self.outcome, self.message, self.finished_at = outcome, str(error), time.monotonic()
        resolve_with_error(self.request.reply_to, error)


RETRY_FULL_MS: Final = 1000
"""What callers are told to wait where there is no room, in milliseconds."""


class CallQueue:
    """For one actor. A tenant whose calls wait comes round after each other one that waits, too."""

    def __init__(self, name: str, room: ConcurrencyLimits | None = None) -> None:
        self._name = name
        self.room = room or ConcurrencyLimits()
        """As the index has it now; those that have begun go on where it is smaller than it was."""
        self._by_tenant: OrderedDict[str, deque[OperationCall]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._waiting = 0

    def __len__(self) -> int:
        """Of those that wait."""
        return self._waiting

    def enqueue(self, call: OperationCall) -> None:
        """Let it wait; ResourceExhausted where as many do."""
        line = self._by_tenant.get(call.tenant_id, ())
        if self._waiting >= self.room.waiting:
            raise self._full(f"{self._waiting} calls wait")
        if len(line) >= self.room.waiting_of_one:
            raise self._full(f"{len(line)} calls of tenant {call.request.tenant.name} wait")
        self._by_tenant.setdefault(call.tenant_id, deque()).append(call)
        self._waiting += 1

    def next(self) -> OperationCall | None:
        """The one that begins now; None where none waits or none may."""
        if self._running.total() >= self.room.at_once:
            return None
        for tenant, line in self._by_tenant.items():
            if self._running[tenant] < self.room.of_one:
                return self._started(tenant, line)
        return None

    def end(self, call: OperationCall) -> None:
        """One that had begun has ended."""
        self._running[call.tenant_id] -= 1
        if not self._running[call.tenant_id]:
            del self._running[call.tenant_id]

    def remove(self, call: OperationCall) -> None:
        """It waits no longer, and was not begun."""
        line = self._by_tenant[call.tenant_id]
        line.remove(call)
        self._waiting -= 1
        if not line:
            del self._by_tenant[call.tenant_id]

    def drain(self) -> list[OperationCall]:
        """None waits any longer; those that did."""
        calls = [call for line in self._by_tenant.values() for call in line]
        self._by_tenant.clear()
        self._waiting = 0
        return calls

    def _started(self, tenant: str, line: deque[OperationCall]) -> OperationCall:
        call = line.popleft()
        self._by_tenant.move_to_end(tenant)
        if not line:
            del self._by_tenant[tenant]
        self._waiting -= 1
        self._running[tenant] += 1
        return call

    def _full(self, which: str) -> ResourceExhausted:
        return ResourceExhausted(
            f"{which} for connector {self._name} already; nothing was sent",
            retry_after_ms=RETRY_FULL_MS,
        )
