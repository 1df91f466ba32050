"""The Router: reads the data channel, finds out who is calling, and hands requests on.

A caller without a valid token can neither wake nor create an actor: everything here is looked up in the
router's own tables, which the Directory tells it.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from actors.access import ADMIN, DATA, Rule
from actors.answers import packed_refusal
from actors.attempts import Attempt, Attempts
from actors.callers import no_tenant, not_you
from actors.channel import Channel, ChannelMailbox, Draining, FlushUses
from actors.epoch import Epoch
from actors.errors import ActionError, Unavailable
from actors.inlet import Inlet, full, require_active
from actors.log.accounts import Accounts
from actors.log.messages import Append, Count, Entry
from actors.mailbox import Mailbox
from actors.messages import (
    ACTIVE,
    ANYONE,
    Address,
    DirectoryChanged,
    FindTenant,
    TenantRecord,
    Work,
)
from actors.permission import require
from actors.profiles import Profiles
from actors.published import Published
from actors.refusals import Refusals
from actors.wording import worded
from transport import codec
from transport.limits import Limits
from transport.mailbox import SocketMailbox
from transport.message import UNAUTHENTICATED, Refusal, Request

UNAUTHENTICATED_COUNT = "router.unauthenticated"
"""Refusals of whoever could not say who he is, in the figures."""

REFUSED_COUNT = "router.refused"
"""Refusals of callers of no tenant: in the figures, and in nobody's log."""

INVALID_COUNT = "router.invalid"
"""Messages that were no request, in the figures."""


class RouterMailbox(ChannelMailbox):
    """The data channel's socket as a mailbox."""

    __slots__ = ("inlets",)

    def __init__(self, name: str, socket: SocketMailbox, supervisor: Mailbox | None) -> None:
        super().__init__(name, socket, supervisor)
        self.inlets: dict[str, Inlet] = {}
        """Of tenants that mail has come for, by their ids. Here because they outlive an incarnation."""


