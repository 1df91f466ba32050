"""A file for each tenant with something in its outbox, so that a start finds these without opening any other.

It is there, synced, before the commit that puts the first delivery into the outbox, and goes after the one
that took out the last. So it may be there for nothing, and is never missing. Its time of modification says
from when on somebody has to look.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from actors.errors import Unavailable
from actors.host.disk import sync
from actors.host.files import private_directory, private_file
from actors.messages import TENANT_ID
from actors.tenant.database.outbox_table import MAX_AHEAD


class OutboxFlag:
    """One tenant's."""

    def __init__(self, directory: Path, tenant_id: str) -> None:
        self._path = directory / tenant_id
        self._is_made = False

    def set(self) -> None:
        """On disk when this returns; Unavailable where it cannot be. Costs nothing the second time."""
        if self._is_made:
            return
        try:
            private_directory(self._path.parent)
            with suppress(FileExistsError):
                os.close(private_file(self._path))
            os.utime(self._path)
            sync(self._path.parent)
        except OSError as error:
            raise Unavailable(
                f"nothing can be sent: {self._path} cannot be made ({error.strerror})",
                retry_after_ms=1000,
            ) from error
        self._is_made = True

    def clear(self, due: float | None) -> None:
        """The tenant leaves: somebody has to look from then on, in seconds since the epoch, or nobody.

        Not synced: an earlier time, or a file too many, has the tenant woken for nothing, once.
        """
        if self._is_made:
            with suppress(OSError):
                self._path.unlink() if due is None else os.utime(self._path, (due, due))
        self._is_made = False


def due_flags(directory: Path, now: float) -> list[str]:
    """Ids of tenants to be looked at by now, the longest due first.

    A time that no delivery waits for is of a clock that was wrong: who looks finds out.
    """
    found: list[tuple[float, str]] = []
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed meanwhile
                if not TENANT_ID.fullmatch(entry.name):
                    continue
                due = entry.stat().st_mtime
                if not now < due <= now + MAX_AHEAD:
                    found.append((due, entry.name))
    return [name for _, name in sorted(found)]


def remove_flag(directory: Path, tenant_id: str) -> None:
    """The tenant is deleted, and its outbox with it."""
    (directory / tenant_id).unlink(missing_ok=True)
