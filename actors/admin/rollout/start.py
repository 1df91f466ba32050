"""Which migrations a server starts with: those of its index, or what a run of an earlier server has left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from actors.admin.directory.store import open_directory
from actors.admin.directory.tables import migration_runs
from actors.admin.migration_messages import APPLY, DONE, RESTORED
from actors.tenant.storage.revisions import digest_of_folder
from actors.tenant.storage.upgrades import NEWEST, Revisions


class StartWith(NamedTuple):
    """Where the migrations are, and at which of the revisions tenants are served."""

    folder: Path | None
    revisions: Revisions


def read_start(directory: Path, folder: Path | None) -> StartWith:
    """Return what the latest apply left in directory.db at this path; `folder` is the index's.

    - None, or done: the index's folder, at its head. If the apply had the folder of a release that the index
      does not lead to yet, that one: tenants are there already.
    - Under way or stopped: its folder, from the revision before to the one that it leads to.
    - Taken back: the index's folder; what was taken back is held back until it is applied again.
    """
    with open_directory(directory) as connection, connection.begin():
        which = select(migration_runs).where(migration_runs.c.kind == APPLY)
        latest = connection.execute(which.order_by(migration_runs.c.id.desc()).limit(1)).first()
    if latest is None:
        return StartWith(folder, NEWEST)
    if latest.state == RESTORED:
        is_held_back = digest_of_folder(folder) == latest.digest
        return StartWith(
            folder, Revisions(latest.origin, latest.origin) if is_held_back else NEWEST
        )
    applied = _folder_of(latest)
    if latest.state != DONE:
        return StartWith(applied or folder, Revisions(latest.origin, latest.head))
    is_ahead = applied is not None and _count(applied) > _count(folder)
    return StartWith(applied if is_ahead else folder, NEWEST)


def _folder_of(row: Any) -> Path | None:
    """The folder of a run, if it is still there."""
    folder = Path(row.folder)
    return folder if row.folder and folder.is_dir() else None


def _count(folder: Path | None) -> int:
    return 0 if folder is None else sum(1 for _ in folder.glob("versions/*.py"))
