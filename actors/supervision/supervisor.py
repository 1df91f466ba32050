"""The Supervisor: starts, watches, restarts and passivates every other actor.

Its rules are OTP's (erlang.org/doc/design_principles/sup_princ): after more than `max_restarts` restarts of a
child within `max_seconds`, the supervisor gives the child up. Beyond OTP, it waits longer before each
restart; a child's mailbox outlives the child; and a message that crashed its actor twice is a dead letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.errors import DatabaseProblem, MigrationNeeded, NotFound, Unavailable
from actors.host.disk import is_passing
from actors.log.events import log_failure, log_give_up
from actors.messages import (
    FindTenant,
    ListResidents,
    ListUnserved,
    Migrate,
    Migrated,
    Passivate,
    PassivationDeclined,
    Retire,
    Retired,
    TenantAddress,
    TenantRecord,
    Unserved,
)
from actors.runtime.actor import Actor, RestartedByPerson, terminate
from actors.runtime.clock import Once
from actors.runtime.futures import resolve
from actors.runtime.lifecycle import ChildSpec, ChildState, ChildStopped, StartChild
from actors.runtime.mailbox import Crashed, Mailbox, MailWaiting, Stopped
from actors.supervision.backoff import MAX_BACKOFF, backoff
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
from actors.supervision.rejecting import (
    STOPPING,
    RejectingActor,
    install_tombstone,
    refuse_unfinished,
    tenant_deleted,
    unserved,
)
from actors.supervision.residency import ResidentSet

MAX_DISK_BACKOFF = 0.8
"""Seconds at most between attempts to open a tenant's file during a passing disk error."""

