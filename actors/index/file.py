"""The index's file while it is being replaced: wholly or not at all, and never over somebody else's edit."""

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
    """SHA-256 of what the file holds now, in hexadecimal; None where there is none.

    Unavailable where it cannot be read, which does not mean that it was edited.
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


def replace(path: Path, text: str, expected: str) -> None:
    """Replace the file, synced, where it still has the digest that is expected.

    Aborted where somebody has edited it meanwhile; Unavailable, with nothing changed, where it cannot be
    read or written: a full disk, a directory that is not ours. Unsettled where it is replaced, and its name
    could not be synced: the caller goes on from what it holds now, and replaces it again to settle that.
    """
    path = path.resolve()  # a link stays one
    try:
        with _alone(path.parent) as directory:
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
        raise edited_by_hand(path)


def edited_by_hand(path: Path) -> Aborted:
    """The refusal of a change to a file that is not what was read."""
    return Aborted(
        f"{path} has been edited since it was read: see functions.diff, take that in with "
        "functions.reload, then ask again"
    )


@contextmanager
def _alone(directory: Path) -> Iterator[int]:
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
