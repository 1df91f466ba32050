"""One call of an operation, from its arrival to its row in the journal.

The queue decides which call of one connector starts next, fairly between tenants.
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
"""The outcome of a call that succeeded; others have a code of docs/message-api.md."""


class ServiceAttempt(NamedTuple):
    """One attempt at the outside service."""

    at: float
    """Seconds since the epoch."""
    ms: float
    error: str | None
    """None if the attempt succeeded."""


class OperationCall:
    """The state of one call. Its actor owns it while it is queued, its own task while it runs."""

    def __init__(self, request: CallConnector) -> None:
        self.request = request
        self.at = time.time()
        """Time of arrival, in seconds since the epoch."""
        self.queued_at = time.monotonic()
        self.started_at: float | None = None
        """time.monotonic() in seconds; None while the call is queued."""
        self.timer: asyncio.TimerHandle | None = None
        """Expires the call at its deadline while it is queued."""
        self.served: Mapping[str, Any] = {"version": 0, "state": "", "reason": ""}
        """version, state and reason of the version that serves the call."""
        self.schemas: tuple[Mapping[str, Any], ...] = (ALL_SECRET, ALL_SECRET)
        """Of the inner request and the inner result; until they are known, everything is secret."""
        self.settings: Mapping[str, Any] = EMPTY
        self.revision = 0
        """Of the settings."""
        self.settings_schema: Mapping[str, Any] = {}
        """The settings' schema in the index; settings that it does not describe are secret."""
        self.outer: Mapping[str, Any] | None = None
        self.response: Mapping[str, Any] | None = None
        self.result: Mapping[str, Any] | None = None
        self.attempts: list[ServiceAttempt] = []
        self.outcome = ""
        self.message: str | None = None
        self.finished_at = 0.0
        """time.monotonic() in seconds."""

    @property
    def tenant_id(self) -> str:
        """Id of the calling tenant."""
        return self.request.tenant.id

    @property
    def delivery(self) -> Delivery:
        """The call as the connector's code receives it."""
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
        """Key of the circuit breaker: tenant, revision of its settings, and a host that the call names."""
        named = (self.outer or {}).get("url")
        target = named.partition("//")[2].partition("/")[0] if isinstance(named, str) else ""
        return f"{self.tenant_id} {self.revision} {target.lower()}"

    def is_expired(self) -> bool:
        """Whether the deadline has passed: no caller waits for the answer."""
        return time.monotonic() >= self.request.deadline

    def begin(self) -> None:
        """Mark the call as started and cancel its timer."""
        self.started_at = time.monotonic()
        if self.timer is not None:
            self.timer.cancel()

    def succeed(self, result: Mapping[str, Any]) -> None:
        """Send the result. The journal is written afterwards."""
        self.result, self.outcome, self.finished_at = result, OK, time.monotonic()
        resolve(self.request.reply_to, result)

    def fail(self, error: BaseException, outcome: str) -> None:
        """Send an error, which the function receives."""
        self.outcome, self.message, self.finished_at = outcome, str(error), time.monotonic()
        resolve_with_error(self.request.reply_to, error)


RETRY_FULL_MS: Final = 1000
"""Milliseconds after which callers may retry when the queue is full."""


class CallQueue:
    """The queue of one connector: tenants with queued calls take turns."""

    def __init__(self, name: str, room: ConcurrencyLimits | None = None) -> None:
        self._name = name
        self.room = room or ConcurrencyLimits()
        """The limits now in the index; running calls continue if a limit shrinks."""
        self._by_tenant: OrderedDict[str, deque[OperationCall]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._waiting = 0

    def __len__(self) -> int:
        """Number of queued calls."""
        return self._waiting

    def enqueue(self, call: OperationCall) -> None:
        """Queue the call; ResourceExhausted if the queue is full."""
        line = self._by_tenant.get(call.tenant_id, ())
        if self._waiting >= self.room.waiting:
            raise self._full(f"{self._waiting} calls wait")
        if len(line) >= self.room.waiting_of_one:
            raise self._full(f"{len(line)} calls of tenant {call.request.tenant.name} wait")
        self._by_tenant.setdefault(call.tenant_id, deque()).append(call)
        self._waiting += 1

    def next(self) -> OperationCall | None:
        """Return the call that starts now; None if no call is queued or may start."""
        if self._running.total() >= self.room.at_once:
            return None
        for tenant, line in self._by_tenant.items():
            if self._running[tenant] < self.room.of_one:
                return self._started(tenant, line)
        return None

    def end(self, call: OperationCall) -> None:
        """Count a running call as ended."""
        self._running[call.tenant_id] -= 1
        if not self._running[call.tenant_id]:
            del self._running[call.tenant_id]

    def remove(self, call: OperationCall) -> None:
        """Remove a queued call that has not started."""
        line = self._by_tenant[call.tenant_id]
        line.remove(call)
        self._waiting -= 1
        if not line:
            del self._by_tenant[call.tenant_id]

    def drain(self) -> list[OperationCall]:
        """Remove all queued calls and return them."""
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
