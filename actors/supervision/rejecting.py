"""Stand-ins that reject all requests: for a tenant that cannot be served now, or that is deleted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from actors.errors import TenantryError
from actors.host.disk_errors import error_text, is_full, is_passing
from actors.log.lines import RequestLogClient, refused_line
from actors.log.messages import FROM_SUPERVISOR, Line
from actors.log.redaction import mask_tokens
from actors.messages import DeadLetter, Passivate, Replies, TenantRecord, TenantRequest, Unserved
from actors.replies import encode_refusal, send_refusal
from actors.runtime.actor import Actor, Terminated
from actors.runtime.mailbox import Mailbox, PoisonMessage
from actors.supervision.residency import ResidentSet
from transport.message import RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal

log = structlog.get_logger()


UNFINISHED = Refusal(
    UNAVAILABLE,
    "the server stopped before the request was finished. Send it again with the same id to learn its outcome",
    retry_after_ms=1000,
)

MOST_CAUSE = 500
"""Characters of the cause why a tenant is not served; the rest is cut."""

STOPPING = Refusal(UNAVAILABLE, "the server is stopping; nothing was done", retry_after_ms=1000)


class RejectingActor(Actor):
    """Rejects every request with one refusal, at once, until it is passivated.

    With `once` it stops by itself after one turn; Stopped then means that all mail was answered.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        refusal: Refusal,
        tenant: TenantRecord,
        *,
        once: bool = False,
        request_log: RequestLogClient | None = None,
    ) -> None:
        """`request_log` receives a log line for each rejected request; None for no log."""
        super().__init__(mailbox)
        self._refusal = refusal
        self._tenant = tenant
        self._once = once
        self._request_log = request_log
        self._lines: list[Line] = []

    def handle(self, mail: deque[Any]) -> None:
        """Answer a turn's mail, and log it."""
        super().handle(mail)
        if self._request_log is not None and self._lines:
            lines, self._lines = self._lines, []
            self._request_log.tell(self._tenant, tuple(lines))
        if self._once:
            self._stop()

    def on_stop(self) -> None:
        """Log how many lines were dropped."""
        if self._request_log is not None:
            self._request_log.close()

    def on_receive(self, message: Any) -> None:
        """Reject a request; stop on Passivate; drop other mail of the engine with a warning."""
        if (work := request_of(message)) is not None:
            self._refuse(work)
        elif isinstance(message, Passivate):
            self._stop()
        else:
            log.warning("mail dropped", mailbox=self.mailbox.name, message=type(message).__name__)

    def _refuse(self, work: TenantRequest) -> None:
        body = encode_refusal(work, self._refusal)
        work.outlet.tell(Replies([(work.peer, body)]))
        if self._request_log is not None:
            now = self._request_log.clock()
            line = refused_line(FROM_SUPERVISOR, now, work, self._refusal, None, len(body))
            self._lines.append(line)


class Rejections:
    """Starts what rejects a tenant's requests in its mailbox. Part of the Supervisor."""

    def __init__(
        self, residents: ResidentSet, request_log: Callable[[], RequestLogClient | None]
    ) -> None:
        """`request_log` makes a client of the tenants' log."""
        self._residents = residents
        self._request_log = request_log

    def reject(self, mailbox: Mailbox, out: Unserved) -> None:
        """Reject a tenant's requests until it is passivated."""
        self._residents.mark_unserved(mailbox, out)
        client = self._request_log()
        RejectingActor.start(mailbox, out.refusal, out.tenant, request_log=client)

    def reject_once(self, mailbox: Mailbox, tenant: TenantRecord) -> None:
        """Reject what waits in the mailbox while the server stops."""
        self._residents.add(mailbox)
        client = self._request_log()
        RejectingActor.start(mailbox, STOPPING, tenant, once=True, request_log=client)


class Tombstone(Terminated):
    """Rejects every request for good, in a mailbox that gets no incarnation again.

    It logs nothing: a deleted tenant has no log.

    It is no actor, so no registry keeps it: it is garbage once the last holder of the mailbox drops it.
    """

    def __init__(self, mailbox: Mailbox, refusal: Refusal) -> None:
        super().__init__(mailbox)
        self._refusal = refusal

    def drop(self, message: Any) -> None:
        """Reject a request; any other ask raises ActorDeadError, and other mail is dropped."""
        if (work := request_of(message)) is not None:
            send_refusal(work, self._refusal)
        else:
            super().drop(message)


def install_tombstone(mailbox: Mailbox, refusal: Refusal) -> None:
    """Reject the mail that waits and all that will come. Needs the mailbox's token."""
    mailbox.incarnation = Tombstone(mailbox, refusal)
    mailbox.incarnation.turn()


def refuse_unfinished(mailboxes: Iterable[Mailbox]) -> None:
    """Answer for tenants whose turns do not end before the server does.

    No message is removed from a mailbox: its incarnation may still handle it.
    """
    for mailbox in mailboxes:
        left = [work for message in mailbox.left() if (work := request_of(message)) is not None]
        for work in left:
            send_refusal(work, UNFINISHED)
        log.error(
            "function hung at stop",
            actor=mailbox.name,
            refused=len(left),
        )


def tenant_unavailable(seconds: float) -> Refusal:
    """Refusal while a tenant keeps crashing. It is restarted after `seconds`."""
    return Refusal(
        UNAVAILABLE,
        "the tenant cannot be served now. Operators find the cause in the error log",
        retry_after_ms=int(seconds * 1000),
    )


def out_of_reach(error: BaseException, seconds: float) -> Refusal:
    """Refusal while a passing error keeps a tenant's file closed. It is opened again after `seconds`."""
    full = is_full(error)
    cause = "the server's disk is full" if full else "the tenant's database cannot be opened now"
    return Refusal(
        RESOURCE_EXHAUSTED if full else UNAVAILABLE,
        f"{cause}; nothing was done. Send the request again later; operators find the cause in the error log",
        retry_after_ms=int(seconds * 1000),
    )


def unserved(tenant: TenantRecord, error: BaseException, seconds: float) -> Unserved:
    """Return the refusal and the cause while a tenant is not served, to be tried again after `seconds`.

    Of a defect only the type is shown: its text may quote the content of a request.
    """
    if is_passing(error):
        refusal, cause = out_of_reach(error, seconds), error_text(error)
    elif isinstance(error, TenantryError):
        refusal, cause = tenant_unavailable(seconds), str(error)
    else:
        refusal = tenant_unavailable(seconds)
        cause = f"{type(error).__name__}; see the error log"
    return Unserved(tenant, refusal, mask_tokens(cause)[:MOST_CAUSE], time.monotonic() + seconds)


def tenant_deleted(tenant: TenantRecord) -> Refusal:
    """Refusal for a deleted tenant. It has no time to wait: the tenant will not come back."""
    return Refusal(UNAVAILABLE, f"tenant {tenant.name} is deleted")


def request_of(message: Any) -> TenantRequest | None:
    """Return the request in a message, unwrapped from PoisonMessage and DeadLetter; None if there is none."""
    if isinstance(message, PoisonMessage):
        message = message.message
    if isinstance(message, DeadLetter):
        return message.work
    return message if isinstance(message, TenantRequest) else None
