"""The files of the admin log: a volume for each month, `2026-11.jsonl`, in one directory.

The chain goes on from one to the next, so that a volume cannot be taken away unseen. Months never go back,
even where the machine's clock does. To be read, a volume is as long as it was when it was opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Self

LINE_BYTES = 65_536
"""More than a record can have: 4 KiB of params, and texts of MOST_TEXT characters."""


DIRECTORY = "audit"
"""Below the server's data directory."""

BLOCK_BYTES = 65_536
"""Read at a time, backwards."""

_NAME = re.compile(r"\d{4}-\d{2}\.jsonl")


def volumes(directory: Path) -> list[Path]:
    """Every volume, the oldest first; OSError where there is no such directory."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def name_at(seconds: float) -> str:
    """The name of the volume for this time, in seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m}.jsonl"


def shown(path: Path) -> str:
    """A volume's name for people: `audit/2026-11.jsonl`."""
    return f"{path.parent.name}/{path.name}"


def said(error: OSError, place: Path) -> str:
    """What the system said, and of which file: the one at hand, where it does not name one."""
    named = place if error.filename is None else Path(os.fsdecode(error.filename))
    return f"{shown(named)}: {error.strerror or repr(error)}"


class Volume(AbstractContextManager["Volume"]):
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
        with Volume(path) as volume:
            yield from volume.backwards(volume.size)
