"""The disk: what is synced to it, what it has left, and whether files are still those that were opened."""

from __future__ import annotations

import os
from pathlib import Path


class OpenPaths:
    """Paths of open files, which another process may replace. Raises OSError if a path cannot be read."""

    def __init__(self, *paths: Path) -> None:
        """`paths` are those of files that have just been opened."""
        self._found = {path: _identity(path) for path in paths}

    def lost(self) -> Path | None:
        """Return a path that leads to another file than before, or to none; None if no path has changed."""
        return next((path for path, mine in self._found.items() if _identity(path) != mine), None)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def sync(path: Path) -> None:
    """Sync a file's content, or a directory's names, to disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Return the bytes that this process may still write to the disk of this path. Raises OSError."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def os_error_text(error: OSError) -> str:
    """Return an error of the system as text, without numbers: the path, if it names one, and what it is."""
    if error.errno is None:
        return str(error)
    words = os.strerror(error.errno)
    return words if error.filename is None else f"{error.filename}: {words}"
