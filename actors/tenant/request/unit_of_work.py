"""The unit of work of one tenant: its open database, and the replies that leave after the commit.

If a commit fails, every message in it gets an error and none of its effects stay. A commit that reports
failure may still be on disk. Therefore everything is then checkpointed into the file, and after that sync the
table of ids decides which replies hold (actors/tenant/database/durability.py).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from actors.errors import DatabaseProblem
from actors.intent.suspicions import SuspicionClient
from actors.log.lines import RequestLogClient
from actors.messages import TenantRecord
from actors.runtime.scheduler import ComputeToken
from actors.tenant.database.database import TenantDatabase
from actors.tenant.database.durability import COMMIT_FAILED, Durability, commit_refusal
from actors.tenant.database.placement import FileReplaced
from actors.tenant.database.reply_table import EXPIRE_BATCH
from actors.tenant.request.handler import RequestHandler
from actors.tenant.request.idempotency import progress_in
from actors.tenant.request.outcome import NeedsSavepoints, Outcome
from actors.tenant.request.output_gate import OutputGate
from actors.tenant.request.pending import HeldReply
from transport.message import ABORTED, UNAVAILABLE, Refusal

log = structlog.get_logger()

T = TypeVar("T")

REPLY_RETENTION = 24 * 3600.0
"""Seconds for which the reply to an id is stored (docs/message-api.md, promise 2)."""

EXPIRE_EVERY = 600.0
"""Seconds between two deletions of expired replies, while the tenant has work."""

EXPIRE_AGAIN_AFTER = 0.1
"""Seconds until the next deletion if more replies have expired: at most 5,000 replies a second."""

CLOSE_ERRORS = (sqlite3.Error, OSError, DatabaseProblem)
"""Errors that closing a tenant's file may raise."""

FILE_REPLACED = Refusal(
    UNAVAILABLE,
    "the tenant's database was removed or replaced under the server, and nothing of this request was kept; "
    "send it again with the same id",
    retry_after_ms=1000,
)

STEP_LOST = Refusal(ABORTED, "the commit of a later step failed")
"""`Progress.annotate` adds how many earlier steps were committed."""


