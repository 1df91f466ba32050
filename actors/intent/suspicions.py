"""Suspicions, which channels and tenants send to the IntentMonitor, and what it publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from actors.intent.signals import IntentRules
from actors.messages import Principal, TenantRecord
from actors.runtime.mailbox import Mailbox
from transport.request.model import Request

MOST_BATCHES: Final = 1000
"""Batches that may wait for the IntentMonitor; further ones are dropped."""


class Origin(NamedTuple):
    """Where a message came from. Never a proof of who is calling."""

    connection: str
    """Id of the connection, in hexadecimal digits."""
    address: str | None = None
    """The peer's IP address; None for socket files."""
    key: str | None = None
    """The connection's CURVE key, by its owner's name if the server has a list; None without CURVE."""

    @property
    def group(self) -> str:
        """Return what is counted together: an address, or a connection that has none."""
        return self.address or self.connection


class Suspicion(NamedTuple):
    """One message that a signal may count."""

    outcome: str
    """One of actors.intent.signals.OUTCOMES."""
    request: Request
    caller: Principal
    tenant: TenantRecord | None
    """The caller's tenant."""
    trace_id: str
    connection: bytes
    """ZeroMQ's id of the connection."""
    origin: Origin | None = None
    """None from tenants, which see no address: the Router finds it if a step is taken."""


class Suspicions(NamedTuple):
    """To the IntentMonitor: the suspicions of one turn."""

    suspicions: tuple[Suspicion, ...]


class LogStep(NamedTuple):
    """To the Router: log a step on the ladder, with the address of the connection that led to it."""

    connection: bytes
    fields: Mapping[str, str | None]
    """Of the line."""


class Slowdowns:
    """Who is slowed, published as a whole by the IntentMonitor alone; the channels read it."""

    __slots__ = ("addresses", "seconds", "tokens")

    def __init__(self) -> None:
        self.tokens: frozenset[str] = frozenset()
        """Ids of tokens."""
        self.addresses: frozenset[str] = frozenset()
        """As `Origin.group`: their messages without a valid token are slowed."""
        self.seconds = 1.0
        """Between two messages."""


class SuspicionClient:
    """Client of the IntentMonitor, for one actor. It never blocks: a full mailbox drops a batch."""

    __slots__ = ("_batch", "_monitor", "_outcomes", "_rules", "_seen")

    def __init__(self, monitor: Mailbox | None, rules: Callable[[], IntentRules]) -> None:
        """`rules` returns those in force; without a monitor nothing is sent."""
        self._monitor = monitor
        self._rules = rules
        self._seen: IntentRules | None = None
        self._outcomes: frozenset[str] = frozenset()
        self._batch: list[Suspicion] = []

    def add(self, suspicion: Suspicion) -> None:
        """Add a suspicion, if any signal counts its outcome."""
        rules = self._rules()
        if rules is not self._seen:
            self._seen, self._outcomes = rules, rules.outcomes
        if suspicion.outcome in self._outcomes and self._monitor is not None:
            self._batch.append(suspicion)

    def flush(self) -> None:
        """Send the monitor what was added since the last call."""
        if self._batch and self._monitor is not None:
            batch, self._batch = self._batch, []
            if self._monitor.try_enqueue(Suspicions(tuple(batch))):
                self._monitor.schedule()
