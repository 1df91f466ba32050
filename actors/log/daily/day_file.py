"""Zstandard, as days that are over have it: frame after frame in one file, read as one text.

The file of one day, open for appending: a plain one, or one that is compressed already.
"""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import zstandard

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
import os
from contextlib import suppress

import structlog

from actors.log.append_file import FLAGS, LogFile, display_path, quarantine

CHUNK_BYTES = 131_072
"""Read at a time."""

LEVEL = 3
"""Lines of JSON at some 250 MB/s, to a seventh of their size; higher levels are slower and gain nothing."""


class CorruptFrame(OSError):
    """Bytes that are no frame, where one should begin or go on."""


class Frames(io.RawIOBase):
    """The text of a file's frames. A frame that was cut off in the writing ends it; Damaged otherwise."""

    def __init__(self, file: BinaryIO) -> None:
        """`file` is closed with this."""
        self.whole = 0
        """Where in the file the last frame ends that was read to its end."""
        self._file = file
        self._offset = 0
        self._ahead = b""
        """Read from the file, and of a later frame."""
        self._text = memoryview(b"")
        """Not asked for yet."""
        self._frame = _begin()

    def readable(self) -> bool:
        """It is all that can be done with it."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """0 at the end."""
        room = memoryview(buffer).cast("B")
        if not self._text:
            self._text = memoryview(self._more())
        taken = self._text[: len(room)]
        room[: len(taken)] = taken
        self._text = self._text[len(taken) :]
        return len(taken)

    def close(self) -> None:
        """And the file."""
        self._file.close()
        super().close()

    def _more(self) -> bytes:
        """The next text, however much; empty at the end."""
        while packed := self._ahead or self._read():
            text = self._decompress(packed)
            self._ahead = self._frame.unused_data
            if self._frame.eof:
                self.whole = self._offset - len(self._ahead)
                self._frame = _begin()
            if text:
                return text
        return b""

    def _read(self) -> bytes:
        packed = self._file.read(CHUNK_BYTES)
        self._offset += len(packed)
        return packed

    def _decompress(self, packed: bytes) -> bytes:
        try:
            return self._frame.decompress(packed)
        except zstandard.ZstdError as error:
            problem = f"damaged after the first {self.whole} bytes: {error}"
            raise CorruptFrame(errno.EIO, problem, self._file.name) from error


def frame(text: bytes) -> bytes:
    """The text as one frame, with a checksum."""
    return compressor().compress(text)


def compressor() -> zstandard.ZstdCompressor:
    """As all frames here are made."""
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)


def decompressed(path: Path) -> BinaryIO:
    """The text of a file, for reading in a row or line by line."""
    return io.BufferedReader(Frames(path.open("rb", buffering=0)), CHUNK_BYTES)


def end_of_frames(path: Path) -> int:
    """Where the last whole frame of a file ends; whatever is behind it cannot be read."""
    with Frames(path.open("rb", buffering=0)) as frames:
        try:
            while frames.read(CHUNK_BYTES):
                pass
        except CorruptFrame:
            pass
        return frames.whole


def _begin() -> zstandard.ZstdDecompressionObj:
    return zstandard.ZstdDecompressor().decompressobj()


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
            self._repair(whole)
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
        self._undo_write()
        data = frame(lines) if self.is_compressed else lines
        size = self.size
        try:
            while data:  # once, unless the system takes a part: the next write then says why
                data = data[os.write(self._fd, data) :]
        except BaseException:
            self._ragged_from = size
            with suppress(OSError):
                self._undo_write()
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
            self._undo_write()
        os.close(self._fd)

    def _undo_write(self) -> None:
        if self._ragged_from is not None:
            os.ftruncate(self._fd, min(self._ragged_from, self.size))
            self._ragged_from = None

    def _repair(self, whole: int | None) -> None:
        if not self.is_compressed:
            while (line := self._last_line()) and not line.endswith(b"\n"):
                self._quarantine(line)
        elif self.size != whole:
            end = end_of_frames(self.path)
            if rest := os.pread(self._fd, self.size - end, end):
                self._quarantine(rest)

    def _last_line(self) -> bytes:
        """Or the end of one that is longer than any should be."""
        size = self.size
        if not size or os.pread(self._fd, 1, size - 1) == b"\n":
            return b"\n"
        with LogFile(self.path) as volume:
            return next(volume.backwards(volume.size))

    def _quarantine(self, rest: bytes) -> None:
        """Take the end off the file and keep it in another one."""
        aside = quarantine(rest, self.path)
        os.ftruncate(self._fd, self.size - len(rest))
        log.warning(
            "a log file is not whole at its end, and goes on after its last whole line",
            file=display_path(self.path),
            bytes=len(rest),
            kept_in=aside.name,
        )
