"""Replaces registry.toml: wholly or not at all, and never over another edit."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from actors.errors import Aborted, Unavailable


class Unsettled(Unavailable):
    """The file was replaced, and a power cut may still bring back the one before."""


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of the file in hexadecimal; None if there is no file.

    Raises Unavailable if it cannot be read, which does not mean that it was edited.
    """
    try:
        return sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read ({error.strerror}), so nothing was changed: see to the disk, then ask "
            "again",
            retry_after_ms=5_000,
        ) from error


def replace_if_unchanged(path: Path, text: str, expected: str) -> None:
    """Replace the file, synced, if it still has the expected digest.

    Raises Aborted if it was edited meanwhile; Unavailable, with nothing changed, if it cannot be read or
    written: a full disk, a directory that is not ours. Unsettled if it was replaced and its name could not be
    synced: the caller goes on from the new content, and replaces it again to settle that.
    """
    path = path.resolve()  # a link stays one
    try:
        with _exclusive(path.parent) as directory:
            _require(path, expected)
            _replace(path, text.encode())
            _settle(path, directory)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written ({error.strerror}), so nothing was changed: see to the disk, then "
            "ask again",
            retry_after_ms=5_000,
        ) from error


def _require(path: Path, expected: str) -> None:
    if digest_of(path) != expected:
        raise modified_externally(path)


def modified_externally(path: Path) -> Aborted:
    """Return the refusal of a change to a file that was edited since it was read."""
    return Aborted(
        f"{path} has been edited since it was read: see functions.diff, take that in with "
        "functions.reload, then ask again"
    )


@contextmanager
def _exclusive(directory: Path) -> Iterator[int]:
    """Keeps other servers of the same index away meanwhile; the kernel lets go where a process dies."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _settle(path: Path, directory: int) -> None:
    try:
        os.fsync(directory)  # the name is on disk, too
    except OSError as error:
        raise Unsettled(
            f"{path} was changed, and it is not known whether that is on disk ({error.strerror}): see to the "
            "disk, then ask again with the same id",
            retry_after_ms=5_000,
        ) from error


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
