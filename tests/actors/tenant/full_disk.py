"""A disk for tests, whose commits fail as planned."""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import Any, Final

from actors.tenant.database import guard

FINE: Final = "fine"
LOST: Final = "lost"
"""The commit reports failure, and nothing of it is on disk."""
KEPT: Final = "kept"
"""The commit reports failure, and all of it is on disk: a sync that failed after the write."""
KEPT_AND_UNKNOWN: Final = "kept, and the disk cannot be asked"
"""The next checkpoint fails, too."""


class Disk(deque[str]):
    """What becomes of the next commits of tenants, in their order; afterwards all is fine."""

    silent = False
    """True once the disk cannot be asked, until somebody has tried."""

    def next(self) -> str:
        """What becomes of this commit."""
        return self.popleft() if self else FINE


class OnDisk(sqlite3.Connection):
    """The driver's connection, on a disk that fails as planned."""

    disk: Disk

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Fail a tenant's commit if its time has come."""
        if sql == guard.CHECKPOINT and self.disk.silent:
            self.disk.silent = False
            raise io_error()
        if sql != guard.COMMIT:
            return super().execute(sql, parameters)
        fate = self.disk.next()
        cursor = super().execute(guard.ROLLBACK if fate == LOST else sql)
        self.disk.silent = fate == KEPT_AND_UNKNOWN
        if fate != FINE:
            raise io_error()
        return cursor


def io_error() -> sqlite3.OperationalError:
    """As the driver raises it when a sync fails."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = 1034  # SQLITE_IOERR_FSYNC, sqlite.org/rescode.html
    return error
