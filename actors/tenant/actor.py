"""The Tenant: one actor, one database, one transaction a turn.

The way of one message: routing table → version; access; params; seen this id before? → SAVEPOINT →
function → RELEASE; the reply is packed and held. At the end of the turn there is one COMMIT, synced
(`synchronous=FULL`), and only then do the held replies leave: that is the output gate. If the commit
fails, every message in it is answered with an error and none of its effects stay.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from actors.actor import Actor
from actors.answers import A_DEFECT, TO_BE_IMPLEMENTED, packed_refusal, refuse, replayed, success
from actors.errors import (
    ActionError,
    DeadlineExceeded,
    InvalidArgument,
    PermissionDenied,
    Unavailable,
    Unimplemented,
)
from actors.mailbox import Killer, Mailbox
from actors.messages import DeadLetter, Passivate, Replies, Stayed, TenantRecord, Work
from actors.registry import Published
from actors.routing import Route, RoutingTable
from actors.tenant.context import Context
from actors.tenant.database import FORGOTTEN_AT_ONCE, TenantDatabase
from actors.tenant.digest import content_digest
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


class Held(NamedTuple):
    """A packed reply that waits for the commit it depends on."""

    work: Work
    body: bytes
    wrote: bool
    """True where the reply stands in the table of ids, so that the disk knows whether it holds."""


class ReadWrote(Exception):
    """A function of a `read` action changed the database; it was rolled back."""


class Tenant(Actor):
    """One tenant's incarnation: owns the connection from on_start until it leaves."""

    def __init__(
        self,
        mailbox: Mailbox,
        record: TenantRecord,
        storage: Storage,
        tables: Published,
    ) -> None:
        super().__init__(mailbox)
        self._record = record
        self._storage = storage
        self._tables = tables
        self._table = tables.current
        self._database: TenantDatabase | None = None
        self._next_sweep = 0.0
        self._more_mail = False

    # Life

    def on_start(self) -> None:
        """Open the database; raises MigrationNeeded where its tables are older than the code."""
        self._open()

    def _open(self) -> None:
        self._database = self._storage.open(self._record)
        self._database.known = self._storage.known_text(self._table.modules)

    def on_stop(self) -> None:
        """Checkpoint and close, so that the file stands alone."""
        if self._database is not None:
            self._database.checkpoint_and_close()

    def on_failure(self, *_: Any) -> None:
        """Close without ceremony: what was not committed is gone, the mail will be served again."""
        if self._database is not None:
            self._database.close()

    def on_receive(self, message: Any) -> None:
        """Mail that is not a request."""
        if not isinstance(message, Passivate):
            raise TypeError(f"a tenant takes requests and Passivate, not {type(message).__name__}")
        if not message.insist and (self._more_mail or not self.mailbox.empty()):
            self._tell_supervisor(Stayed(self.mailbox))
        else:
            self._stop()

    def bury(self, message: Any, error: BaseException) -> list[Any]:
        """A deadly request goes to the dead letters; where even that kills, it is only answered."""
        if isinstance(message, Work):
            return [DeadLetter(message, repr(error))]
        if isinstance(message, DeadLetter):
            refuse(message.work, A_DEFECT)
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
        held: list[Held] = []
        for self.at, message in enumerate(mail):
            if not is_request(message) or (held and time.monotonic() > ends):
                break
            answer = settled.get(self.at) or self._serve(message)
            if not database.in_transaction:
                settled[self.at] = answer
                return None
            held.append(answer)
        return held

    def _commit(self, held: list[Held]) -> None:
        try:
            self._sweep()
            self.database.commit()
        except sqlite3.Error as error:
            self._release(self._after_failed_commit(held, error))
        else:
            self._release(held)

    def _after_failed_commit(self, held: list[Held], error: sqlite3.Error) -> list[Held]:
        """A commit that reports failure may still be on disk: reopen, and ask the table of ids."""
        log.error("commit failed", tenant=self._record.name, messages=len(held), exc_info=error)
        self.database.close()
        try:
            self._open()
        except BaseException:
            self._release([self._refused(one.work, NOT_KNOWN) for one in held])
            raise
        return [one if self._kept(one) else self._refused(one.work, NOT_ON_DISK) for one in held]

    def _kept(self, held: Held) -> bool:
        request, caller = held.work.request, held.work.principal
        return held.wrote and self.database.recall(caller.id, request.id) is not None

    def _release(self, held: list[Held]) -> None:
        outlets: dict[Any, list[Any]] = {}
        for work, body, _ in held:
            outlets.setdefault(work.outlet, []).append((work.peer, body))
        for outlet, frames in outlets.items():
            outlet.tell(Replies(frames))

    def _sweep(self) -> None:
        """Forget old replies; where more are due than one sweep takes, sweep again soon."""
        now = time.monotonic()
        if now >= self._next_sweep:
            forgotten = self.database.forget_before(time.time() - KEEP_REPLIES)
            self._next_sweep = now + (
                FORGET_EVERY if forgotten < FORGOTTEN_AT_ONCE else FORGET_MORE
            )

    # One request

    def _serve(self, message: Any) -> Held:
        if isinstance(message, Killer):
            message = message.message
        if isinstance(message, DeadLetter):
            return self._set_aside(message)
        try:
            return self._served(message)
        except ActionError as error:
            return self._refused(message, error.refusal)
        except BaseException as error:  # noqa: BLE001 - whatever a function raises is its own failure
            return self._refused(message, self._explain(message, error))

    def _served(self, work: Work) -> Held:
        route = self._route(work)
        params = route.params.parse(work.request.params)
        if route.function is None:
            return self._stand_in(work, route)
        if not route.writes:
            return Held(work, self._read(work, route, params), False)
        digest = content_digest(route.name, work.request.params)
        stored = self.database.recall(work.principal.id, work.request.id)
        if stored is None:
            return Held(work, self._write(work, route, params, digest), True)
        if stored[0] != digest:
            raise InvalidArgument(
                f"id {work.request.id!r} was used for another request within 24 h; "
                "a request with different content needs an id of its own"
            )
        return Held(work, replayed(work, stored[1]), True)

    def _route(self, work: Work) -> Route:
        """The version to run, if this caller may run it now."""
        request = work.request
        if self._tables.current is not self._table:
            self._switch(self._tables.current)
        route = self._table.find(request.action, work.principal.role)
        waited = time.monotonic() - work.received
        if waited * 1000 > request.timeout_ms:
            raise DeadlineExceeded(f"not begun within {request.timeout_ms} ms; nothing was done")
        if self.mailbox.closing is not None and time.monotonic() > self.mailbox.closing:
            raise Unavailable("the server is stopping; nothing was done", retry_after_ms=1000)
        if work.principal.role not in route.allowed:
            raise PermissionDenied(
                f"{route.name} is for {route.action.access}, and this token is a {work.principal.role}'s"
            )
        return route

    def _switch(self, table: RoutingTable) -> None:
        """Between two messages: what has begun has ended, everything after runs on the new table."""
        self._table = table
        self.database.known = self._storage.known_text(table.modules)

    def _stand_in(self, work: Work, route: Route) -> Held:
        if route.example is None:
            raise Unimplemented(
                f"{route.name}: {TO_BE_IMPLEMENTED}; no version is served in "
                f"{self._table.environment}"
            )
        return Held(work, success(work, route, route.example, TO_BE_IMPLEMENTED), False)

    def _read(self, work: Work, route: Route, params: Any) -> bytes:
        database = self.database
        before = database.changes
        with self.database.message():
            result = self._run(work, route, params)
            if database.changes != before:
                raise ReadWrote(f'{route.name} has effect = "read" in the index, and wrote')
            return success(work, route, result)

    def _write(self, work: Work, route: Route, params: Any, digest: bytes) -> bytes:
        with self.database.message():
            body = success(work, route, self._run(work, route, params))
            self.database.remember(work.principal.id, work.request.id, digest, body, time.time())
            return body

    def _run(self, work: Work, route: Route, params: Any) -> Any:
        request = work.request
        deadline = work.received + request.timeout_ms / 1000
        with self.database.lent(request.params, deadline, read_only=not route.writes) as functions:
            context = Context(
                functions,
                self._record.name,
                work.principal,
                route.name,
                datetime.now(UTC),
                work.trace_id,
            )
            result = route.function(context, params)  # type: ignore[misc]  # None was a stand-in
        route.result.check(result)
        return result

    # Refusing

    def _refused(self, work: Work, refusal: Refusal) -> Held:
        return Held(work, packed_refusal(work, refusal), False)

    def _explain(self, work: Work, error: BaseException) -> Refusal:
        """Expected troubles of the database have codes of their own; everything else is a defect."""
        known = self.database.classify(error)
        if known is not None:
            return known
        log.error(
            "function failed",
            tenant=self._record.name,
            action=work.request.action,
            trace_id=work.trace_id,
            exc_info=error,
        )
        return A_DEFECT

    def _set_aside(self, letter: DeadLetter) -> Held:
        work, reason = letter
        request = work.request
        self.database.bury(
            work.principal.id,
            request.id,
            request.action,
            request.model_dump_json(exclude={"token"}).encode(),
            reason,
            time.time(),
        )
        log.error(
            "message set aside",
            tenant=self._record.name,
            action=request.action,
            trace_id=work.trace_id,
        )
        return self._refused(work, A_DEFECT)

    @property
    def database(self) -> TenantDatabase:
        """Open from on_start on."""
        assert self._database is not None
        return self._database

    def _tell_supervisor(self, message: Any) -> None:
        if self.mailbox.supervisor is not None:
            self.mailbox.supervisor.tell(message)


def is_request(message: Any) -> bool:
    """Work, a dead letter, or work that has killed before: what needs a transaction."""
    kind = type(message)
    return kind is Work or kind is DeadLetter or (kind is Killer and is_request(message.message))
