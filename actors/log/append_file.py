"""The end of the admin log: the volume that records are appended to, as long as it is as it was left.

The files of the admin log: a volume for each month, `2026-11.jsonl`, in one directory.

The chain goes on from one to the next, so that a volume cannot be taken away unseen. Months never go back,
even where the machine's clock does. To be read, a volume is as long as it was when it was opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Self

from actors.errors import AuditProblem
from actors.host.disk import sync

LINE_BYTES = 65_536
"""More than a record can have: 4 KiB of params, and texts of MOST_TEXT characters."""


DIRECTORY = "audit"
"""Below the server's data directory."""

BLOCK_BYTES = 65_536
"""Read at a time, backwards."""

_NAME = re.compile(r"\d{4}-\d{2}\.jsonl")


def month_files(directory: Path) -> list[Path]:
    """Every volume, the oldest first; OSError where there is no such directory."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def month_file_name(seconds: float) -> str:
    """The name of the volume for this time, in seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m}.jsonl"


def display_path(path: Path) -> str:
    """A volume's name for people: `audit/2026-11.jsonl`."""
    return f"{path.parent.name}/{path.name}"


def os_error_text(error: OSError, place: Path) -> str:
    """What the system said, and of which file: the one at hand, where it does not name one."""
    named = place if error.filename is None else Path(os.fsdecode(error.filename))
    return f"{display_path(named)}: {error.strerror or repr(error)}"


class LogFile(AbstractContextManager["LogFile"]):
    """One volume, open for reading."""

    def __init__(self, path: Path) -> None:
        """OSError where it cannot be read."""
        self._file = path.open("rb", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def backwards(self, end: int) -> Iterator[bytes]:
        """Each line that begins before this offset and ends there or before, the last one first.

        Only the last can be without a line break. What is longer than any record comes in pieces.
        """
        begun = b""
        while end > 0:
            block = self._read(max(0, end - BLOCK_BYTES), end) + begun
            end = max(0, end - BLOCK_BYTES)
            lines = BytesIO(block).readlines()
            begun = lines.pop(0) if end > 0 else b""
            yield from reversed(lines)
            if len(begun) > LINE_BYTES:
                yield begun
                begun = b""

    def first(self, is_behind: Callable[[bytes], bool]) -> int:
        """The offset of the first line for which this holds, as it does for all after it."""
        low, high = 0, self.size
        while low < high:
            start, line = self._line_at((low + high) // 2)
            if is_behind(line):
                high = start
            else:
                low = start + len(line)
        return low

    def _line_at(self, offset: int) -> tuple[int, bytes]:
        """The line that has this offset in it, and its own offset."""
        before = self._read(max(0, offset - LINE_BYTES), offset)
        start = offset - len(before) + before.rfind(b"\n") + 1
        behind = self._read(start, offset + LINE_BYTES)
        length = behind.find(b"\n", offset - start) + 1
        return start, behind[:length] if length else behind

    def _read(self, start: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), min(end, self.size) - start, start)


def newest_first(paths: list[Path]) -> Generator[bytes]:
    """Every line of these volumes, the last one first."""
    for path in reversed(paths):
        with LogFile(path) as volume:
            yield from volume.backwards(volume.size)


FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class AppendFile:
    """One volume, open for appending. Every method raises OSError where the system refuses."""

    def __init__(self, path: Path, flags: int = FLAGS) -> None:
        self.path = path
        self._fd = os.open(path, flags, 0o600)
        self.size = os.fstat(self._fd).st_size
        """Bytes that the log knows of."""
        self._is_ragged = False
        """Whether what a failed write left behind may still be there."""

    @classmethod
    def create(cls, path: Path) -> AppendFile:
        """Begin a volume; AuditProblem where the directory is closed to writing, or a file is in the way."""
        _require_writable(path.parent.stat(), path.parent.name)
        tail = cls(path, FLAGS | os.O_CREAT)
        try:
            if tail.size:
                raise AuditProblem(
                    f"{display_path(path)} is there and is not the log's own: move it elsewhere"
                )
            sync(path.parent)
        except BaseException:
            tail.close()
            raise
        return tail

    def rewrite_end(self) -> None:
        """Write the end again, and sync it: what was left by a sync that failed may be in memory alone.

        A later sync says nothing about it. At most one record can be such.
        """
        start = max(0, self.size - LINE_BYTES)
        fd = os.open(
            self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        )  # to write where it stands
        try:
            end = os.pread(fd, self.size - start, start)
            while end:
                written = os.pwrite(fd, end, start)
                start, end = start + written, end[written:]
            os.fsync(fd)
        finally:
            os.close(fd)
        sync(self.path.parent)

    def check(self) -> None:
        """AuditProblem where the volume is not as the log left it, or is closed to writing."""
        mine = os.fstat(self._fd)
        if not self.is_in_place():
            raise AuditProblem(
                f"{display_path(self.path)} is another file than the one the log was writing: put that one "
                "back, or start the server again, which goes on from what is there"
            )
        _require_writable(mine, display_path(self.path))
        if self._is_ragged:
            self.cut(self.size)
        elif mine.st_size != self.size:
            raise AuditProblem(
                f"{display_path(self.path)} has {mine.st_size} bytes where the log left {self.size}: "
                "another program writes to it; start the server again, which goes on from what is there"
            )

    def is_in_place(self) -> bool:
        """Whether the volume's name still leads to the file that was opened."""
        there, mine = os.lstat(self.path), os.fstat(self._fd)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def append(self, line: bytes) -> None:
        """Write and sync; where that fails, what was written of it is taken back."""
        try:
            _write(self._fd, line)
            os.fsync(self._fd)
        except BaseException:
            with suppress(OSError):
                self.cut(self.size)
            raise
        self.size += len(line)

    def cut(self, size: int) -> None:
        """Make the volume this long, and have that on disk."""
        self._is_ragged = True
        self.size = size
        os.ftruncate(self._fd, size)
        os.fsync(self._fd)
        self._is_ragged = False

    def last_line(self) -> bytes:
        """The last line, or what is there of it; empty where there is none."""
        with LogFile(self.path) as volume:
            return next(volume.backwards(volume.size), b"")

    def close(self) -> None:
        """Let go of the volume."""
        os.close(self._fd)


def quarantine(line: bytes, volume: Path) -> Path:
    """Keep what is no record in a file beside its volume; the file."""
    aside = volume.with_suffix(".torn")
    fd = os.open(aside, FLAGS | os.O_CREAT, 0o600)
    try:
        _write(fd, line.removesuffix(b"\n") + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    sync(volume.parent)
    return aside


def _write(fd: int, data: bytes) -> None:
    """One write, unless the system takes only a part: the next one then says why, or takes the rest."""
    while data:
        data = data[os.write(fd, data) :]


def _require_writable(found: os.stat_result, name: str) -> None:
    """The owner's permission counts for root, too, whom the system would let write all the same."""
    if not found.st_mode & stat.S_IWUSR:
        raise AuditProblem(f"{name} is closed to writing: chmod u+w opens it")
