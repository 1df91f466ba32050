"""Draining: every tenant answers its mail and stops, once, before the server ends."""

from __future__ import annotations

from actors.messages import Passivate
from actors.runtime.futures import resolve
from actors.runtime.mailbox import Mailbox
from actors.supervision.addresses import TenantAddresses
from actors.supervision.messages import Drain
from actors.supervision.residency import ResidentSet


class TenantDrain:
    """Whether the tenants are being drained, and whether all have stopped. Part of the Supervisor."""

    def __init__(self, addresses: TenantAddresses, residents: ResidentSet) -> None:
        self._addresses = addresses
        self._residents = residents
        self._drain: Drain | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the server is stopping."""
        return self._drain is not None

    def begin(self, message: Drain) -> list[Mailbox]:
        """Ask all residents to stop. Return the mailboxes that waited to be admitted: reject their mail."""
        self._drain = message
        for mailbox in self._addresses.all():
            mailbox.closing = message.closing
        for mailbox in self._residents.members():  # also leaving ones, which may take longer
            mailbox.tell(Passivate())
        return self._residents.cancel_waiting()

    def check(self) -> None:
        """Resolve `done` if no tenant is resident and no mail waits: its MailWaiting is still on its way."""
        if self._drain is None or self._residents.members():
            return
        if all(mailbox.empty() for mailbox in self._addresses.all()):
            resolve(self._drain.done, True)
