"""Writes the audit log of the admin channel: before an action if required, otherwise after it.

An action cannot be undone because the log is full. Its entry is kept in a backlog, its caller gets no success
before the entry is written, and nothing else is changed until the whole backlog is written.
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
"""Entries in the backlog, at most. When it is full, every call is refused."""

RETRY_MS = 1000
"""Retry interval in refusals while the log cannot be written, in milliseconds."""

OK = "ok"
"""The outcome of a successful action."""


class AuditWriter:
    """Write-ahead audit log for one actor, whose coroutines take turns."""

    def __init__(self, audit_log: Mailbox, backlog: deque[AuditEntry]) -> None:
        """`backlog` belongs to the actor's mailbox and outlives an incarnation."""
        self._audit_log = audit_log
        self._backlog = backlog
        self._is_retrying = False

    @property
    def has_backlog(self) -> bool:
        """Return whether entries wait to be written."""
        return bool(self._backlog)

    async def before(self, entry: AuditEntry) -> None:
        """Write an entry before its action. Raise Unavailable if that fails: the action must not run then."""
        if not (await self.retry_backlog() and await self._append(entry)):
            raise Unavailable(
                "the audit record could not be written, so nothing was done",
                retry_after_ms=RETRY_MS,
            )

    async def after(self, entry: AuditEntry) -> None:
        """Write an entry after its action, or add it to the backlog."""
        if not (await self.retry_backlog() and await self._append(entry)):
            self._keep(entry)

    def is_pending(self, entry: AuditEntry) -> bool:
        """Return whether this entry is in the backlog."""
        return any(each is entry for each in self._backlog)

    async def require_writable(self, *, writes: bool) -> None:
        """Raise Unavailable if the backlog forbids the call: any entry forbids writes, a full one all."""
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
        """Write the backlog, oldest entry first. Return False if entries remain or another call writes it."""
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
        except AuditProblem:  # the log has logged the problem itself
            return False
        except Exception as error:  # noqa: BLE001 - whatever the cause, the record is not written
            log.error(
                "audit record not written",
                action=entry.action,
                trace_id=entry.trace_id,
                error=repr(error),
            )
            return False
        return True

    def _keep(self, entry: AuditEntry) -> None:
        """Drop only refusals if the backlog is full. Successes are bounded by the calls in flight."""
        if len(self._backlog) < MAX_BACKLOG or entry.outcome == OK:
            self._backlog.append(entry)
        else:
            log.error("audit record lost", action=entry.action, trace_id=entry.trace_id)
