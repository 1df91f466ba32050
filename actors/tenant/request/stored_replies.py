"""Stored replies: what a request's id has already, so that one id has one effect and one reply.

A turn without savepoints asks for the ids of its writes at once, and stores their replies at once, before its
commit. What was answered earlier in the turn is found as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from actors.errors import Aborted, DatabaseProblem, Unavailable, id_reused
from actors.messages import TenantRequest
from actors.routing.route import Route
from actors.tenant.database.reply_table import MOST_IDS, ReplyRow
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.idempotency import progress_in
from actors.tenant.request.suspended import SuspendedCalls
from transport.message import ABORTED, Refusal

RETRY_UNDER_WAY_MS: Final = 1000
"""`retry_after_ms` of a request whose first delivery is still running."""

Stored = tuple[bytes, bytes]
"""The fingerprint of a request, and its reply or its progress."""


class StoredReplies:
    """The table of ids of one tenant, and its calls that still run."""

    def __init__(self, environment: TenantEnvironment, suspended_calls: SuspendedCalls) -> None:
        self._environment = environment
        self._database = environment.database
        self._suspended_calls = suspended_calls
        self._at_once = False
        self._mail: Sequence[Any] = ()
        self._known: dict[tuple[str, str], Stored | None] = {}
        self._new: list[ReplyRow] = []
        self._moment = (
            0  # when the first of the turn's replies was made, in seconds since the epoch
        )

    def begin(self, mail: Sequence[Any], *, at_once: bool) -> None:
        """Begin a turn, or begin it again: nothing of it is stored yet.

        With `at_once`, the ids of its mail are asked together, at the first write, and its replies wait for
        `flush`; otherwise each is asked and stored by itself.
        """
        self._at_once = at_once
        self._mail = mail if at_once else ()
        self._known.clear()
        self._new.clear()

    def find(self, work: TenantRequest, route: Route, digest: bytes) -> bytes | None:
        """Return the reply to an earlier write with this id; None if nothing is stored under it.

        Raises InvalidArgument if that had other content, Unavailable while it still runs, and Aborted if it
        was cut off after some of its steps.
        """
        if self._mail:
            self._ask()
        key = work.principal.caller, work.request.id
        stored = self._known.get(key)
        if stored is None and (
            key not in self._known or self._database.replies.has_replies_of_tokens
        ):
            stored = self._database.replies.find(*work.whose)
        return None if stored is None else self._reply(work, route, digest, stored)

    def find_or_running(self, work: TenantRequest, route: Route, digest: bytes) -> bytes | None:
        """As `find`, and Unavailable as well for a write that still runs and has stored nothing yet.

        For a request with a transaction of its own.
        """
        running = self._suspended_calls.find(work)
        stored = self._database.replies.find(*work.whose)
        if stored is None and running is not None:
            stored = running.digest, b""
        return None if stored is None else self._reply(work, route, digest, stored)

    def add(self, work: TenantRequest, digest: bytes, body: bytes) -> None:
        """Store a reply in the transaction of its effect.

        Raises DatabaseProblem if that has ended, which a function can hide by catching the error: the reply
        would be committed by itself, and the effect is gone.
        """
        database = self._database
        if not database.in_transaction:
            raise DatabaseProblem("a function went on after an error that ended its transaction")
        caller, id_ = work.principal.caller, work.request.id
        if self._at_once:
            self._known[caller, id_] = digest, body
            if not self._new:
                self._moment = int(database.age())
            self._new.append((caller, id_, digest, body, self._moment))
        else:
            database.replies.store(caller, id_, digest, body, database.age())

    def flush(self) -> None:
        """Store the replies that wait. Raises the driver's errors."""
        if self._new:
            self._database.replies.store_all(self._new)
            self._new.clear()

    def _ask(self) -> None:
        """Ask for the ids of all writes in the mail. An id that is not among them is asked by itself."""
        routes = self._environment.table.routes
        keys = [
            (each.principal.caller, each.request.id)
            for each in self._mail
            if type(each) is TenantRequest
            and (route := routes.get(each.request.action)) is not None
            and route.writes
        ][:MOST_IDS]
        self._mail = ()
        self._known = dict.fromkeys(keys)
        if keys:
            self._known.update(self._database.replies.find_all(keys))

    def _reply(self, work: TenantRequest, route: Route, digest: bytes, stored: Stored) -> bytes:
        if stored[0] != digest:
            raise id_reused(work.request.id)
        if self._suspended_calls.find(work) is not None:
            raise Unavailable(
                f"id {work.request.id!r} is still worked on; send it again, and it gets the reply",
                retry_after_ms=RETRY_UNDER_WAY_MS,
            )
        if (progress := progress_in(stored[1])) is not None:
            raise Aborted(
                progress.annotate(Refusal(ABORTED, f"{route.name} was not finished")).message
            )
        return stored[1]
