"""A flag file for each tenant with rows in its outbox, so that a start opens no other tenant's database.

The flag is on disk before the commit that puts the first delivery into the outbox, and is removed after the
commit that takes out the last. So it may be there without a row, and is never missing. Its modification time
is when the tenant has to be woken.
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
    """The flag of one tenant."""

    def __init__(self, directory: Path, tenant_id: str) -> None:
        self._path = directory / tenant_id
        self._is_made = False

    def set(self) -> None:
        """Make the flag, on disk when this returns. Raises Unavailable. A second call costs nothing."""
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
        """Set the time to wake the tenant that leaves, in seconds since the epoch; None removes the flag.

        It is not synced: after a crash, an earlier time or an extra file wakes the tenant once without need.
        """
        if self._is_made:
            with suppress(OSError):
                self._path.unlink() if due is None else os.utime(self._path, (due, due))
        self._is_made = False


def due_flags(directory: Path, now: float) -> list[str]:
    """Return the ids of tenants to wake by now, the longest due first.

    A time too far ahead comes from a wrong clock, and counts as due.
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
    """Remove the flag of a tenant that is deleted with its outbox."""
    (directory / tenant_id).unlink(missing_ok=True)
