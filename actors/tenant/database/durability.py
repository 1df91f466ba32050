"""Durability after a commit that failed: whether its effects are on disk, and when to check again.

A failed sync says nothing about what was written, nor do later syncs: the kernel may have dropped the pages.
Therefore nothing written then counts as on disk until a checkpoint has put everything into the database file
and that was synced. Until then writes are refused, and reads see the state before the commit.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.errors import ActionError
from actors.host.disk_errors import is_full
from actors.tenant.database import guard as text
from transport.message import RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal

FIRST_PAUSE: Final = 0.05
"""Seconds before the checkpoint is retried; each failure doubles the pause."""

LONGEST_PAUSE: Final = 0.8
"""Seconds; writes are served again within a second after the disk has recovered."""

COMMIT_UNKNOWN: Final = (
    "and it is not known yet whether this request was kept; send it again with the same id, and it has its "
    "effect once"
)
COMMIT_FAILED: Final = "and nothing of this request was kept; send it again with the same id"


class DurabilityUnknown(ActionError):
    """A write was not started, since an earlier commit failed and the disk has not recovered."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class CheckpointBusy(sqlite3.OperationalError):
    """Another process holds the database. A checkpoint returns this in a row; here it is raised."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY


class Durability:
    """Whether the commits of one open database are known to be on disk."""

    __slots__ = ("_asked_at", "_since", "error", "pause")

    def __init__(self) -> None:
        self.error: Exception | None = None
        """The last error; None while durability is known."""
        self.pause = FIRST_PAUSE
        """Seconds between the last checkpoint and the next."""
        self._asked_at = 0.0
        self._since = 0.0

    @property
    def is_unknown(self) -> bool:
        """Whether a commit failed and no checkpoint has succeeded since."""
        return self.error is not None

    def on_commit_failed(self, error: sqlite3.Error) -> None:
        """Record a failed commit: durability is unknown from now on."""
        self.error = error
        self.pause = FIRST_PAUSE / 2
        self._since = time.monotonic()
        self._asked_at = 0.0

    def retry(self, checkpoint: Callable[[], None]) -> float | None:
        """Checkpoint everything into the file, unless that was tried less than `pause` ago.

        Returns None if durability is still unknown, otherwise for how many seconds it was.
        """
        now = time.monotonic()
        if now - self._asked_at < self.pause:
            return None
        try:
            checkpoint()
        except (sqlite3.Error, OSError) as error:
            self.error, self._asked_at = error, time.monotonic()
            self.pause = min(LONGEST_PAUSE, 2 * self.pause)
            return None
        self.error = None
        return now - self._since

    def require_known(self) -> None:
        """Raise DurabilityUnknown while durability is unknown."""
        if self.error is not None:
            raise DurabilityUnknown(self.refusal)

    @property
    def refusal(self) -> Refusal:
        """Refusal of a write whose commit failed or was not tried."""
        assert self.error is not None
        return commit_refusal(self.error, COMMIT_UNKNOWN, self.pause)


def commit_refusal(error: Exception, what: str, seconds: float = LONGEST_PAUSE) -> Refusal:
    """Return the refusal of a write whose commit failed with this error; retry after `seconds`."""
    if is_full(error):
        code, cause = RESOURCE_EXHAUSTED, "the server's disk is full"
    elif isinstance(error, CheckpointBusy):
        code, cause = UNAVAILABLE, "the tenant's database is held by another process"
    else:
        code, cause = UNAVAILABLE, "the commit failed"
    return Refusal(code, f"{cause}, {what}", retry_after_ms=int(seconds * 1000))


def checkpoint(driver: sqlite3.Connection, path: Path) -> None:
    """Put everything committed into the file, synced, and empty the -wal, synced too.

    Runs between two transactions. Raises sqlite3.Error or OSError if any of that fails or another process
    holds the file; all of it must then be repeated.
    """
    busy, _, _ = driver.execute(text.CHECKPOINT).fetchone()
    if busy:
        raise CheckpointBusy("another process reads or writes the database")
    descriptor = os.open(wal_of(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def wal_of(path: Path) -> Path:
    """Return the path of the -wal beside a database."""
    return path.with_name(f"{path.name}-wal")
