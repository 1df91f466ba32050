"""The last backup of a tenant that is deleted: made, proven and on disk before its file is removed.

The order is the promise: copy, check, sync, give it its name, and only then remove. Wherever that is cut
off, the tenant's file is there or a whole backup is, and doing it again ends well.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from actors.errors import DatabaseProblem
from actors.host.disk import sync
from actors.host.files import private_directory, private_file
from actors.tenant.opening import check_stamp, connect, problem

BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file. They go after it: without the file they are nobody's."""


def archive_tenant(path: Path, backups: Path, tenant_id: str) -> Path:
    """Move a tenant's file, open nowhere, into a backup; the backup's path.

    Where the file is gone and a backup is there, that one: it was done before. DatabaseProblem where it
    cannot be done (no room, a damaged file, another tenant's); the file then stays as it is.
    """
    try:
        found = _backed_up if path.exists() else _newest
        backup = found(path, backups, tenant_id)
        _remove(_before_migration(backups, tenant_id))
        _remove(path)
        sync(path.parent)
    except OSError as error:
        raise DatabaseProblem(f"{path} could not be moved into {backups}: {error}") from error
    return backup


def copy_before_migration(path: Path, backups: Path, tenant_id: str) -> Path:
    """Copy a tenant's file, checked and on disk, in place of the copy before the last migration.

    What another connection has not committed is not in it. DatabaseProblem where it cannot be made; the
    older copy then stays.
    """
    kept = _before_migration(backups, tenant_id)
    _make_copy(path, kept.with_suffix(".new"), kept, tenant_id)
    return kept


def _before_migration(backups: Path, tenant_id: str) -> Path:
    return backups / "before-migration" / f"{tenant_id}.db"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    for end in BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)


def _newest(path: Path, backups: Path, tenant_id: str) -> Path:
    found = sorted(backups.glob(f"{tenant_id}-*.db"))  # the time in the name sorts as text
    if not found:
        raise DatabaseProblem(
            f"{path} is missing, and {backups} has no backup of it: restore it from elsewhere, or see "
            "who removed it"
        )
    return found[-1]


def _backed_up(path: Path, backups: Path, tenant_id: str) -> Path:
    backup = backups / f"{tenant_id}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.db"
    # One draft for each tenant: a failure leaves no heap of them.
    _make_copy(path, backups / f"{tenant_id}.new", backup, tenant_id)
    return backup


def _make_copy(path: Path, draft: Path, copy: Path, tenant_id: str) -> None:
    """A copy that has its name only when it is whole, checked and on disk; DatabaseProblem."""
    try:
        private_directory(copy.parent)
        _remove(draft)
        _copy(path, draft, tenant_id)
        sync(draft)
        draft.rename(copy)
        sync(copy.parent)
    except (OSError, sqlite3.Error, DatabaseProblem) as error:
        _remove(draft)
        raise _unfinished(path, draft, error) from error


def _copy(path: Path, draft: Path, tenant_id: str) -> None:
    """All pages, those that are still in a -wal included, into one file that needs none."""
    os.close(private_file(draft))
    with closing(connect(path)) as source, closing(connect(draft)) as target:
        check_stamp(path, source, tenant_id)
        source.backup(target, progress=_refuse_to_wait)
        target.execute("PRAGMA journal_mode=DELETE")
        found = [row[0] for row in target.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise DatabaseProblem(f"{path} is damaged ({found[0]}): repair it, or restore it")


def _refuse_to_wait(status: int, _remaining: int, _total: int) -> None:
    """The driver would try again for ever; who holds a deleted tenant's file should not be there."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise DatabaseProblem("another process holds the file: stop that one")


def _unfinished(path: Path, draft: Path, error: Exception) -> DatabaseProblem:
    if isinstance(error, sqlite3.Error):
        error = problem(path, error)
    return DatabaseProblem(f"{draft} could not be made, so {path} stays: {error}")