class UnitOfWork:
    """Belongs to the tenant's turn alone, and lives as long as its incarnation."""

    def __init__(
        self,
        record: TenantRecord,
        make_handler: Callable[[], RequestHandler],
        compute: ComputeToken,
        request_log: RequestLogClient | None,
        suspicions: SuspicionClient,
    ) -> None:
        """`make_handler` opens the database and returns the handler that serves on it."""
        self._make_handler = make_handler
        self.compute = compute
        """Lets one thread compute at a time."""
        self.gate = OutputGate(record, request_log, suspicions)
        """Where replies leave."""
        self._log_fields = {"tenant": record.name, "tenant_id": record.id}
        self._handler: RequestHandler | None = None
        self._next_expiry = 0.0
        self._changes = 0

    def open(self) -> None:
        """Open the database; MigrationNeeded, DatabaseProblem."""
        self._handler = self._make_handler()

    @property
    def handler(self) -> RequestHandler:
        """The request handler; it exists from `open` on."""
        assert self._handler is not None
        return self._handler

    @property
    def database(self) -> TenantDatabase:
        """The open database; it exists from `open` on."""
        return self.handler.database

    @property
    def durability(self) -> Durability:
        """Whether all commits are known to be on disk."""
        return self.database.durability

    def checkpoint_and_close(self) -> None:
        """Checkpoint and close the file. A failure is logged; the next opening checkpoints instead."""
        self.gate.close()
        if self._handler is None:
            return
        try:
            self.database.file_identity.require_unchanged()
            self.database.checkpoint_and_close()
        except CLOSE_ERRORS as error:
            self.log_close_failure(error)
            self.database.close()

    def log_close_failure(self, error: Exception) -> None:
        """Log that the tenant's file could not be closed cleanly."""
        path = str(self.database.path)
        log.error("database not closed well", **self._log_fields, path=path, exc_info=error)

    def close(self) -> None:
        """Close the file without a checkpoint. Uncommitted effects are lost."""
        self.gate.close()
        if self._handler is not None:
            self.database.close()

    # Answers that wait for the disk

    def begin(self, *, savepoints: bool = True) -> None:
        """Begin a transaction. After a failed commit, the checkpoint may be retried first.

        Without savepoints, a request that fails after it may have written raises NeedsSavepoints.
        """
        if self.durability.is_unknown:
            self._retry_checkpoint()
        self.database.begin()
        self.handler.uses_savepoints = savepoints
        self._changes = self.database.changes

    def conclude(self, outcome: Outcome) -> HeldReply:
        """Write the reply to a request and end its savepoint. What a failed request wrote is rolled back.

        Raises NeedsSavepoints, before any refusal is made, if there is no savepoint to go back to.
        """
        handler = self._handler
        assert handler is not None
        database = handler.database
        if outcome.error is None:
            try:
                pending = handler.replies.write(outcome)
                if database.has_savepoint:
                    database.release()
            except BaseException as error:  # noqa: BLE001 - no reply can hold it, or there is no room for it
                outcome = outcome.failed(error)
            else:
                if pending.wrote or outcome.refusal is not None:  # or else nothing has changed
                    self._changes = database.changes
                return pending
        if database.has_savepoint:
            database.rollback_to()
        elif not handler.uses_savepoints and self._may_have_written(outcome):
            raise NeedsSavepoints
        return handler.replies.refuse(outcome)

    def complete(self, pending: Sequence[HeldReply]) -> None:
        """Store the replies of a turn, and write out what full-text indexes have buffered.

        Raises NeedsSavepoints if that fails, so that a full quota shows before the commit.
        """
        if self.handler.uses_savepoints or not any(one.wrote for one in pending):
            return
        try:
            self.handler.stored.flush()
            self.database.flush_indexes()
        except sqlite3.Error as error:
            raise NeedsSavepoints from error

    def _may_have_written(self, outcome: Outcome) -> bool:
        """Whether something of a failed request may be left in the transaction."""
        database = self.database
        if not database.in_transaction:
            return False
        is_partial = outcome.running is not None and database.has_partial_write
        return (
            is_partial
            or database.changes != self._changes
            or isinstance(outcome.error, sqlite3.Error)
        )

    def commit(self, pending: list[HeldReply]) -> None:
        """Commit the transaction, then send these replies, or refusals if the commit failed."""
        try:
            self.flush(wrote=any(one.wrote for one in pending))
        except sqlite3.Error as error:
            self.on_commit_failed(error, len(pending))
            self.gate.release([self._resolve_failed_commit(one, error) for one in pending])
        except FileReplaced:
            self.gate.release([self.handler.replies.replace(one, FILE_REPLACED) for one in pending])
            raise
        else:
            self.gate.release(pending)
            self._expire_replies()

    def run_alone(self, change: Callable[[], T]) -> T:
        """Run a change in a transaction of the engine's own, commit it, and return its result.

        Raises sqlite3.Error if the commit failed; the change may be on disk all the same.
        """
        self.begin()
        try:
            found = change()
        except BaseException:
            self.database.rollback()
            raise
        try:
            self.flush(wrote=True)
        except sqlite3.Error as error:
            self.on_commit_failed(error, 0)
            raise
        return found

    def flush(self, *, wrote: bool) -> None:
        """Commit the transaction.

        On sqlite3.Error, call `on_commit_failed`; FileReplaced ends the incarnation.
        """
        if wrote:
            if self.durability.is_unknown:
                raise sqlite3.OperationalError(
                    "an earlier commit failed"
                ) from self.durability.error
            try:
                self.database.file_identity.require_unchanged()
            except FileReplaced:
                self.database.rollback()
                raise
            self.compute.release()
        self.database.commit()

    def on_commit_failed(self, error: sqlite3.Error, messages: int) -> None:
        """Handle a failed commit of so many messages: retry the checkpoint now, or later if that fails."""
        self.database.rollback()
        if not self.durability.is_unknown:
            log.error("commit failed", **self._log_fields, messages=messages, exc_info=error)
            self.durability.on_commit_failed(error)
        self._retry_checkpoint()

    def commit_refusal(self, error: sqlite3.Error) -> Refusal:
        """Return the refusal of a write whose commit failed and is not known to be on disk."""
        return (
            self.durability.refusal
            if self.durability.is_unknown
            else commit_refusal(error, COMMIT_FAILED)
        )

    def _retry_checkpoint(self) -> None:
        seconds = self.durability.retry(self.database.checkpoint)
        if seconds is not None:
            log.info("database written again", **self._log_fields, seconds=round(seconds, 3))

    def _resolve_failed_commit(self, pending: HeldReply, error: sqlite3.Error) -> HeldReply:
        """Return the reply if it is on disk, otherwise a refusal.

        The row may hold the progress of an earlier step.
        """
        stored = (
            self.handler.replies.stored_content(pending.work)
            if pending.wrote and not self.durability.is_unknown
            else None
        )
        if stored is None:
            return self.handler.replies.replace(pending, self.commit_refusal(error))
        progress = progress_in(stored)
        return (
            pending
            if progress is None
            else self.handler.replies.replace(pending, progress.annotate(STEP_LOST))
        )

    def _expire_replies(self) -> None:
        """Delete expired replies; if more have expired than one deletion takes, delete again soon.

        It runs in a transaction of its own, after the replies have left: a turn that only reads must not
        need to write.
        """
        now = time.monotonic()
        if now < self._next_expiry or self.durability.is_unknown:
            return
        self._next_expiry = now + EXPIRE_EVERY
        moment = self.database.age() - REPLY_RETENTION
        try:
            if not self.database.replies.has_before(moment):
                return
            expired = self.run_alone(lambda: self.database.replies.delete_before(moment))
        except sqlite3.Error as error:
            log.warning("old replies not forgotten", **self._log_fields, exc_info=error)
        else:
            if expired >= EXPIRE_BATCH:
                self._next_expiry = now + EXPIRE_AGAIN_AFTER
