"""The Router: reads the data channel, finds out who is calling, and hands requests on.

A caller without a valid token can neither wake nor create an actor: everything here is looked up in the
router's own tables, which the Directory tells it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from actors.access import DATA
from actors.answers import packed_refusal
from actors.callers import no_tenant, not_you
from actors.channel import Channel, ChannelMailbox
from actors.epoch import Epoch
from actors.errors import ResourceExhausted
from actors.mailbox import Mailbox
from actors.messages import ANYONE, Address, FindTenant, TenantRecord, Work
from actors.permission import require
from actors.registry import Published
from transport.limits import Limits
from transport.mailbox import SocketMailbox

RETRY_FULL_MS = 100
"""What a full mailbox tells its callers to wait, in milliseconds: about the time to work through it."""

MOST_UNADDRESSED = 1000
"""Messages that may wait for one tenant while the supervisor is asked for its mailbox."""


class RouterMailbox(ChannelMailbox):
    """The data channel's socket as a mailbox."""

    __slots__ = ("unaddressed",)

    def __init__(self, name: str, socket: SocketMailbox, supervisor: Mailbox | None) -> None:
        super().__init__(name, socket, supervisor)
        self.unaddressed: dict[str, deque[Work]] = {}
        """First mail for tenants whose mailboxes the supervisor has been asked for, by the tenant's id.

        Here because it outlives an incarnation.
        """


class Router(Channel):
    """Authenticates and hands on; never waits for anybody."""

    mailbox: RouterMailbox

    def __init__(
        self,
        mailbox: RouterMailbox,
        *,
        supervisor: Mailbox,
        tables: Published,
        limits: Limits,
        read_directory: Callable[[], None],
        directory: Mailbox | None = None,
        epoch: Epoch | None = None,
    ) -> None:
        super().__init__(
            mailbox,
            directory=directory,
            tables=tables,
            limits=limits,
            read_directory=read_directory,
            epoch=epoch,
        )
        self._supervisor = supervisor
        self._addresses: dict[str, Mailbox] = {}
        self._touched: dict[Mailbox, None] = {}
        self._handlers[Address] = self._addressed

    def handle(self, mail: deque[Any]) -> None:
        """Take in all that has come before waking any tenant: their commits are shared by more messages."""
        try:
            super().handle(mail)
        finally:
            touched, self._touched = self._touched, {}
            for mailbox in touched:
                mailbox.wake()

    # From the network

    def _admit(self, work: Work) -> None:
        request, caller = work.request, work.principal
        tenant = self._tenant(work)
        if caller is ANYONE:
            self._require_public(request.action, tenant)
        else:
            require(self._tables.current.find(request.action, caller), caller, DATA)
        self._hand_on(work, tenant)

    def _tenant(self, work: Work) -> TenantRecord:
        name, principal = work.request.tenant, work.principal
        if name is None and principal is not ANYONE:
            raise no_tenant()
        tenant = self._callers.tenant(name)
        if tenant is None or (principal is not ANYONE and principal.tenant != tenant.name):
            raise not_you()
        return tenant

    def _require_public(self, action: str, tenant: TenantRecord) -> None:
        """A caller without a token reaches only public actions, and only tenants that are awake.

        Everything else is answered as for a tenant that is not there: an action that is none, or a tenant
        that is asleep, would otherwise tell a stranger that the tenant exists.
        """
        route = self._tables.current.routes.get(action)
        address = self._addresses.get(tenant.id)
        if route is None or ANYONE.role not in route.rule.allowed:
            raise not_you()
        if address is None or address.occupant is None:
            raise not_you()

    # To the tenants

    def _hand_on(self, work: Work, tenant: TenantRecord) -> None:
        address = self._addresses.get(tenant.id)
        if address is None:
            self._keep(work, tenant)
        elif address.offer(work):
            self._touched[address] = None
        else:
            raise full(tenant, address.limit)

    def _keep(self, work: Work, tenant: TenantRecord) -> None:
        """The first mail for a tenant waits here, in order, until the supervisor names its mailbox."""
        waiting = self.mailbox.unaddressed.get(tenant.id)
        if waiting is None:
            waiting = self.mailbox.unaddressed[tenant.id] = deque()
            self._supervisor.tell(FindTenant(tenant, self.mailbox))
        if len(waiting) >= MOST_UNADDRESSED:
            raise full(tenant, MOST_UNADDRESSED)
        waiting.append(work)

    def _addressed(self, message: Address) -> None:
        tenant, address = message
        self._addresses[tenant.id] = address
        for work in self.mailbox.unaddressed.pop(tenant.id, ()):
            if not address.offer(work):
                self._reply(work.peer, packed_refusal(work, full(tenant, address.limit).refusal))
        self._touched[address] = None


def full(tenant: TenantRecord, limit: int) -> ResourceExhausted:
    """The refusal of a mailbox that holds all it may."""
    return ResourceExhausted(
        f"{limit} messages wait for tenant {tenant.name} already; send this one again, with the same id",
        retry_after_ms=RETRY_FULL_MS,
    )
