"""Whole lines, many at a time, from either end of a file's text.

A line that has no break yet is being written, and is left out; so is one that is longer than any line of a
log, and what a mistaken offset leaves of one.

Where a log's files are and what they are named for: a day each, or a month each.

Cursors: a place between two lines of a log, which stays where it is when a day is compressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from actors.errors import InvalidArgument
from actors.log.append_file import month_file_name, month_files
from actors.log.daily.content import SeekableText, open_text
from actors.log.daily.day_file import COMPRESSED
from actors.log.daily.rotation import day_of, days
from transport.message import Problem

FIRST_BYTES = 64 * 1024
"""Read at first: some hundred lines, a page."""

MAX_BYTES = 256 * 1024
"""Read at a time later on; each block is twice the one before until then."""

MAX_LINE = 1024 * 1024
"""More than any line has."""


class Block(NamedTuple):
    """Lines in their order, each with its break."""

    start: int
    """Offset of the first line."""
    text: bytes

    @property
    def end(self) -> int:
        """Offset behind the last line."""
        return self.start + len(self.text)


def blocks_before(content: SeekableText, end: int, start: int = 0) -> Iterator[Block]:
    """All lines that end at this offset or before and begin at `start` or after, the last block first."""
    behind, is_torn, most = b"", True, FIRST_BYTES
    end = min(end, content.size)
    while end > start:
        text = content.before(end, min(most, end - start)) + behind
        end -= len(text) - len(behind)
        if is_torn:
            text = text[: text.rfind(b"\n") + 1]
            is_torn = not text
        # What comes before the first break is the end of a line that begins in an earlier block.
        cut = (text.find(b"\n") + 1 or len(text)) if end > start else 0
        behind, text = text[:cut], text[cut:]
        if len(behind) > MAX_LINE:
            behind, is_torn = b"", True
        if text:
            yield Block(end + cut, text)
        most = min(most * 2, MAX_BYTES)


def blocks_after(content: SeekableText, start: int, end: int | None = None) -> Iterator[Block]:
    """All lines that begin at this offset or after, up to `end` or the end, the first block first."""
    begun, most = b"", FIRST_BYTES
    end = content.size if end is None else end
    while more := content.after(start, max(0, min(most, end - start))):
        text = begun + more
        start += len(more)
        cut = text.rfind(b"\n") + 1
        begun, text = text[cut:], text[:cut]
        if text:
            yield Block(start - len(begun) - cut, text)
        if len(begun) > MAX_LINE:
            begun = b""
        most = min(most * 2, MAX_BYTES)


class PeriodFile(NamedTuple):
    """The file of one period."""

    period: str
    path: Path


class LogCatalogue(NamedTuple):
    """All parts of one log."""

    directory: Path
    zone: ZoneInfo | None
    """Whose days the files are; None for months, in UTC."""

    def parts(self, since: float | None, until: float | None) -> list[PeriodFile]:
        """Those that can have lines of these times, seconds since the epoch, the oldest first.

        OSError where the directory is there and cannot be read.
        """
        first = "" if since is None else self._period_at(since)
        # A month's file goes on where the machine's clock is set back: later ones can have earlier lines.
        last = "9999" if until is None or self.zone is None else self._period_at(until)
        return [part for part in self._parts() if first <= part.period <= last]

    def open(self, part: PeriodFile) -> SeekableText | None:
        """None where it has been removed; also found where it has been compressed since it was listed."""
        for path in (part.path, part.path.with_name(part.period + COMPRESSED)):
            try:
                return open_text(path)
            except FileNotFoundError:
                continue
        return None

    def _parts(self) -> list[PeriodFile]:
        if self.zone is not None:
            return [PeriodFile(*day) for day in days(self.directory)]
        try:
            return [PeriodFile(path.stem, path) for path in month_files(self.directory)]
        except FileNotFoundError:
            return []

    def _period_at(self, at: float) -> str:
        """Of a time that no date has: the first or last there is."""
        try:
            if self.zone is None:
                return month_file_name(at).removesuffix(".jsonl")
            return day_of(at, self.zone)
        except (ValueError, OverflowError, OSError):
            return "0000" if at < 0 else "9999"


_CURSOR = re.compile(r"(\d{4}-\d\d(?:-\d\d)?)\.(\d{1,15})", re.ASCII)


class Cursor(NamedTuple):
    """A place in a log; its text is what callers are given, who are told nothing about its form."""

    period: str
    """The day or month, as the file is named for it."""
    offset: int
    """Bytes of the file's lines before it, not compressed."""

    def __str__(self) -> str:
        return f"{self.period}.{self.offset}"


START = Cursor("0000-00", 0)
"""Before every line, of days and of months."""


def parse_cursor(name: str, cursor: str | None) -> Cursor | None:
    """Where the cursor is that came as param `name`; InvalidArgument where it is none."""
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        problem = Problem(
            f"params.{name}", "no cursor: take `next` or `newest` of an answer as it is"
        )
        raise InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))
    return Cursor(found[1], int(found[2]))
