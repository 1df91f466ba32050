"""What the actors of one server share: settings, one another's mailboxes, the routing table, the clock.

Each package with supervised actors has a function `children`, which takes a Shared and returns how the
Supervisor starts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from actors.host.clocks import MonotonicWallClock
from actors.intent.suspicions import Slowdowns
from actors.log.lines import RequestLogClient
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.mailbox import Mailbox
from actors.settings import Settings
from transport.validation import Limits


class MailboxesByName(Protocol):
    """Mailboxes of connectors, by their names in the index: what a caller of them needs."""

    def get(self, name: str, /) -> Mailbox | None:
        """Return the mailbox of a connector, or None if there is no such connector."""
        ...


class ConnectorMailboxes(MailboxesByName, Protocol):
    """All mailboxes of connectors."""

    @property
    def awake(self) -> tuple[Mailbox, ...]:
        """Return the connectors that have received a message."""
        ...

    def __iter__(self) -> Iterator[str]: ...


class Actors(NamedTuple):
    """Mailboxes of the actors that live as long as the server."""

    supervisor: Mailbox
    clock: Mailbox
    migrator: Mailbox
    rollout: Mailbox
    registry: Mailbox
    directory: Mailbox
    waker: Mailbox
    router: Mailbox
    console: Mailbox
    audit_log: Mailbox
    audit_reader: Mailbox
    log_reader: Mailbox
    stats: Mailbox
    intent_monitor: Mailbox
    connectors: ConnectorMailboxes


class Shared(NamedTuple):
    """What the actors of one server share."""

    settings: Settings
    actors: Actors
    snapshot: RoutingSnapshot
    profiles: Profiles
    limits: Limits
    slowdowns: Slowdowns
    request_log: Callable[[], RequestLogClient | None]
    """Makes a client of the tenants' log, one for each incarnation that logs requests."""
    now: Callable[[], float] = time.time
    """Returns the seconds since the epoch."""

    def epoch(self) -> MonotonicWallClock:
        """Return a clock that does not go back, for one incarnation."""
        return MonotonicWallClock(self.now)