TRANSIENT_SECONDS = 1.0
"""Seconds until an essential actor is restarted after a passing error of the disk or of descriptors."""


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
        self._clock = clock
        self._migrator = migrator
        self._tenants = tenants
        self._give_up = give_up
        self._children: dict[Mailbox, ChildState] = {}
        self._addresses: dict[str, Mailbox] = {}
        self._residents = ResidentSet(tenants.resident_cap)
        self._pauses = Pauses(clock, self._residents, self._reject)
        self._retired: set[str] = set()
        """Ids of deleted tenants. An id is never used again, so the set only grows: 100 bytes for each."""
        self._drain: Drain | None = None
        self._add_handlers(Inspection(self._children, self._residents, mailbox).handlers)
        self._add_handlers(
            {
                ListResidents: lambda _: self._residents.members(),
                ListUnserved: lambda _: self._residents.unserved(),
                StartChild: self._start_child,
                MailWaiting: self._on_mail_waiting,
                Crashed: self._on_crashed,
                Stopped: self._on_stopped,
                PassivationDeclined: self._on_declined,
                Restart: self._restart,
                FindTenant: self._find_tenant,
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

    def _find_tenant(self, message: FindTenant) -> None:
        tenant = message.tenant
        mailbox = self._addresses.get(tenant.id)
        if mailbox is None and tenant.id in self._retired:  # the asker has older data
            mailbox = self._tenant_mailbox(tenant)
            install_tombstone(mailbox, tenant_deleted(tenant))
        elif mailbox is None:
            mailbox = self._addresses[tenant.id] = self._new_mailbox(tenant)
        message.reply_to.tell(TenantAddress(tenant, mailbox))

    def _tenant_mailbox(self, tenant: TenantRecord) -> Mailbox:
        name, limit = f"tenant {tenant.name}", self._tenants.mail
        return Mailbox(name, self._tenants.schedule, supervisor=self.mailbox, limit=limit)

    def _new_mailbox(self, tenant: TenantRecord) -> Mailbox:
        mailbox = self._tenant_mailbox(tenant)
        spec = ChildSpec(
            mailbox.name,
            lambda box: self._tenants.start(tenant, box),
            restart="transient",
            essential=False,
        )
        self._children[mailbox] = ChildState(spec, tenant)
        mailbox.release()  # no incarnation until the first mail comes
        return mailbox

    # Residence: which tenants hold an open database

    def _on_mail_waiting(self, message: MailWaiting) -> None:
        """Start an actor that has mail. A tenant may have to wait until others are evicted."""
        mailbox = message.mailbox
        child = self._children[mailbox]
        if self._is_taken(mailbox, child):
            return
        if child.tenant is None:
            self._start(mailbox)
        elif self._drain is not None:
            self._residents.add(mailbox)  # the drain waits until its mail is rejected
            client = self._tenants.request_log()
            RejectingActor.start(mailbox, STOPPING, child.tenant, once=True, request_log=client)
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
            self._check_drained()
        elif child.spec.restart == "temporary":
            self._forget(message.mailbox)
        elif child.spec.restart == "transient":
            message.mailbox.release()  # started again when mail comes
        elif self._drain is None:  # otherwise the wiring has stopped it for good
            error = ChildStopped(f"{message.mailbox.name} is permanent and stopped by itself")
            self._start_again(message.mailbox, child, error)

    def _forget(self, mailbox: Mailbox) -> None:
        """Forget a temporary child, which is never restarted; asks raise ActorDeadError from now on."""
        del self._children[mailbox]
        terminate(mailbox)

    def _on_declined(self, message: PassivationDeclined) -> None:
        self._residents.declined(message.mailbox)
        if self._drain is not None:
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
            self._start_again(mailbox, child, error)

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

    def _start_again(self, mailbox: Mailbox, child: ChildState, error: BaseException) -> None:
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
            self._clock.tell(Once(seconds, self.mailbox, Restart(mailbox)))

    def _restart(self, message: Restart) -> None:
        child = self._children.get(message.mailbox)
        if child is not None:  # otherwise it was retired meanwhile
            child.is_backing_off = False
            if not self._is_taken(message.mailbox, child):
                self._start(message.mailbox)

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
        self._reject(mailbox, out)
        self._clock.tell(Once(seconds, mailbox, Passivate()))

    def _reject(self, mailbox: Mailbox, out: Unserved) -> None:
        self._residents.mark_unserved(mailbox, out)
        client = self._tenants.request_log()
        RejectingActor.start(mailbox, out.refusal, out.tenant, request_log=client)

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
        if self._drain is not None:
            self._pauses.refuse(message, Unavailable("the server is stopping"))
            return
        if tenant.id in self._retired:
            self._pauses.refuse(message, NotFound(tenant_deleted(tenant).message))
            return
        mailbox = self._addresses.get(tenant.id)
        if mailbox is None:
            mailbox = self._addresses[tenant.id] = self._new_mailbox(tenant)
        if self._pauses.begin(message, mailbox):
            mailbox.tell(Passivate(insist=True, patient=True))
        self._admit_and_evict()

    def _unpause(self, message: Unpause) -> None:
        ids = self._pauses.ids() if message.tenant_id is None else [message.tenant_id]
        for mailbox in [self._addresses[id_] for id_ in ids if id_ in self._addresses]:
            state = self._pauses.end(mailbox)
            if state is not None and state.is_rejecting:
                mailbox.tell(Passivate())
            elif state is not None and state.holds_token:
                mailbox.release()
        self._check_drained()

    def _is_taken(self, mailbox: Mailbox, child: ChildState) -> bool:
        """Whether the mailbox's token is for a retirement or a pause, and for no other incarnation."""
        if child.retirements:
            self._finish_retirement(mailbox, child)
            return True
        if not self._pauses.take(mailbox):
            return False
        self._admit_and_evict()
        self._check_drained()
        return True

    # Retiring: a deleted tenant stops and is never started again

    def _retire(self, message: Retire) -> None:
        """Retire a tenant once the mailbox's token is here: now, or with the next news of the tenant."""
        self._retired.add(message.tenant.id)
        mailbox = self._addresses.get(message.tenant.id)
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
        del self._children[mailbox], self._addresses[child.tenant.id]
        install_tombstone(mailbox, tenant_deleted(child.tenant))
        for message in child.retirements:
            message.reply_to.tell(Retired(message.tenant))
        self._residents.remove(mailbox)
        self._admit_and_evict()
        self._check_drained()

    # Stopping

    def _begin_drain(self, message: Drain) -> None:
        self._drain = message
        for mailbox in self._addresses.values():
            mailbox.closing = message.closing
        for mailbox in self._residents.members():  # also leaving ones, which may take longer
            mailbox.tell(Passivate())
        for mailbox in self._residents.cancel_waiting():
            self._on_mail_waiting(MailWaiting(mailbox))
        self._check_drained()

    def _check_drained(self) -> None:
        """Resolve `done` if no tenant is resident and no mail waits: its MailWaiting is still on its way."""
        if self._drain is None or self._residents.members():
            return
        if all(mailbox.empty() for mailbox in self._addresses.values()):
            resolve(self._drain.done, True)
