"""Asking and stopping actors that may be gone: for the wiring, when the system stops.

A child of the Supervisor: how it is started, and what is remembered of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

import pykka
import structlog

from actors.messages import Retire, TenantRecord
from actors.runtime.actor import Terminated, ask, stop
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

STOP_SECONDS = 5.0
"""How long the wiring waits for an actor when it stops."""


def try_ask(mailbox: Mailbox, message: object) -> bool:
    """Ask an actor that may be gone; False where it did not answer."""
    if not is_alive(mailbox):
        return False
    try:
        ask(mailbox, message, STOP_SECONDS)
    except (pykka.Timeout, pykka.ActorDeadError):
        log.error("actor did not answer", actor=mailbox.name)
        return False
    return True


def try_drain(
    mailbox: Mailbox, message: object, done: ReplyFuture, seconds: float = STOP_SECONDS
) -> bool:
    """Let an actor end what it has begun, while all whom it asks are still there; `done` is set then.

    False where that has not happened after so many seconds.
    """
    if not is_alive(mailbox):
        return True
    mailbox.tell(message)
    try:
        done.get(timeout=seconds)
    except (pykka.Timeout, pykka.ActorDeadError):
        log.error("an actor stopped with work undone", actor=mailbox.name)
        return False
    return True


def try_stop(mailbox: Mailbox) -> None:
    """Have it leave; one that does not is logged."""
    try:
        if is_alive(mailbox):
            stop(mailbox, STOP_SECONDS)
    except pykka.Timeout:
        log.error("actor did not stop", actor=mailbox.name)


def is_alive(mailbox: Mailbox) -> bool:
    """False where nobody will answer: the actor was given up."""
    return not (mailbox.incarnation is None or isinstance(mailbox.incarnation, Terminated))


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


class ChildState:
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
