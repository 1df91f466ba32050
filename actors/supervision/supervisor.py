"""The Supervisor: starts, watches, restarts and passivates every other actor.

Its rules are OTP's (erlang.org/doc/design_principles/sup_princ): after more than `max_restarts` restarts of a
child within `max_seconds`, the supervisor gives the child up. Beyond OTP, it waits longer before each
restart; a child's mailbox outlives the child; and a message that crashed its actor twice is a dead letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.errors import MigrationNeeded, NotFound, Unavailable
from actors.log.events import log_failure
from actors.messages import (
    FindTenant,
    Migrate,
    Migrated,
    Passivate,
    PassivationDeclined,
    Retire,
    Retired,
)
from actors.runtime.actor import Actor, RestartedByPerson, terminate
from actors.runtime.lifecycle import ChildState, ChildStopped, StartChild
from actors.runtime.mailbox import Crashed, Mailbox, MailWaiting, Stopped
from actors.supervision.addresses import TenantAddresses
from actors.supervision.draining import TenantDrain
from actors.supervision.inspection import Inspection
from actors.supervision.messages import (
    Drain,
    EvictIdle,
    GrowPool,
    RefuseUnfinished,
    Restart,
    TenantPool,
)
from actors.supervision.pausing import Pause, PauseOverdue, Pauses, Unpause
from actors.supervision.rejecting import Rejections, refuse_unfinished, tenant_deleted
from actors.supervision.residency import ResidentSet
from actors.supervision.restarting import Restarts


class Supervisor(Actor):
    """Root of the tree, and the only actor that starts others."""

    def __init__(
        self,
        mailbox: Mailbox,
        clock: Mailbox,
        migrator: Mailbox,
        tenants: TenantPool,
        give_up: Callable[[str, BaseException], None],
    ) -> None:
        """`give_up` stops the system, because of the actor of this name and its error."""
        super().__init__(mailbox)
        self._migrator, self._tenants = migrator, tenants
        self._give_up = give_up
        self._children: dict[Mailbox, ChildState] = {}
        self._addresses = TenantAddresses(mailbox, tenants, self._children)
        self._residents = ResidentSet(tenants.resident_cap)
        self._rejections = Rejections(self._residents, tenants.request_log)
        self._restarts = Restarts(mailbox, clock, self._start, self._rejections, give_up)
        self._pauses = Pauses(clock, self._residents, self._rejections.reject)
        self._draining = TenantDrain(self._addresses, self._residents)
        self._add_handlers(
            {
                **Inspection(self._children, self._residents, mailbox).handlers,
                StartChild: self._start_child,
                MailWaiting: self._on_mail_waiting,
                Crashed: self._on_crashed,
                Stopped: self._on_stopped,
                PassivationDeclined: self._on_declined,
                Restart: self._restart,
                FindTenant: self._addresses.answer,
                Retire: self._retire,
                Pause: self._pause,
                Unpause: self._unpause,
                PauseOverdue: self._pauses.overdue,
                Migrated: self._migrated,
                EvictIdle: lambda _: self._evict_idle(),
                GrowPool: lambda _: self._tenants.grow(),
                Drain: self._begin_drain,
                RefuseUnfinished: lambda _: refuse_unfinished(self._residents.members()),
            }
        )

    def on_failure(self, *info: Any) -> None:
        """Stop the system: the Supervisor has no supervisor."""
        self._give_up(self.mailbox.name, info[1])

    # Starting

    def _start_child(self, message: StartChild) -> None:
        self._children[message.mailbox] = ChildState(message.spec)
        self._start(message.mailbox)

    def _start(self, mailbox: Mailbox) -> None:
        child = self._children[mailbox]
        try:
            child.start(mailbox)
        except BaseException as error:  # noqa: BLE001 - an error of a constructor is the child's
            self._on_crashed(Crashed(mailbox, error, None))

    # Residence: which tenants hold an open database

    def _on_mail_waiting(self, message: MailWaiting) -> None:
        """Start an actor that has mail. A tenant may have to wait until others are evicted."""
        mailbox = message.mailbox
        child = self._children[mailbox]
        if self._is_taken(mailbox, child):
            return
        if child.tenant is None:
            self._start(mailbox)
        elif self._draining.has_begun:
            self._rejections.reject_once(mailbox, child.tenant)  # the drain waits for that
        else:
            self._residents.enqueue(mailbox)
            self._admit_and_evict()

    def _admit_and_evict(self) -> None:
        for mailbox in self._residents.admit():
            self._start(mailbox)
        for mailbox in self._residents.evict():
            mailbox.tell(Passivate(insist=True))
        for mailbox in self._residents.evict_when_idle():
            mailbox.tell(Passivate(insist=True, patient=True))

    def _on_stopped(self, message: Stopped) -> None:
        child = self._children[message.mailbox]
        if self._is_taken(message.mailbox, child):
            return
        if child.tenant is not None:
            self._residents.remove(message.mailbox)
            message.mailbox.release()  # mail that came meanwhile sends MailWaiting
            self._admit_and_evict()
            self._draining.check()
        elif child.spec.restart == "temporary":
            self._forget(message.mailbox)
        elif child.spec.restart == "transient":
            message.mailbox.release()  # started again when mail comes
        elif not self._draining.has_begun:  # otherwise the wiring has stopped it for good
            error = ChildStopped(f"{message.mailbox.name} is permanent and stopped by itself")
            self._restarts.start_again(message.mailbox, child, error)

    def _forget(self, mailbox: Mailbox) -> None:
        """Forget a temporary child, which is never restarted; asks raise ActorDeadError from now on."""
        del self._children[mailbox]
        terminate(mailbox)

    def _on_declined(self, message: PassivationDeclined) -> None:
        self._residents.declined(message.mailbox)
        if self._draining.has_begun:
            message.mailbox.tell(Passivate())
        self._admit_and_evict()

    def _evict_idle(self) -> None:
        for mailbox in self._residents.idle_since(time.monotonic() - self._tenants.idle_seconds):
            mailbox.tell(Passivate())
        self._admit_and_evict()  # tenants that declined may be idle by now

    # Failing

    def _on_crashed(self, message: Crashed) -> None:
        mailbox, error, poison = message
        child = self._children[mailbox]
        if isinstance(error, MigrationNeeded) and self._migrate(mailbox, child):
            return
        child.crashes += 1
        log_failure(mailbox.name, child.tenant, poison, error)
        if self._is_taken(mailbox, child):
            return
        if child.spec.restart == "temporary":
            self._forget(mailbox)
        elif isinstance(error, RestartedByPerson):  # no failure: not counted towards giving up
            self._start(mailbox)
        else:
            self._restarts.start_again(mailbox, child, error)

    def _migrate(self, mailbox: Mailbox, child: ChildState) -> bool:
        """Have the tenant's file migrated; return False if that has failed too often."""
        if child.tenant is None or child.retirements:
            return False
        if self._is_taken(mailbox, child):
            return True
        if child.count_restart(time.monotonic()) > child.spec.max_restarts:
            return False
        self._migrator.tell(Migrate(child.tenant, mailbox, self.mailbox))
        return True

    def _restart(self, message: Restart) -> None:
        child = self._children.get(message.mailbox)
        if child is not None:  # otherwise it was retired meanwhile
            child.is_backing_off = False
            if not self._is_taken(message.mailbox, child):
                self._start(message.mailbox)

    def _migrated(self, message: Migrated) -> None:
        child = self._children[message.mailbox]
        if self._is_taken(message.mailbox, child):
            return
        if message.error is None:
            self._start(message.mailbox)
        else:
            self._on_crashed(Crashed(message.mailbox, message.error, None))

    # Pausing: a tenant's file stays closed for a while, and its mail waits

    def _pause(self, message: Pause) -> None:
        tenant = message.tenant
        if self._draining.has_begun:
            self._pauses.refuse(message, Unavailable("the server is stopping"))
            return
        if self._addresses.is_retired(tenant):
            self._pauses.refuse(message, NotFound(tenant_deleted(tenant).message))
            return
        mailbox = self._addresses.find_or_make(tenant)
        if self._pauses.begin(message, mailbox):
            mailbox.tell(Passivate(insist=True, patient=True))
        self._admit_and_evict()

    def _unpause(self, message: Unpause) -> None:
        ids = self._pauses.ids() if message.tenant_id is None else [message.tenant_id]
        for mailbox in self._addresses.find_all(ids):
            state = self._pauses.end(mailbox)
            if state is not None and state.is_rejecting:
                mailbox.tell(Passivate())
            elif state is not None and state.holds_token:
                mailbox.release()
        self._draining.check()

    def _is_taken(self, mailbox: Mailbox, child: ChildState) -> bool:
        """Whether the mailbox's token is for a retirement or a pause, and for no other incarnation."""
        if child.retirements:
            self._finish_retirement(mailbox, child)
            return True
        if not self._pauses.take(mailbox):
            return False
        self._admit_and_evict()
        self._draining.check()
        return True

    # Retiring: a deleted tenant stops and is never started again

    def _retire(self, message: Retire) -> None:
        """Retire a tenant once the mailbox's token is here: now, or with the next news of the tenant."""
        mailbox = self._addresses.retire(message.tenant)
        if mailbox is None:
            message.reply_to.tell(Retired(message.tenant))
            return
        child = self._children[mailbox]
        child.retirements.append(message)
        if child.is_backing_off or self._pauses.holds(mailbox) or self._residents.cancel(mailbox):
            self._finish_retirement(mailbox, child)
        else:
            mailbox.tell(Passivate(insist=True, cancel=True))  # or it is MailWaiting already

    def _finish_retirement(self, mailbox: Mailbox, child: ChildState) -> None:
        """Reject the mail that waits, forget the mailbox, and answer Retired. Needs the mailbox's token."""
        assert child.tenant is not None
        self._pauses.end(mailbox)
        self._addresses.forget(mailbox, child.tenant)
        for message in child.retirements:
            message.reply_to.tell(Retired(message.tenant))
        self._residents.remove(mailbox)
        self._admit_and_evict()
        self._draining.check()

    # Stopping

    def _begin_drain(self, message: Drain) -> None:
        for mailbox in self._draining.begin(message):
            self._on_mail_waiting(MailWaiting(mailbox))
        self._draining.check()
