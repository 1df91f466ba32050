"""Forwards admitted requests into the mailboxes of tenants, which are woken once a batch is in."""

from __future__ import annotations

from collections.abc import Iterable

from actors.edge.admission import Admission, queue_full
from actors.messages import DirectoryChanged, FindTenant, TenantAddress, TenantRecord, TenantRequest
from actors.runtime.mailbox import Mailbox


class Forwarding:
    """The tenants that a channel has sent requests to, and which of them have mail since the last `wake`."""

    def __init__(
        self,
        mailbox: Mailbox,
        supervisor: Mailbox,
        admissions: dict[str, Admission],
        usual_rate: float,
    ) -> None:
        """`mailbox` is the channel's, which gets the addresses of tenants. `admissions` are by tenant id.

        `usual_rate` is the requests a second of a tenant without a rate of its own.
        """
        self._mailbox = mailbox
        self._supervisor = supervisor
        self._admissions = admissions
        self._usual_rate = usual_rate
        self._touched: dict[Mailbox, None] = {}

    def admission(self, tenant: TenantRecord) -> Admission:
        """Return the tenant's admission."""
        admission = self._admissions.get(tenant.id)
        if admission is None:
            admission = self._admissions[tenant.id] = Admission(tenant, self._usual_rate)
        return admission

    def find(self, tenant: TenantRecord, default: Admission) -> Admission:
        """Return the admission of a tenant if it was ever forwarded to."""
        return self._admissions.get(tenant.id, default)

    def forward(self, work: TenantRequest, admission: Admission) -> None:
        """Put a request into the tenant's mailbox, or queue it until the address is here.

        Raises ResourceExhausted if too many wait.
        """
        mailbox = admission.mailbox
        if mailbox is None:
            if admission.enqueue(work):
                self._supervisor.tell(FindTenant(admission.tenant, self._mailbox))
        elif mailbox.try_enqueue(work):
            self._touched[mailbox] = None
        else:
            raise queue_full(admission.tenant, mailbox.limit)

    def release(self, message: TenantAddress) -> Iterable[TenantRequest]:
        """Put what was queued into the mailbox that was found; return those that find no room there."""
        tenant, mailbox = message
        admission = self._admissions.get(tenant.id)
        if admission is None:  # deleted meanwhile; its queued requests were refused
            return ()
        self._touched[mailbox] = None
        return [work for work in admission.release(mailbox) if not mailbox.try_enqueue(work)]

    def wake(self) -> None:
        """Have the mailboxes scheduled that have got mail since the last call."""
        touched, self._touched = self._touched, {}
        for mailbox in touched:
            mailbox.schedule()

    def forget(self, change: DirectoryChanged) -> list[Admission]:
        """Remove and return the admissions of tenants that are deleted, whose requests may be queued."""
        gone = {tenant.id for tenant in change.forgotten}
        if change.complete:
            gone |= self._admissions.keys() - {tenant.id for tenant in change.tenants}
        return [self._admissions.pop(id_) for id_ in gone & self._admissions.keys()]
