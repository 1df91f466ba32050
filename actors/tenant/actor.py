"""The Tenant: one actor, one database, one transaction a turn.

A turn serves the requests that wait (actors/tenant/serving.py) and holds their replies. At its end there is
one COMMIT, synced (`synchronous=FULL`), and only then do the held replies leave: that is the output gate. If
the commit fails, every message in it is answered with an error and none of its effects stay.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from actors.actor import Actor
from actors.answers import A_DEFECT, packed_refusal
from actors.log.accounts import Accounts, refused_line
from actors.log.messages import FROM_TENANT
from actors.mailbox import Mailbox
from actors.messages import DeadLetter, DryRun, Passivate, Replies, Stayed, TenantRecord, Work
from actors.profiles import Profiles
from actors.published import Published
from actors.tenant.account import lines_of
from actors.tenant.database import FORGOTTEN_AT_ONCE, TenantDatabase
from actors.tenant.serving import Held, Serving, is_request
from actors.tenant.storage import Storage
from transport.message import UNAVAILABLE, Refusal

log = structlog.get_logger()

KEEP_REPLIES = 24 * 3600.0
"""Seconds for which an id is remembered (docs/message-api.md, promise 2)."""

FORGET_EVERY = 600.0
"""Seconds between two sweeps of replies that are older, while the tenant has work."""

FORGET_MORE = 0.1
"""Seconds between sweeps while there is more to forget: 5,000 replies a second at most."""

TURN_SECONDS = 0.02
"""A turn that has taken so long is committed and makes room for other actors; about 500 messages' work."""

NOTHING_SAID = Profiles()
"""Every tenant is as the server's settings have it."""

NOT_ON_DISK = Refusal(
    UNAVAILABLE,
    "the commit failed and nothing of this request was kept; send it again with the same id",
    retry_after_ms=1000,
)

NOT_KNOWN = Refusal(
    UNAVAILABLE,
    "the commit failed and the database cannot be read, so that it is not known whether this request was "
    "kept; send it again with the same id, and it has its effect once",
    retry_after_ms=1000,
)


