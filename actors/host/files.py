"""Files that hold secrets: private to the server's user from the first byte on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from actors.host.disk import sync

PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700


def write_private(path: Path, text: str) -> None:
    """Write or replace a file with mode 0600; a reader sees the old content or the new one."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(
        missing_ok=True
    )  # a crash may have left one, or another user a link, or one that is open
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the mask
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)  # a key must not be lost that what is on disk already was encrypted with


def private_directory(directory: Path) -> None:
    """Make it, where it is not there, for the server's user alone."""
    directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)


def private_file(path: Path) -> int:
    """A new file for the server's user alone, open for writing; SQLite gives -wal and -shm its rights."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
