"""Messages that the Supervisor receives, and how it starts tenants."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from actors.log.lines import RequestLogClient
from actors.messages import TenantRecord
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Mailbox


class Restart(NamedTuple):
    """From the Clock: the time before a restart is over."""

    mailbox: Mailbox


class EvictIdle(NamedTuple):
    """From the Clock: passivate the tenants that have been idle for long."""


class GrowPool(NamedTuple):
    """From the Clock: add a thread if functions block all threads of the tenants."""


class Drain(NamedTuple):
    """From the wiring: have every tenant answer its mail and stop. `done` is set when all have stopped."""

    done: ReplyFuture
    closing: float
    """time.monotonic() after which requests that have not begun are rejected."""


class RefuseUnfinished(NamedTuple):
    """Ask, after a drain that did not end: answer for tenants whose functions do not return."""


class TenantPool(NamedTuple):
    """How tenants are started, on which threads they run, and how many are resident."""

    start: Callable[[TenantRecord, Mailbox], object]
    """Makes and starts an incarnation of a tenant in the given mailbox."""
    schedule: Callable[[Mailbox], None]
    """Gives a tenant's mailbox a turn on the threads of the tenants."""
    grow: Callable[[], object]
    """Adds a thread if functions block all threads."""
    mail: int
    """Messages that a tenant's mailbox holds at most."""
    resident_cap: int
    """Tenants that are resident at a time."""
    idle_seconds: float
    """Seconds without mail after which a tenant is passivated."""
    request_log: Callable[[], RequestLogClient | None] = lambda: None
    """Makes a client of the tenants' log, for what is rejected in a tenant's place."""
