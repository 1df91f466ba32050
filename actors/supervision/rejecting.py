"""Occupants that answer `unavailable`: for a tenant that cannot be served now, or that is deleted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import structlog

from actors.errors import TenantryError
from actors.host.disk import error_text, is_full, is_passing
from actors.log.lines import Accounts, refused_line
from actors.log.messages import FROM_SUPERVISOR, Line
from actors.log.redaction import scrubbed
from actors.messages import DeadLetter, Passivate, Replies, TenantRecord, TenantRequest, Unserved
from actors.replies import encode_refusal, send_refusal
from actors.runtime.actor import Actor, Terminated
from actors.runtime.mailbox import Mailbox, PoisonMessage
from transport.message import RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal

log = structlog.get_logger()


UNFINISHED = Refusal(
    UNAVAILABLE,
    "the server has stopped before this was finished; send it again, with the same id, to learn what became "
    "of it",
    retry_after_ms=1000,
)

MOST_CAUSE = 500
"""Characters of why a tenant is not served."""

STOPPING = Refusal(UNAVAILABLE, "the server is stopping; nothing was done", retry_after_ms=1000)


class RejectingActor(Actor):
    """Refuses every request with one refusal, at once, until it is passivated.

    With `once` it leaves by itself after one turn, so that its leaving says: all that came is answered.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        refusal: Refusal,
        tenant: TenantRecord,
        *,
        once: bool = False,
        accounts: Accounts | None = None,
    ) -> None:
        """`accounts` is told what is refused in the tenant's place; None where nobody wants to know."""
        super().__init__(mailbox)
        self._refusal = refusal
        self._tenant = tenant
        self._once = once
        self._accounts = accounts
        self._lines: list[Line] = []

    def handle(self, mail: deque[Any]) -> None:
        """Answer a turn's mail."""
        super().handle(mail)
        if self._accounts is not None and self._lines:
            lines, self._lines = self._lines, []
            self._accounts.tell(self._tenant, tuple(lines))
        if self._once:
            self._stop()

    def on_stop(self) -> None:
        """Say what the log had no room for."""
        if self._accounts is not None:
            self._accounts.close()

    def on_receive(self, message: Any) -> None:
        """Answer a request; leave when told to; other mail of the engine is let go with a note."""
        if (work := request_of(message)) is not None:
            self._refuse(work)
        elif isinstance(message, Passivate):
            self._stop()
        else:
            log.warning("mail dropped", mailbox=self.mailbox.name, message=type(message).__name__)

    def _refuse(self, work: TenantRequest) -> None:
        body = encode_refusal(work, self._refusal)
        work.outlet.tell(Replies([(work.peer, body)]))
        if self._accounts is not None:
            now = self._accounts.clock()
            line = refused_line(FROM_SUPERVISOR, now, work, self._refusal, None, len(body))
            self._lines.append(line)


class Tombstone(Terminated):
    """Refuses every request for good, in a mailbox that no actor will enter again.

    Nothing of it is logged: the tenant has no log any more.

    It is no actor, so that nothing remembers it: it goes when the last one who has the address forgets it.
    """

    def __init__(self, mailbox: Mailbox, refusal: Refusal) -> None:
        super().__init__(mailbox)
        self._refusal = refusal

    def drop(self, message: Any) -> None:
        """Answer a request; whoever asks hears that nobody is there, and other mail is let go."""
        if (work := request_of(message)) is not None:
            send_refusal(work, self._refusal)
        else:
            super().drop(message)


def install_tombstone(mailbox: Mailbox, refusal: Refusal) -> None:
    """Refuse what waits, and all that will come. Needs the mailbox's token."""
    mailbox.incarnation = Tombstone(mailbox, refusal)
    mailbox.incarnation.turn()


def refuse_unfinished(mailboxes: Iterable[Mailbox]) -> None:
    """Answer for incarnations whose turns do not end while the server does.

    Nothing is taken out of a mailbox: its incarnation is still at it.
    """
    for mailbox in mailboxes:
        left = [work for message in mailbox.left() if (work := request_of(message)) is not None]
        for work in left:
            send_refusal(work, UNFINISHED)
        log.error(
            "stopped with work undone: a function did not return",
            actor=mailbox.name,
            refused=len(left),
        )


def tenant_unavailable(seconds: float) -> Refusal:
    """What callers of a tenant hear that keeps failing, and is tried again after this time."""
    return Refusal(
        UNAVAILABLE,
        "the tenant cannot be served now; operators find the cause in the error log",
        retry_after_ms=int(seconds * 1000),
    )


def out_of_reach(error: BaseException, seconds: float) -> Refusal:
    """What callers of a tenant hear whose file is in trouble that passes, and is tried again so soon."""
    full = is_full(error)
    cause = "the server's disk is full" if full else "the tenant's database cannot be opened now"
    return Refusal(
        RESOURCE_EXHAUSTED if full else UNAVAILABLE,
        f"{cause}, and nothing was done; it is tried again, and operators find the cause in the error log",
        retry_after_ms=int(seconds * 1000),
    )


def unserved(tenant: TenantRecord, error: BaseException, seconds: float) -> Unserved:
    """What callers of a tenant hear that is tried again after this time, and who asks why.

    Of a defect only its kind is said: its words may quote what a request held.
    """
    if is_passing(error):
        refusal, cause = out_of_reach(error, seconds), error_text(error)
    elif isinstance(error, TenantryError):
        refusal, cause = tenant_unavailable(seconds), str(error)
    else:
        refusal = tenant_unavailable(seconds)
        cause = f"{type(error).__name__}: the error log has the rest"
    return Unserved(tenant, refusal, scrubbed(cause)[:MOST_CAUSE], time.monotonic() + seconds)


def tenant_deleted(tenant: TenantRecord) -> Refusal:
    """What callers of a tenant hear that will not come back: waiting does not help."""
    return Refusal(UNAVAILABLE, f"tenant {tenant.name} is deleted")


def request_of(message: Any) -> TenantRequest | None:
    """The request that a message is about, whatever it has been through; None where it is about none."""
    if isinstance(message, PoisonMessage):
        message = message.message
    if isinstance(message, DeadLetter):
        return message.work
    return message if isinstance(message, TenantRequest) else None
