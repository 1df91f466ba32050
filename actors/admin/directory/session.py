"""The Directory's open file, through failures: opened again, or made durable, before it is used once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from actors.admin.directory import connector_settings, grants, tokens
from actors.admin.directory.checks import idempotency
from actors.admin.directory.repository import CommandEnvironment, DirectoryTransaction
from actors.admin.directory.store import DirectoryStore
from actors.admin.directory.tables import tenants
from actors.errors import Unavailable
from actors.host.disk_errors import ERRORS, TROUBLE, error_text

log = structlog.get_logger()

RETRY_MS = 1000
"""Retry interval in refusals while the file cannot be used, in milliseconds."""


class StoreSession:
    """At most one open store at a time. Belongs to the Directory's turn."""

    def __init__(
        self,
        path: Path,
        environment: CommandEnvironment,
        publish: Callable[[], None],
        record_ended: Callable[[Sequence[Any]], None],
    ) -> None:
        """`publish` sends all that the file holds, each time that it may differ from what was sent.

        `record_ended` gets the grants that ended while the file was not open.
        """
        self._path = path
        self._environment = environment
        self._publish = publish
        self._record_ended = record_ended
        self._store: DirectoryStore | None = None
        self._is_in_doubt = False
        """Whether a transaction has failed and the file was not made durable since."""

    @property
    def store(self) -> DirectoryStore:
        """The open store."""
        assert self._store is not None
        return self._store

    def open(self) -> None:
        """Open the file. The snapshot includes what expired: an earlier change would pass for a snapshot."""
        self._store = DirectoryStore(self._path, self._environment)
        self._is_in_doubt = False
        ended = self._end_expired_at_start()
        self._reencrypt()
        self._publish()
        self._record_ended(ended)

    def close(self) -> None:
        """Close the file if it is open."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def make_ready(self, *, writes: bool) -> None:
        """Open the file, or make it durable. If that fails, queries read what was synced last."""
        if self._store is None:
            self.open()
        elif self._is_in_doubt:
            try:
                self._make_durable()
            except ERRORS:
                if writes:
                    raise

    def _make_durable(self) -> None:
        """A commit that reports failure may be on disk all the same: publish what the file holds now."""
        self.store.make_durable()
        self._is_in_doubt = False
        self._publish()

    def _end_expired_at_start(self) -> Sequence[Any]:
        """A file that cannot be written may still be readable, and the next sweep tries again."""
        try:
            return self.store.run(end_expired)[1]
        except TROUBLE as error:
            self._is_in_doubt = True
            log.error("expiry failed", exc_info=error)
            return ()

    def _reencrypt(self) -> None:
        """Encrypt with the first key, so that a replaced key can be removed."""
        if self._is_in_doubt:
            return
        try:
            count = self.store.run(connector_settings.reencrypt)
        except TROUBLE as error:  # a file that cannot be written may still be readable
            self._is_in_doubt = True
            log.error("re-encryption of connector settings failed", exc_info=error)
            return
        if count:
            log.info("connector settings re-encrypted with the first key", count=count)

    def refusal(self, error: Exception) -> Unavailable:
        """Return the refusal after the file failed. The file is made durable or reopened, now or later."""
        log.error("directory.db could not be used", path=str(self._path), exc_info=error)
        self._is_in_doubt = True
        try:
            self.make_ready(writes=True)
        except ERRORS as again:
            log.error("directory.db recovery failed", path=str(self._path), exc_info=again)
            if self._is_unreadable():
                self.close()
        return Unavailable(
            f"directory.db could not be used ({error_text(error)}), so it is not known whether this was "
            "done: check its disk, and send the request again with the same id",
            retry_after_ms=RETRY_MS,
        )

    def _is_unreadable(self) -> bool:
        """Return whether the open connection cannot read. Then the file is reopened, which syncs it first."""
        if self._store is None:
            return False
        try:
            self._store.read(lambda transaction: transaction.one(select(tenants.c.id).limit(1)))
        except ERRORS:
            return True
        return False


def end_expired(transaction: DirectoryTransaction) -> tuple[DirectoryTransaction, Sequence[Any]]:
    """End what has expired. Return the transaction and the grants that ended."""
    tokens.end_expired(transaction)
    idempotency.expire(transaction)
    return transaction, grants.end_expired(transaction)
