"""The file of one day, open for appending: a plain one, or one that is compressed already."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

from actors.log.frames import end_of_frames, frame
from actors.log.tail import FLAGS, put_aside
from actors.log.volume import Volume, shown

log = structlog.get_logger()

PLAIN = ".jsonl"
COMPRESSED = ".jsonl.zst"


class DayFile:
    """Whole lines only: what a crash has left of one is put aside when the file is opened.

    Every method but `close` raises OSError where the system refuses.
    """

    def __init__(self, path: Path, whole: int | None = None) -> None:
        """Made where it is not there. `whole`: so many bytes of a compressed one are known to be frames."""
        self.path = path
        self.is_compressed = path.name.endswith(COMPRESSED)
        self._fd = os.open(path, FLAGS | os.O_CREAT, 0o600)
        self._ragged_from: int | None = None
        """Where the rest of a failed write begins, as long as it is still there."""
        try:
            self._mend(whole)
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return os.fstat(self._fd).st_size

    @property
    def whole(self) -> int:
        """Bytes without the rest of a failed write."""
        return self.size if self._ragged_from is None else self._ragged_from

    def append(self, lines: bytes) -> None:
        """One write; where it fails, what was written of it is taken back."""
        self._take_back()
        data = frame(lines) if self.is_compressed else lines
        size = self.size
        try:
            while data:  # once, unless the system takes a part: the next write then says why
                data = data[os.write(self._fd, data) :]
        except BaseException:
            self._ragged_from = size
            with suppress(OSError):
                self._take_back()
            raise

    def is_in_place(self) -> bool:
        """Whether the file's name still leads to it."""
        try:
            there, mine = os.lstat(self.path), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            self._take_back()
        os.close(self._fd)

    def _take_back(self) -> None:
        if self._ragged_from is not None:
            os.ftruncate(self._fd, min(self._ragged_from, self.size))
            self._ragged_from = None

    def _mend(self, whole: int | None) -> None:
        if not self.is_compressed:
            while (line := self._last_line()) and not line.endswith(b"\n"):
                self._put_aside(line)
        elif self.size != whole:
            end = end_of_frames(self.path)
            if rest := os.pread(self._fd, self.size - end, end):
                self._put_aside(rest)

    def _last_line(self) -> bytes:
        """Or the end of one that is longer than any should be."""
        size = self.size
        if not size or os.pread(self._fd, 1, size - 1) == b"\n":
            return b"\n"
        with Volume(self.path) as volume:
            return next(volume.backwards(volume.size))

    def _put_aside(self, rest: bytes) -> None:
        """Take the end off the file and keep it in another one."""
        aside = put_aside(rest, self.path)
        os.ftruncate(self._fd, self.size - len(rest))
        log.warning(
            "a log file is not whole at its end, and goes on after its last whole line",
            file=shown(self.path),
            bytes=len(rest),
            kept_in=aside.name,
        )
