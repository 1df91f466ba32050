"""Zstandard, as days that are over have it: frame after frame in one file, read as one text."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import zstandard

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES = 131_072
"""Read at a time."""

LEVEL = 3
"""Lines of JSON at some 250 MB/s, to a seventh of their size; higher levels are slower and gain nothing."""


class Damaged(OSError):
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
            raise Damaged(errno.EIO, problem, self._file.name) from error


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
        except Damaged:
            pass
        return frames.whole


def _begin() -> zstandard.ZstdDecompressionObj:
    return zstandard.ZstdDecompressor().decompressobj()
