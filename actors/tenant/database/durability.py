"""What is known of the disk after a commit that failed, and when it is asked again.

A sync that failed says nothing about what was written, and later ones say nothing about it either: the kernel
may have dropped it. So nothing that was written then counts as on disk until a checkpoint has put everything
into the database file and that was synced. Until then writes are refused, and reads see the state before it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.errors import ActionError
from actors.host.disk import is_full
from actors.tenant.database import guard as text
from transport.message import RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal

FIRST_PAUSE: Final = 0.05
"""Seconds before the disk is asked again; each time it fails the next one is twice as long."""

LONGEST_PAUSE: Final = 0.8
"""Seconds, so that a second after the disk has recovered writes are served again."""

COMMIT_UNKNOWN: Final = (
    "and it is not known yet whether this request was kept; send it again with the same id, and it has its "
    "effect once"
)
COMMIT_FAILED: Final = "and nothing of this request was kept; send it again with the same id"


class DurabilityUnknown(ActionError):
    """A write that was not begun, since an earlier commit failed and the disk has not recovered."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Busy(sqlite3.OperationalError):
    """As the driver raises it: a checkpoint answers it in a row."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY


class Durability:
    """Of one open database: True while it is not known that what was committed is on disk."""

    __slots__ = ("_asked_at", "_since", "error", "pause")

    def __init__(self) -> None:
        self.error: Exception | None = None
        """The last that the disk has said."""
        self.pause = FIRST_PAUSE
        """Seconds between the last time that the disk was asked and the next."""
        self._asked_at = 0.0
        self._since = 0.0

    @property
    def is_unknown(self) -> bool:
        """Whether a commit failed and no checkpoint has succeeded since."""
        return self.error is not None

    def on_commit_failed(self, error: sqlite3.Error) -> None:
        """A commit has failed."""
        self.error = error
        self.pause = FIRST_PAUSE / 2
        self._since = time.monotonic()
        self._asked_at = 0.0

    def retry(self, checkpoint: Callable[[], None]) -> float | None:
        """Have everything put into the file, unless that was tried a moment ago.

        None where it is not known still; otherwise how many seconds that has lasted, and it is over.
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
        """Of a write whose commit failed or was not tried."""
        assert self.error is not None
        return commit_refusal(self.error, COMMIT_UNKNOWN, self.pause)


def commit_refusal(error: Exception, what: str, seconds: float = LONGEST_PAUSE) -> Refusal:
    """The refusal of a write whose commit failed with this; `seconds` until trying again can help."""
    if is_full(error):
        code, cause = RESOURCE_EXHAUSTED, "the server's disk is full"
    elif isinstance(error, Busy):
        code, cause = UNAVAILABLE, "the tenant's database is held by another process"
    else:
        code, cause = UNAVAILABLE, "the commit failed"
    return Refusal(code, f"{cause}, {what}", retry_after_ms=int(seconds * 1000))


def checkpoint(driver: sqlite3.Connection, path: Path) -> None:
    """Put all that was committed into the file, synced, and empty the -wal, synced too.

    Raises sqlite3.Error or OSError where any of that fails or another process is in the way: all of it is
    done again then. Between two transactions.
    """
    busy, _, _ = driver.execute(text.CHECKPOINT).fetchone()
    if busy:
        raise Busy("another process reads or writes the database")
    descriptor = os.open(wal_of(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def wal_of(path: Path) -> Path:
    """The -wal beside a database."""
    return path.with_name(f"{path.name}-wal")
