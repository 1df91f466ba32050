"""A child of the Supervisor: how it is started, and what is remembered of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

from actors.mailbox import Mailbox
from actors.messages import Retire, TenantRecord


class ChildSpec(NamedTuple):
    """How to start a child, and when to start it again."""

    name: str
    start: Callable[[Mailbox], object]
    """Makes and starts an incarnation in the given mailbox."""
    restart: Literal["permanent", "transient", "temporary"] = "permanent"
    """Always; only after a failure; never."""
    max_restarts: int = 5
    max_seconds: float = 10.0
    essential: bool = True
    """When given up: True stops the system; False tries again after a while, in which a tenant's mail is
    refused, and any other child's waits."""


class Child:
    """What the Supervisor remembers of a child. Its own, shown to nobody."""

    def __init__(self, spec: ChildSpec, tenant: TenantRecord | None = None) -> None:
        self.spec = spec
        self.tenant = tenant
        self.restarts: deque[float] = deque()
        self.is_backing_off = False
        """True while the Clock has the next start; the mailbox's token is the Supervisor's meanwhile."""
        self.retirements: list[Retire] = []
        """Who waits for it to be gone, for good."""

    def count_restart(self, now: float) -> int:
        """How many restarts there were within max_seconds, this one included."""
        self.restarts.append(now)
        while self.restarts[0] < now - self.spec.max_seconds:
            self.restarts.popleft()
        return len(self.restarts)


class ChildStopped(Exception):
    """A permanent child stopped although nobody is stopping the system."""
