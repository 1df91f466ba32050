"""Stored replies: what a request's id has already, so that one id has one effect and one reply."""

from __future__ import annotations

from typing import Final

from actors.errors import Aborted, Unavailable, id_reused
from actors.messages import TenantRequest
from actors.routing.route import Route
from actors.tenant.database.database import TenantDatabase
from actors.tenant.request.idempotency import progress_in
from actors.tenant.request.suspended import SuspendedCalls
from transport.message import ABORTED, Refusal

RETRY_UNDER_WAY_MS: Final = 1000
"""`retry_after_ms` of a request whose first delivery is still running."""


class StoredReplies:
    """The table of ids of one tenant, and its calls that still run."""

    def __init__(self, database: TenantDatabase, suspended_calls: SuspendedCalls) -> None:
        self._database = database
        self._suspended_calls = suspended_calls

    def find(self, work: TenantRequest, route: Route, digest: bytes) -> bytes | None:
        """Return the reply to an earlier write with this id; None if nothing is stored under it.

        Raises InvalidArgument if that had other content, Unavailable while it still runs, and Aborted if it
        was cut off after some of its steps.
        """
        stored = self._database.find_reply(*work.whose)
        return None if stored is None else self._reply(work, route, digest, stored)

    def find_or_running(self, work: TenantRequest, route: Route, digest: bytes) -> bytes | None:
        """As `find`, and Unavailable as well for a write that still runs and has stored nothing yet."""
        running = self._suspended_calls.find(work)
        stored = self._database.find_reply(*work.whose)
        if stored is None and running is not None:
            stored = running.digest, b""
        return None if stored is None else self._reply(work, route, digest, stored)

    def _reply(
        self, work: TenantRequest, route: Route, digest: bytes, stored: tuple[bytes, bytes]
    ) -> bytes:
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
