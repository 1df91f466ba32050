"""Has the admin log written: ahead where it has to be, after the fact otherwise.

What has been done cannot be undone because the log is full: its entry is kept, its caller is not told that it
is done before that is written, and nothing more is changed until all that is kept is written.
"""

from __future__ import annotations

from collections import deque

import structlog

from actors.errors import AuditProblem, Unavailable
from actors.log.messages import Append, Entry
from actors.runtime.futures import ask_async
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

MOST_KEPT = 1000
"""Entries that wait for a log that cannot be written; from there on nothing is done at all."""

RETRY_MS = 1000
"""What a caller is told to wait while the log cannot be written, in milliseconds."""

OK = "ok"
"""The outcome of what was done."""


class Recorder:
    """For one actor, whose stepped functions take turns here."""

    def __init__(self, audit_log: Mailbox, kept: deque[Entry]) -> None:
        """`kept` belongs to the actor's mailbox: it outlives an incarnation."""
        self._audit_log = audit_log
        self._kept = kept
        self._is_catching_up = False

    @property
    def is_behind(self) -> bool:
        """Whether entries wait to be written."""
        return bool(self._kept)

    async def ahead(self, entry: Entry) -> None:
        """Write down what is about to be done; Unavailable where that fails, and then it must not be done."""
        if not (await self.catch_up() and await self._append(entry)):
            raise Unavailable(
                "the audit record could not be written, so nothing was done",
                retry_after_ms=RETRY_MS,
            )

    async def after(self, entry: Entry) -> None:
        """Write down what has happened, or keep it until that is possible."""
        if not (await self.catch_up() and await self._append(entry)):
            self._keep(entry)

    def is_kept(self, entry: Entry) -> bool:
        """Whether this entry waits to be written."""
        return any(each is entry for each in self._kept)

    async def allow(self, *, writes: bool) -> None:
        """Unavailable where nothing may be done now, for what was done before is not written down."""
        if writes and not await self.catch_up():
            raise Unavailable(
                "audit records from before could not be written yet, so nothing was done",
                retry_after_ms=RETRY_MS,
            )
        if len(self._kept) >= MOST_KEPT:
            raise Unavailable(
                f"{len(self._kept)} audit records could not be written, so nothing was done",
                retry_after_ms=RETRY_MS,
            )

    async def catch_up(self) -> bool:
        """Write what is kept, the oldest first; False while that cannot be done, or somebody is at it."""
        if self._is_catching_up:
            return False
        self._is_catching_up = True
        try:
            while self._kept and await self._append(self._kept[0]):
                self._kept.popleft()
        finally:
            self._is_catching_up = False
        return not self._kept

    async def _append(self, entry: Entry) -> bool:
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

    def _keep(self, entry: Entry) -> None:
        """Of a full keep only refusals are left out: what was done is bounded by what is under way."""
        if len(self._kept) < MOST_KEPT or entry.outcome == OK:
            self._kept.append(entry)
        else:
            log.error("audit record lost", action=entry.action, trace_id=entry.trace_id)
