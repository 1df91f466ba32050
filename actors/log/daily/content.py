"""What a log file says, by offset, from either end: of a plain file, and of one that is compressed.

It ends where it ended when the file was opened. A compressed file is frames of Zstandard, each of which is
read as a whole: a search from the end needs no more memory than one of them. Where frames begin is found by
their headers and those of their blocks (RFC 8878, section 3.1), nothing being decompressed for that.
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import zstandard

from actors.log.daily.day_file import COMPRESSED, CorruptFrame
from actors.log.daily.trace_index import may_have

MAX_FRAME = 64 * 1024 * 1024
"""Bytes of text in one frame; the log's own have a sixteenth of that, or one batch of lines."""

HEADER_BYTES = 18
"""A frame's header, at most."""

SKIPPABLE = range(0x184D2A50, 0x184D2A60)
"""What frames begin with that hold no text."""

RLE = 1
"""The type of a block that is one byte, so many times."""


class TextSpan(NamedTuple):
    """Whole lines of a file, by offset of its text."""

    start: int
    stop: int


class SeekableText(Protocol):
    """A file's text. Reading raises OSError."""

    size: int
    """Bytes of text."""

    def before(self, end: int, most: int) -> bytes:
        """Some of the text that ends at this offset; empty only at the beginning."""

    def after(self, start: int, most: int) -> bytes:
        """Some of the text that begins at this offset; empty only at the end."""

    def close(self) -> None:
        """Let go of the file."""


def open_text(path: Path) -> SeekableText:
    """By the file's name; OSError where it cannot be read."""
    return CompressedFile(path) if path.name.endswith(COMPRESSED) else PlainFile(path)


class PlainFile:
    """Of a plain file."""

    def __init__(self, path: Path) -> None:
        self.fd = _open(path)
        self.size = os.fstat(self.fd).st_size

    def before(self, end: int, most: int) -> bytes:
        """As much as is asked for."""
        end = min(end, self.size)
        start = max(0, end - most)
        return os.pread(self.fd, end - start, start)

    def after(self, start: int, most: int) -> bytes:
        """The same."""
        return os.pread(self.fd, max(0, min(most, self.size - start)), start)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)


class ZstdFrame(NamedTuple):
    """One frame that holds text."""

    start: int
    """Offset of its text in all of it."""
    size: int
    """Bytes of text."""
    at: int
    """Where it begins in the file."""
    length: int
    """Bytes in the file."""
    index_at: int
    """Where the frame before it begins, if that holds no text: its index; else where this one does."""


class CompressedFile:
    """Of a compressed file. A frame that is not whole, as in the writing, ends it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _open(path)
        try:
            self._frames = list(self._read_frames())
        except BaseException:
            self.close()
            raise
        self._starts = [frame.start for frame in self._frames]
        self.size = sum(self._frames[-1][:2]) if self._frames else 0
        self._text: tuple[int, bytes] = (-1, b"")
        """The frame that was read last, by its number, and its text."""

    def before(self, end: int, most: int) -> bytes:
        """At most what one frame has."""
        end = min(end, self.size)
        number = bisect_left(self._starts, end) - 1
        if number < 0:
            return b""
        stop = end - self._starts[number]
        return self._text_of(number)[max(0, stop - most) : stop]

    def after(self, start: int, most: int) -> bytes:
        """The same."""
        if start >= self.size:
            return b""
        number = bisect_right(self._starts, start) - 1
        begin = start - self._starts[number]
        return self._text_of(number)[begin : begin + most]

    def spans_with(self, trace_id: bytes) -> list[TextSpan]:
        """Frames that can have it by their index, and those without an index; neighbours are one span."""
        spans: list[TextSpan] = []
        for frame in self._frames:
            if not self._may_have(frame, trace_id):
                continue
            is_next = spans and spans[-1].stop == frame.start
            start = spans.pop().start if is_next else frame.start
            spans.append(TextSpan(start, frame.start + frame.size))
        return spans

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _text_of(self, number: int) -> bytes:
        if self._text[0] != number:
            self._text = (-1, b"")  # not two of them at a time
            frame = self._frames[number]
            self._text = (number, self._decompressed(frame.at, frame.length))
        return self._text[1]

    def _may_have(self, frame: ZstdFrame, trace_id: bytes) -> bool:
        return may_have(os.pread(self._fd, frame.at - frame.index_at, frame.index_at), trace_id)

    def _read_frames(self) -> Iterator[ZstdFrame]:
        at = start = index_at = 0
        while length := self._length_of_frame(at):
            size = self._size_of_text(at, length)
            if size:
                yield ZstdFrame(start, size, at, length, index_at)
            index_at = at + length if size else at
            start += size
            at += length

    def _length_of_frame(self, at: int) -> int:
        """Bytes in the file; 0 where no whole frame follows."""
        head = os.pread(self._fd, HEADER_BYTES, at)
        if len(head) < HEADER_BYTES // 2:
            return 0
        if int.from_bytes(head[:4], "little") in SKIPPABLE:
            end = at + 8 + int.from_bytes(head[4:8], "little")
        else:
            end = self._end_of_blocks(at, head)
        is_whole = end and end <= os.fstat(self._fd).st_size
        return end - at if is_whole else 0

    def _end_of_blocks(self, at: int, head: bytes) -> int:
        """Where the frame's last block ends, and its checksum; 0 where a block's header is missing."""
        try:
            has_checksum = zstandard.get_frame_parameters(head).has_checksum
            end = at + zstandard.frame_header_size(head)
        except zstandard.ZstdError as error:
            raise self._corrupt(at, str(error)) from error
        is_last = False
        while not is_last:
            header = os.pread(self._fd, 3, end)
            if len(header) < 3:
                return 0
            fields = int.from_bytes(header, "little")
            is_last, kind, size = bool(fields & 1), fields >> 1 & 3, fields >> 3
            end += 3 + (1 if kind == RLE else size)
        return end + 4 * has_checksum

    def _size_of_text(self, at: int, length: int) -> int:
        head = os.pread(self._fd, HEADER_BYTES, at)
        if int.from_bytes(head[:4], "little") in SKIPPABLE:
            return 0
        size = zstandard.frame_content_size(head)
        if size < 0:  # a frame need not say so
            size = len(self._decompressed(at, length))
        if size > MAX_FRAME:
            raise self._corrupt(
                at, f"{size} bytes of text in it are more than any of the log's own"
            )
        return size

    def _decompressed(self, at: int, length: int) -> bytes:
        packed = os.pread(self._fd, length, at)
        try:
            if zstandard.frame_content_size(packed) < 0:
                return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
            return zstandard.ZstdDecompressor().decompress(packed)
        except zstandard.ZstdError as error:
            raise self._corrupt(at, str(error)) from error

    def _corrupt(self, at: int, problem: str) -> CorruptFrame:
        return CorruptFrame(
            errno.EIO, f"damaged in the frame at byte {at}: {problem}", str(self._path)
        )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
