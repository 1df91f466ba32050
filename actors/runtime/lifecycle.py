"""How a child is started and restarted, and how the wiring asks and stops actors that may be gone.

ChildSpec and ChildState are for the Supervisor; StartChild for the wiring, whose packages each return theirs;
try_ask, try_drain and try_stop for the stop of the system.
"""

from __future__ import annotations

import time
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
"""Seconds that the wiring waits for each actor while the system stops."""


def try_ask(mailbox: Mailbox, message: object) -> bool:
    """Ask an actor that may be gone; return False if it does not answer within STOP_SECONDS."""
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
    """Have an actor finish what it has begun, while every actor that it asks is still alive.

    The actor sets `done` then. Return False if it has not after this many seconds.
    """
    if not is_alive(mailbox):
        return True
    mailbox.tell(message)
    try:
        done.get(timeout=seconds)
    except (pykka.Timeout, pykka.ActorDeadError):
        log.error("actor stopped with unfinished work", actor=mailbox.name)
        return False
    return True


def try_stop(mailbox: Mailbox) -> None:
    """Have an actor stop; log it if it does not within STOP_SECONDS."""
    try:
        if is_alive(mailbox):
            stop(mailbox, STOP_SECONDS)
    except pykka.Timeout:
        log.error("actor did not stop", actor=mailbox.name)


def is_alive(mailbox: Mailbox) -> bool:
    """Return False if no incarnation will answer: the actor was given up."""
    return not (mailbox.incarnation is None or isinstance(mailbox.incarnation, Terminated))


class ChildSpec(NamedTuple):
    """How the Supervisor starts a child, and when it restarts the child."""

    name: str
    start: Callable[[Mailbox], object]
    """Makes and starts an incarnation in the given mailbox."""
    restart: Literal["permanent", "transient", "temporary"] = "permanent"
    """permanent: always restarted; transient: only after a crash; temporary: never."""
    max_restarts: int = 5
    max_seconds: float = 10.0
    essential: bool = True
    """Whether the system stops when the child is given up.

    If not, the child is restarted after a while. Until then a tenant's mail is rejected; any other child's
    mail waits.
    """


class StartChild(NamedTuple):
    """From the wiring, which has made the mailbox and holds its token: start this child and supervise it."""

    spec: ChildSpec
    mailbox: Mailbox
    timers: tuple[tuple[float, object], ...] = ()
    """Messages that the child is to get again and again while the server runs, each after its seconds."""


def supervised(
    mailbox: Mailbox,
    start: Callable[[Mailbox], object],
    *timers: tuple[float, object],
    essential: bool = True,
) -> StartChild:
    """Return the order to start a permanent child under its mailbox's name."""
    return StartChild(ChildSpec(mailbox.name, start, essential=essential), mailbox, timers)


class ChildState:
    """What the Supervisor remembers of a child. For the Supervisor alone."""

    def __init__(self, spec: ChildSpec, tenant: TenantRecord | None = None) -> None:
        self.spec = spec
        self.tenant = tenant
        self.restarts: deque[float] = deque()
        self.crashes = 0
        """How often an incarnation ended with an error, or because a person wanted it to."""
        self.started_at = 0.0
        """time.monotonic() of the latest start, in seconds."""
        self.is_backing_off = False
        """True while the Clock times the restart. The Supervisor holds the mailbox's token meanwhile."""
        self.retirements: list[Retire] = []
        """Requests to retire the child for good, which are answered when it is gone."""

    def start(self, mailbox: Mailbox) -> None:
        """Make and start an incarnation."""
        self.started_at = time.monotonic()
        self.spec.start(mailbox)

    def count_restart(self, now: float) -> int:
        """Count a restart; return how many there were within max_seconds, this one included."""
        self.restarts.append(now)
        while self.restarts[0] < now - self.spec.max_seconds:
            self.restarts.popleft()
        return len(self.restarts)


class ChildStopped(Exception):
    """A permanent child has stopped by itself, while the system runs."""
