"""Has the admin log written: ahead where it has to be, after the fact otherwise.

What has been done cannot be undone because the log is full: its entry is kept, its caller is not told that it
is done before that is written, and nothing more is changed until all that is kept is written.
"""

from __future__ import annotations

from collections import deque

import structlog

from actors.errors import AuditProblem, Unavailable
from actors.log.messages import Append, AuditEntry
from actors.runtime.futures import ask_async
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

MAX_BACKLOG = 1000
"""Entries that wait for a log that cannot be written; from there on nothing is done at all."""

RETRY_MS = 1000
"""What a caller is told to wait while the log cannot be written, in milliseconds."""

OK = "ok"
"""The outcome of what was done."""


class AuditWriter:
    """For one actor, whose stepped functions take turns here."""

    def __init__(self, audit_log: Mailbox, backlog: deque[AuditEntry]) -> None:
        """`backlog` belongs to the actor's mailbox: it outlives an incarnation."""
        self._audit_log = audit_log
        self._backlog = backlog
        self._is_retrying = False

    @property
    def has_backlog(self) -> bool:
        """Whether entries wait to be written."""
        return bool(self._backlog)

    async def before(self, entry: AuditEntry) -> None:
        """Write down what is about to be done; Unavailable where that fails, and then it must not be done."""
        if not (await self.retry_backlog() and await self._append(entry)):
            raise Unavailable(
                "the audit record could not be written, so nothing was done",
                retry_after_ms=RETRY_MS,
            )

    async def after(self, entry: AuditEntry) -> None:
        """Write down what has happened, or keep it until that is possible."""
        if not (await self.retry_backlog() and await self._append(entry)):
            self._keep(entry)

    def is_pending(self, entry: AuditEntry) -> bool:
        """Whether this entry waits to be written."""
        return any(each is entry for each in self._backlog)

    async def require_writable(self, *, writes: bool) -> None:
        """Unavailable where nothing may be done now, for what was done before is not written down."""
        if writes and not await self.retry_backlog():
            raise Unavailable(
                "audit records from before could not be written yet, so nothing was done",
                retry_after_ms=RETRY_MS,
            )
        if len(self._backlog) >= MAX_BACKLOG:
            raise Unavailable(
                f"{len(self._backlog)} audit records could not be written, so nothing was done",
                retry_after_ms=RETRY_MS,
            )

    async def retry_backlog(self) -> bool:
        """Write what is kept, the oldest first; False while that cannot be done, or somebody is at it."""
        if self._is_retrying:
            return False
        self._is_retrying = True
        try:
            while self._backlog and await self._append(self._backlog[0]):
                self._backlog.popleft()
        finally:
            self._is_retrying = False
        return not self._backlog

    async def _append(self, entry: AuditEntry) -> bool:
        try:
            await ask_async(self._audit_log, Append(entry))
        except AuditProblem:  # the log has said so itself
            return False
        except Exception as error:  # noqa: BLE001 - whatever it was, the record is not there
            log.error(
                "audit record not written",
                action=entry.action,
                trace_id=entry.trace_id,
                error=repr(error),
            )
            return False
        return True

    def _keep(self, entry: AuditEntry) -> None:
        """Of a full keep only refusals are left out: what was done is bounded by what is under way."""
        if len(self._backlog) < MAX_BACKLOG or entry.outcome == OK:
            self._backlog.append(entry)
        else:
            log.error("audit record lost", action=entry.action, trace_id=entry.trace_id)
