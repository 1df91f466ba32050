"""Who may begin, and who waits: one connector's calls, fair between tenants."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Final

from actors.connectors.call import Call
from actors.errors import ResourceExhausted
from actors.index.entries import Room

RETRY_FULL_MS: Final = 1000
"""What callers are told to wait where there is no room, in milliseconds."""


class Queue:
    """For one actor. A tenant whose calls wait comes round after each other one that waits, too."""

    def __init__(self, name: str, room: Room | None = None) -> None:
        self._name = name
        self.room = room or Room()
        """As the index has it now; those that have begun go on where it is smaller than it was."""
        self._lines: OrderedDict[str, deque[Call]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._waiting = 0

    def __len__(self) -> int:
        """Of those that wait."""
        return self._waiting

    def admit(self, call: Call) -> None:
        """Let it wait; ResourceExhausted where as many do."""
        line = self._lines.get(call.tenant_id, ())
        if self._waiting >= self.room.waiting:
            raise self._full(f"{self._waiting} calls wait")
        if len(line) >= self.room.waiting_of_one:
            raise self._full(f"{len(line)} calls of tenant {call.operate.tenant.name} wait")
        self._lines.setdefault(call.tenant_id, deque()).append(call)
        self._waiting += 1

    def next(self) -> Call | None:
        """The one that begins now; None where none waits or none may."""
        if self._running.total() >= self.room.at_once:
            return None
        for tenant, line in self._lines.items():
            if self._running[tenant] < self.room.of_one:
                return self._begun(tenant, line)
        return None

    def end(self, call: Call) -> None:
        """One that had begun has ended."""
        self._running[call.tenant_id] -= 1
        if not self._running[call.tenant_id]:
            del self._running[call.tenant_id]

    def drop(self, call: Call) -> None:
        """It waits no longer, and was not begun."""
        line = self._lines[call.tenant_id]
        line.remove(call)
        self._waiting -= 1
        if not line:
            del self._lines[call.tenant_id]

    def drop_all(self) -> list[Call]:
        """None waits any longer; those that did."""
        calls = [call for line in self._lines.values() for call in line]
        self._lines.clear()
        self._waiting = 0
        return calls

    def _begun(self, tenant: str, line: deque[Call]) -> Call:
        call = line.popleft()
        self._lines.move_to_end(tenant)
        if not line:
            del self._lines[tenant]
        self._waiting -= 1
        self._running[tenant] += 1
        return call

    def _full(self, which: str) -> ResourceExhausted:
        return ResourceExhausted(
            f"{which} for connector {self._name} already; nothing was sent",
            retry_after_ms=RETRY_FULL_MS,
        )
