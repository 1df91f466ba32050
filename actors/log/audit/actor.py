"""The AdminLog: the one actor that writes the admin log.

An asked Append is answered once the record is on disk, or fails. A told Append relies on the log: an entry
that cannot be written is kept, and written before the next record.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from actors.errors import AuditProblem
from actors.log.audit.journal import MACHINE, AuditFiles
from actors.log.messages import REPAIR, Append, AskHead, AuditEntry
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

MAX_PENDING = 1000
"""Entries kept until the log can be written; further ones are only counted."""


class PendingEntry(NamedTuple):
    """An entry that is not written yet."""

    entry: AuditEntry
    at: float
    """Time of arrival, in seconds since the epoch."""


class AdminLog(Actor):
    """Owns the files from on_start on; needs a thread of its own: each record waits for the disk."""

    def __init__(
        self, mailbox: Mailbox, directory: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since the epoch."""
        super().__init__(mailbox)
        self._files = AuditFiles(directory, clock)
        self._clock = clock
        self._pending: deque[PendingEntry] = deque()
        self._lost = 0
        """Number of entries that could not be kept."""
        self._is_asked = False
        self._add_handlers(
            {
                Append: self._append,
                AskHead: lambda _: self._head(),
            }
        )

    def on_start(self) -> None:
        """Open the log. If that fails, the server continues: each record tries again."""
        try:
            self._files.open()
        except AuditProblem as problem:
            log.error("the audit log cannot be opened", error=str(problem))

    def on_stop(self) -> None:
        """Write the pending entries, if possible, and close."""
        try:
            self._write_pending()
        except AuditProblem as problem:
            log.error(
                "audit records lost", count=len(self._pending) + self._lost, error=str(problem)
            )
        self._files.close()

    def on_failure(self, *_: Any) -> None:
        """As when it stops."""
        self.on_stop()

    def _answer(self, envelope: Any) -> None:
        self._is_asked = envelope.reply_to is not None
        try:
            super()._answer(envelope)
        finally:
            self._is_asked = False

    def _append(self, message: Append) -> int | None:
        """Return the record's number if it was asked; AuditProblem then if it cannot be written."""
        if self._is_asked:
            return self._write(message.entry)
        self._record(message.entry)
        return None

    def _head(self) -> dict[str, Any]:
        seq, head = self._files.head()
        return {"seq": seq, "head": head}

    def _write(self, entry: AuditEntry) -> int:
        try:
            self._write_pending()
            return self._files.append(entry).seq
        except AuditProblem as problem:
            _log_problem(entry, problem)
            raise

    def _record(self, entry: AuditEntry) -> None:
        """Write the entry, or keep it."""
        self._add_pending(entry)
        try:
            self._write_pending()
        except AuditProblem as problem:
            _log_problem(entry, problem)

    def _add_pending(self, entry: AuditEntry) -> None:
        if len(self._pending) < MAX_PENDING:
            self._pending.append(PendingEntry(entry, self._clock()))
        else:
            self._lost += 1

    def _write_pending(self) -> None:
        """Write the pending entries in order, then the number of lost ones; AuditProblem if that fails."""
        while self._pending:
            self._files.append(*self._pending[0])
            self._pending.popleft()
        if self._lost:
            message = f"{self._lost} records could not be written, nor kept any longer"
            self._files.append(AuditEntry(REPAIR, "audit.lost", MACHINE, message=message))
            self._lost = 0


def _log_problem(entry: AuditEntry, problem: AuditProblem) -> None:
    log.error(
        "audit record not written",
        action=entry.action,
        trace_id=entry.trace_id,
        error=str(problem),
    )