class Tenant(Actor):
    """One tenant's incarnation: owns the connection from on_start until it leaves."""

    def __init__(
        self,
        mailbox: Mailbox,
        record: TenantRecord,
        storage: Storage,
        tables: Published,
        let_go: Callable[[], None] = lambda: None,
        profiles: Profiles = NOTHING_SAID,
        accounts: Accounts | None = None,
    ) -> None:
        """`let_go` is called before the turn waits for the disk: others may compute meanwhile.

        `accounts` is told what was answered; None where nobody wants to know.
        """
        super().__init__(mailbox)
        self._record = record
        self._storage = storage
        self._tables = tables
        self._let_go = let_go
        self._profiles = profiles
        self._accounts = accounts
        self._serving: Serving | None = None
        self._next_sweep = 0.0
        self._more_mail = False

    # Life

    def on_start(self) -> None:
        """Open the database; raises MigrationNeeded where its tables are older than the code."""
        self._open()

    def _open(self) -> None:
        database = self._storage.open(self._record)
        self._serving = Serving(
            self._record, self.mailbox, self._storage, self._tables, self._profiles, database
        )

    def on_stop(self) -> None:
        """Checkpoint and close, so that the file stands alone."""
        if self._accounts is not None:
            self._accounts.close()
        if self._serving is not None:
            self.database.checkpoint_and_close()

    def on_failure(self, *_: Any) -> None:
        """Close without ceremony: what was not committed is gone, the mail will be served again."""
        if self._accounts is not None:
            self._accounts.close()
        if self._serving is not None:
            self.database.close()

    def on_receive(self, message: Any) -> Any:
        """Mail that is not a request."""
        if isinstance(message, DryRun):
            return self.serving.rehearse(message)
        if not isinstance(message, Passivate):
            raise TypeError(
                f"a tenant takes requests, DryRun and Passivate, not {type(message).__name__}"
            )
        if not message.insist and (self._more_mail or not self.mailbox.empty()):
            self._tell_supervisor(Stayed(self.mailbox))
        else:
            self._stop()
        return None

    def bury(self, message: Any, error: BaseException) -> list[Any]:
        """A deadly request goes to the dead letters; where even that kills, it is only answered."""
        if isinstance(message, Work):
            return [DeadLetter(message, repr(error))]
        if isinstance(message, DeadLetter):
            self._refuse(message.work, A_DEFECT)
            return []
        return super().bury(message, error)

    # A turn

    def handle(self, mail: deque[Any]) -> None:
        """Serve runs of requests, each run in one transaction; other mail between them."""
        ends = time.monotonic() + TURN_SECONDS
        while mail and not self.actor_stopped.is_set() and time.monotonic() < ends:
            if is_request(mail[0]):
                self._serve_run(mail, ends)
            else:
                self.at = 0
                self._more_mail = len(mail) > 1
                self._handle(mail[0])
                mail.popleft()

    def _serve_run(self, mail: deque[Any], ends: float) -> None:
        settled: dict[int, Held] = {}
        while (held := self._attempt(mail, settled, ends)) is None:
            pass
        for _ in held:
            mail.popleft()
        self.at = len(mail)  # what fails from here on is no message's fault
        self._commit(held)

    def _attempt(
        self, mail: deque[Any], settled: dict[int, Held], ends: float
    ) -> list[Held] | None:
        """Serve requests until other mail comes or time is up; None where it has to be done again.

        That is where SQLite ended the transaction by itself: a full quota, an interrupted write, an I/O
        error. The message at fault is settled with its refusal; those before it lost their effects and are
        served again, since none of them was answered yet.
        """
        database = self.database
        database.begin()
        serve = self.serving.serve
        held: list[Held] = []
        now = time.monotonic()
        for self.at, message in enumerate(mail):
            if not is_request(message) or (held and now > ends):
                break
            answer = settled.get(self.at)
            if answer is None:
                answer = serve(message, now)
                now = answer.ended
            if not database.in_transaction:
                settled[self.at] = answer
                return None
            held.append(answer)
        return held

    def _commit(self, held: list[Held]) -> None:
        try:
            self._sweep()
            if any(one.wrote for one in held):
                self._let_go()
            self.database.commit()
        except sqlite3.Error as error:
            self._release(self._after_failed_commit(held, error))
        else:
            self._release(held)

    def _after_failed_commit(self, held: list[Held], error: sqlite3.Error) -> list[Held]:
        """A commit that reports failure may still be on disk: reopen, and ask the table of ids."""
        log.error(
            "commit failed",
            tenant=self._record.name,
            tenant_id=self._record.id,
            messages=len(held),
            exc_info=error,
        )
        self.database.close()
        try:
            self._open()
        except BaseException:
            self._release([self.serving.taken_back(one, NOT_KNOWN) for one in held])
            raise
        taken_back = self.serving.taken_back
        return [one if self._kept(one) else taken_back(one, NOT_ON_DISK) for one in held]

    def _kept(self, held: Held) -> bool:
        request, caller = held.work.request, held.work.principal
        return held.wrote and self.database.recall(caller.id, request.id) is not None

    def _release(self, held: list[Held]) -> None:
        accounts = self._accounts
        now = 0.0 if accounts is None else accounts.clock()
        outlets: dict[Any, list[Any]] = {}
        for one in held:
            work = one.work
            outlets.setdefault(work.outlet, []).append((work.peer, one.body))
        for outlet, frames in outlets.items():
            outlet.tell(Replies(frames))
        if accounts is not None:
            accounts.tell(self._record, lines_of(held, now))

    def _refuse(self, work: Work, refusal: Refusal) -> None:
        """At once, where no turn will."""
        body = packed_refusal(work, refusal)
        work.outlet.tell(Replies([(work.peer, body)]))
        if self._accounts is not None:
            now = self._accounts.clock()
            line = refused_line(FROM_TENANT, now, work, refusal, None, len(body))
            self._accounts.tell(self._record, (line,))

    def _sweep(self) -> None:
        """Forget old replies; where more are due than one sweep takes, sweep again soon."""
        now = time.monotonic()
        if now >= self._next_sweep:
            forgotten = self.database.forget_before(time.time() - KEEP_REPLIES)
            self._next_sweep = now + (
                FORGET_EVERY if forgotten < FORGOTTEN_AT_ONCE else FORGET_MORE
            )

    @property
    def serving(self) -> Serving:
        """There from on_start on."""
        assert self._serving is not None
        return self._serving

    @property
    def database(self) -> TenantDatabase:
        """Open from on_start on."""
        return self.serving.database

    def _tell_supervisor(self, message: Any) -> None:
        if self.mailbox.supervisor is not None:
            self.mailbox.supervisor.tell(message)
