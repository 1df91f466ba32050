"""Addresses: the mailbox of each tenant that was asked for since the start, by the tenant's id."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from actors.messages import FindTenant, TenantAddress, TenantRecord
from actors.runtime.lifecycle import ChildSpec, ChildState
from actors.runtime.mailbox import Mailbox
from actors.supervision.messages import TenantPool
from actors.supervision.rejecting import install_tombstone, tenant_deleted


class TenantAddresses:
    """The mailboxes of all tenants, and the ids of those that are deleted. Part of the Supervisor."""

    def __init__(
        self, supervisor: Mailbox, tenants: TenantPool, children: dict[Mailbox, ChildState]
    ) -> None:
        """`children` get the state of each tenant that has a mailbox."""
        self._supervisor = supervisor
        self._tenants = tenants
        self._children = children
        self._mailboxes: dict[str, Mailbox] = {}
        self._retired: set[str] = set()
        """Ids of deleted tenants. An id is never used again, so the set only grows: 100 bytes for each."""

    def find(self, tenant_id: str) -> Mailbox | None:
        """Return the tenant's mailbox; None if nothing has been sent to it."""
        return self._mailboxes.get(tenant_id)

    def find_all(self, tenant_ids: Iterable[str]) -> list[Mailbox]:
        """Return the mailboxes of those tenants that have one."""
        return [self._mailboxes[id_] for id_ in tenant_ids if id_ in self._mailboxes]

    def all(self) -> Collection[Mailbox]:
        """Return the mailboxes of all tenants."""
        return self._mailboxes.values()

    def is_retired(self, tenant: TenantRecord) -> bool:
        """Return whether the tenant was deleted."""
        return tenant.id in self._retired

    def retire(self, tenant: TenantRecord) -> Mailbox | None:
        """Note that the tenant is deleted; return its mailbox, which stays until `forget`."""
        self._retired.add(tenant.id)
        return self._mailboxes.get(tenant.id)

    def forget(self, mailbox: Mailbox, tenant: TenantRecord) -> None:
        """Reject what waits and what comes in a deleted tenant's mailbox. Needs the mailbox's token."""
        del self._children[mailbox], self._mailboxes[tenant.id]
        install_tombstone(mailbox, tenant_deleted(tenant))

    def answer(self, message: FindTenant) -> None:
        """Send the tenant's address; that of a deleted one rejects all mail."""
        tenant = message.tenant
        mailbox = self._mailboxes.get(tenant.id)
        if mailbox is None and tenant.id in self._retired:  # the asker has older data
            mailbox = self._make(tenant)
            install_tombstone(mailbox, tenant_deleted(tenant))
        elif mailbox is None:
            mailbox = self.find_or_make(tenant)
        message.reply_to.tell(TenantAddress(tenant, mailbox))

    def find_or_make(self, tenant: TenantRecord) -> Mailbox:
        """Return the tenant's mailbox; a new one has no incarnation until the first mail comes."""
        mailbox = self._mailboxes.get(tenant.id)
        if mailbox is not None:
            return mailbox
        mailbox = self._mailboxes[tenant.id] = self._make(tenant)
        spec = ChildSpec(
            mailbox.name,
            lambda box: self._tenants.start(tenant, box),
            restart="transient",
            essential=False,
        )
        self._children[mailbox] = ChildState(spec, tenant)
        mailbox.release()
        return mailbox

    def _make(self, tenant: TenantRecord) -> Mailbox:
        name, limit = f"tenant {tenant.name}", self._tenants.mail
        return Mailbox(name, self._tenants.schedule, supervisor=self._supervisor, limit=limit)