class Router(Channel):
    """Authenticates and hands on; never waits for anybody."""

    mailbox: RouterMailbox

    def __init__(
        self,
        mailbox: RouterMailbox,
        *,
        supervisor: Mailbox,
        directory: Mailbox,
        audit: Mailbox,
        tables: Published,
        profiles: Profiles,
        limits: Limits,
        read_directory: Callable[[], None],
        epoch: Epoch | None = None,
        accounts: Accounts | None = None,
        stats: Mailbox | None = None,
    ) -> None:
        """`accounts` is told what tenants never saw, `stats` how often; None where nobody wants to know."""
        super().__init__(
            mailbox,
            directory=directory,
            tables=tables,
            profiles=profiles,
            limits=limits,
            read_directory=read_directory,
            epoch=epoch,
        )
        self._supervisor = supervisor
        self._audit = audit
        self._inlets = mailbox.inlets
        self._attempts = Attempts()
        self._touched: dict[Mailbox, None] = {}
        self._refusals = None if accounts is None else Refusals(accounts)
        self._stats = stats
        self._counts: Counter[str] = Counter()
        self._handlers[Address] = self._addressed

    def handle(self, mail: deque[Any]) -> None:
        """Take in all that has come before waking any tenant: their commits are shared by more messages."""
        try:
            super().handle(mail)
        finally:
            touched, self._touched = self._touched, {}
            for mailbox in touched:
                mailbox.wake()
            self._account()

    # Who may

    def _admit(self, work: Work) -> None:
        is_stranger = work.principal is ANYONE
        inlet = self._public(work.request) if is_stranger else self._inlet(self._allowed(work))
        inlet.count(self._profiles.of(inlet.tenant.id).limits, work.received)
        self._hand_on(work, inlet)

    def _allowed(self, work: Work) -> TenantRecord:
        """The tenant, where the caller may have it do this now."""
        caller = work.principal
        tenant = self._tenant(work)
        route = self._tables.current.find(work.request.action, caller)
        if route.rule.channel == ADMIN:
            self._attempted(work, tenant)
        require(route, caller, DATA)
        if tenant is None:
            raise no_tenant() if work.request.tenant is None else not_you()
        require_active(tenant)
        return tenant

    def _tenant(self, work: Work) -> TenantRecord | None:
        """The caller's own; None where he names nobody, and for people of the platform, who have none."""
        caller, name = work.principal, work.request.tenant
        if name is None or caller.tenant is None:
            return None
        tenant = self._callers.tenant(name)
        if tenant is None or caller.tenant != tenant.name:
            raise not_you()
        return tenant

    def _public(self, request: Request) -> Inlet:
        """A caller without a token reaches only public actions, and only tenants that are awake and served.

        Everything else is answered as for a tenant that is not there, after the same looks at the same
        tables: an action that is none, or a tenant that is asleep, would otherwise tell a stranger that the
        tenant exists.
        """
        tenant = self._callers.tenant(request.tenant) or NO_TENANT
        route = self._tables.current.routes.get(request.action)
        inlet = self._inlets.get(tenant.id, NO_INLET)
        is_there = inlet.is_awake and tenant.status == ACTIVE
        rule = FOR_NOBODY if route is None else route.rule
        if not rule.admits(ANYONE.role, ANYONE.areas, DATA) or not is_there:
            raise not_you()
        return inlet

    def _attempted(self, work: Work, tenant: TenantRecord | None) -> None:
        attempt = Attempt(work.principal, work.request.action, tenant)
        self._record(self._attempts.note(attempt, work.received))

    def _record(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._audit.tell(Append(entry))

    # Refusing

    def _refuse(self, work: Work, refusal: Refusal) -> None:
        """A caller that is not known hears nothing of any tenant, and leaves nothing in its log."""
        tenant = self._callers.tenant(work.principal.tenant)
        if tenant is not None and refusal.code != UNAUTHENTICATED:
            self._refuse_of(tenant, work, refusal)
            return
        super()._refuse(work, refusal)
        is_stranger = refusal.code == UNAUTHENTICATED
        self._counts[UNAUTHENTICATED_COUNT if is_stranger else REFUSED_COUNT] += 1

    def _refuse_of(self, tenant: TenantRecord, work: Work, refusal: Refusal) -> None:
        """A tenant's caller, in its words and with a line in its log."""
        body = packed_refusal(work, worded(refusal, self._profiles.of(tenant.id).config))
        if self._refusals is not None:
            route = self._tables.current.routes.get(work.request.action)
            self._refusals.note(tenant, work, refusal, route, len(body))
        self._reply(work.peer, body)

    def _refuse_bad(self, routing_id: bytes, delimited: bool, bad: codec.BadRequest) -> None:
        super()._refuse_bad(routing_id, delimited, bad)
        self._counts[INVALID_COUNT] += 1

    def _account(self) -> None:
        """Tell what a batch's refusals were: nothing, as a rule."""
        if self._refusals is not None:
            self._refusals.tell()
        if self._counts and self._stats is not None:
            for name, count in self._counts.items():
                self._stats.tell(Count(name, count))
        self._counts.clear()

    # To the tenants

    def _inlet(self, tenant: TenantRecord) -> Inlet:
        inlet = self._inlets.get(tenant.id)
        if inlet is None:
            inlet = self._inlets[tenant.id] = Inlet(tenant)
        return inlet

    def _hand_on(self, work: Work, inlet: Inlet) -> None:
        mailbox = inlet.mailbox
        if mailbox is None:
            if inlet.keep(work):
                self._supervisor.tell(FindTenant(inlet.tenant, self.mailbox))
        elif mailbox.offer(work):
            self._touched[mailbox] = None
        else:
            raise full(inlet.tenant, mailbox.limit)

    def _addressed(self, message: Address) -> None:
        tenant, mailbox = message
        inlet = self._inlets.get(tenant.id)
        if inlet is None:  # deleted meanwhile, and what waited is refused
            return
        for work in inlet.open(mailbox):
            if not mailbox.offer(work):
                self._refuse_of(inlet.tenant, work, full(tenant, mailbox.limit).refusal)
        self._touched[mailbox] = None

    # From inside

    def _directory_changed(self, change: DirectoryChanged) -> None:
        super()._directory_changed(change)
        gone = {tenant.id for tenant in change.forgotten}
        if change.complete:
            gone |= self._inlets.keys() - {tenant.id for tenant in change.tenants}
        for id_ in gone & self._inlets.keys():
            self._close(self._inlets.pop(id_))

    def _close(self, inlet: Inlet) -> None:
        """A tenant that is deleted has no log any more, and another one may have its name by now."""
        for work in inlet.waiting:
            super()._refuse(work, deleted(inlet.tenant).refusal)
            self._counts[REFUSED_COUNT] += 1

    def _flush(self, message: FlushUses | Draining) -> None:
        super()._flush(message)
        self._record(self._attempts.take(time.monotonic()))
        if self._refusals is not None:
            self._refusals.sum_up()


NO_TENANT = TenantRecord("", "")
NO_INLET = Inlet(NO_TENANT)
FOR_NOBODY = Rule(frozenset(), None)
"""In the place of a tenant, an inlet and an action's rule that are not there."""


def deleted(tenant: TenantRecord) -> ActionError:
    """The refusal of what still waited for a tenant that is deleted."""
    return Unavailable(f"tenant {tenant.name} is deleted; nothing was done")
