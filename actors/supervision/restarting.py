"""Restarts: what becomes of a child after it failed, and when it is started again.

A child's restarts are counted in its ChildState; the Clock times the wait before each.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from actors.errors import DatabaseProblem
from actors.host.disk_errors import is_passing
from actors.log.events import log_give_up
from actors.messages import Passivate, Unserved
from actors.runtime.actor import terminate
from actors.runtime.clock import Once
from actors.runtime.lifecycle import ChildState
from actors.runtime.mailbox import Mailbox
from actors.supervision.backoff import MAX_BACKOFF, backoff
from actors.supervision.messages import Restart
from actors.supervision.rejecting import Rejections, unserved

MAX_DISK_BACKOFF = 0.8
"""Seconds at most between attempts to open a tenant's file during a passing disk error."""

TRANSIENT_SECONDS = 1.0
"""Seconds until an essential actor is restarted after a passing error of the disk or of descriptors."""


class Restarts:
    """Starts a failed child again: now, after a while, or never. Part of the Supervisor."""

    def __init__(
        self,
        supervisor: Mailbox,
        clock: Mailbox,
        start: Callable[[Mailbox], None],
        rejections: Rejections,
        give_up: Callable[[str, BaseException], None],
    ) -> None:
        """`give_up` stops the system, because of the actor of this name and its error."""
        self._supervisor = supervisor
        self._clock = clock
        self._start = start
        self._rejections = rejections
        self._give_up = give_up

    def start_again(self, mailbox: Mailbox, child: ChildState, error: BaseException) -> None:
        """Restart a child that failed, or give it up if that has been done too often."""
        if self._is_transient(mailbox, child, error):
            self._start_later(mailbox, child, TRANSIENT_SECONDS)
            return
        restarts = child.count_restart(time.monotonic())
        if child.tenant is not None and is_passing(error):
            seconds = min(backoff(restarts + 1), MAX_DISK_BACKOFF)
            self._reject_for(mailbox, unserved(child.tenant, error, seconds), seconds)
        elif restarts > child.spec.max_restarts or isinstance(error, DatabaseProblem):
            self._give_up_on(mailbox, child, error)
        else:
            self._start_later(mailbox, child, backoff(restarts))

    def _is_transient(self, mailbox: Mailbox, child: ChildState, error: BaseException) -> bool:
        """Return whether an essential child that has had a turn met a passing error, such as a full disk.

        Before its first turn restarts are counted: a server that cannot start should fail soon.
        """
        was_alive = mailbox.last_turn > 0 and mailbox is not self._clock
        return child.spec.essential and was_alive and is_passing(error)

    def _start_later(self, mailbox: Mailbox, child: ChildState, seconds: float) -> None:
        if seconds == 0 or mailbox is self._clock:  # the Clock cannot time its own return
            self._start(mailbox)
        else:
            child.is_backing_off = True
            self._clock.tell(Once(seconds, self._supervisor, Restart(mailbox)))

    def _give_up_on(self, mailbox: Mailbox, child: ChildState, error: BaseException) -> None:
        """Stop the system for an essential child; give up any other child for a while."""
        if child.spec.essential:
            self._give_up(mailbox.name, error)
            terminate(mailbox)  # actors that ask it while the system stops must not wait
            return
        log_give_up(mailbox.name, child.tenant, MAX_BACKOFF)
        child.restarts.clear()
        if child.tenant is None:
            self._start_later(mailbox, child, MAX_BACKOFF)
            return
        self._reject_for(mailbox, unserved(child.tenant, error, MAX_BACKOFF), MAX_BACKOFF)

    def _reject_for(self, mailbox: Mailbox, out: Unserved, seconds: float) -> None:
        """Start a RejectingActor in the tenant's mailbox, for `seconds`."""
        self._rejections.reject(mailbox, out)
        self._clock.tell(Once(seconds, mailbox, Passivate()))
