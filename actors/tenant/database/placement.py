"""Whether the names of an open database's files still lead to the open files.

Data written to a file that was removed or replaced is lost when it is closed, even if it was synced.
Therefore the names are checked before each commit that writes: two system calls.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actors.errors import DatabaseProblem
from actors.tenant.database.durability import wal_of

Identity = tuple[int, int]
"""Device and inode."""


class FileReplaced(DatabaseProblem):
    """The file was removed or replaced while it was open. The file that has its name now can be opened."""


class FileIdentity:
    """Identity of one open database and its -wal; created once both are open."""

    __slots__ = ("_database", "_found", "_wal")

    def __init__(self, path: Path) -> None:
        self._database, self._wal = str(path), str(wal_of(path))
        self._found = (file_identity(self._database), file_identity(self._wal))

    def require_unchanged(self) -> None:
        """Raise FileReplaced, with what to do, if one of the files is not in place."""
        there = file_identity(self._database), file_identity(self._wal)
        if there != self._found:
            name = self._wal if there[0] == self._found[0] else self._database
            how = "removed" if file_identity(name) is None else "replaced"
            raise FileReplaced(
                f"{name} was {how} while its tenant was awake: what had been written to it since the "
                "last checkpoint may be lost. It is opened anew as it is there now; stop the server, or "
                "suspend the tenant and wait, before a file is put back or taken away"
            ) from OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    @contextmanager
    def while_closing(self) -> Iterator[None]:
        """Close the database inside this: SQLite removes a -wal by its name, which may be another file's.

        Our -wal must not stay beside another database either, or it would be written into that.
        """
        database, wal = self._found
        is_ours, aside = file_identity(self._wal) == wal, Path(f"{self._wal}.aside")
        if not is_ours:
            with suppress(OSError):
                Path(self._wal).rename(aside)
        try:
            yield
        finally:
            with suppress(OSError):
                if not is_ours:
                    aside.rename(self._wal)
                elif file_identity(self._database) != database and file_identity(self._wal) == wal:
                    Path(self._wal).unlink()


def file_identity(name: str) -> Identity | None:
    """Return device and inode of the file that has this name now, or None."""
    try:
        found = os.stat(name)  # noqa: PTH116  # on the way of each commit; pathlib takes twice as long
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
