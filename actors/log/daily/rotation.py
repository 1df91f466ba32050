"""Logs by day: each line in the file of the day it belongs to, whenever it is written.

A day is one of the zone's calendar. Its file is `2026-11-24.jsonl` as long as it may be today's, and
`2026-11-24.jsonl.zst` later; what a crash has left of a line is in `2026-11-24.torn` beside it.

A day that is over becomes a compressed file, and a crash on the way neither loses nor doubles a line.

The law of this file: the compressed file appears whole, under its name at once, before the plain one goes.
So where both are there, the compressed one begins with all that the plain one has; only where somebody has
put other files there is it otherwise, and then what both have is joined, the plain one's lines first.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from actors.host.disk import sync
from actors.log.daily.day_file import CHUNK_BYTES, COMPRESSED, PLAIN, DayFile, decompressed, frame
from actors.log.daily.trace_index import index_frame

FRESH = f"{COMPRESSED}.tmp"
"""How a compressed file's name ends as long as it is not whole."""

FRAME_BYTES = 4 * 1024 * 1024
"""Bytes of text in a frame, and the rest of its last line: a search reads frame by frame, from either end."""

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def compress(plain: Path) -> None:
    """Compress a day that is no longer written; OSError where that cannot be, and can be tried again.

    An empty one is removed.
    """
    compressed = plain.with_name(plain.name.removesuffix(PLAIN) + COMPRESSED)
    DayFile(plain).close()
    if compressed.exists():
        DayFile(compressed).close()
        _join(plain, compressed)
    elif plain.stat().st_size:
        _write(compressed, plain)
    plain.unlink()


def _join(plain: Path, compressed: Path) -> None:
    """Have all that both files say in the compressed one."""
    with plain.open("rb") as lines, decompressed(compressed) as text:
        if _begins_with(text, lines):
            return
    with plain.open("rb") as lines, decompressed(compressed) as text:
        rest = None if _begins_with(lines, text) else compressed
    _write(compressed, plain, rest)


def _begins_with(whole: BinaryIO, part: BinaryIO) -> bool:
    """Whether all that the second one says is what the first one says first."""
    chunks = iter(lambda: part.read(CHUNK_BYTES), b"")
    return all(whole.read(len(chunk)) == chunk for chunk in chunks)


def _write(compressed: Path, plain: Path, rest: Path | None = None) -> None:
    """Replace the compressed file by one with the plain one's lines, and behind them the frames of `rest`."""
    fresh = compressed.with_name(compressed.name.removesuffix(COMPRESSED) + FRESH)
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, FLAGS, 0o600), "wb") as target:
            with plain.open("rb") as source:
                for text in _pieces(source):
                    target.write(index_frame(text) + frame(text))
            if rest is not None:
                with rest.open("rb") as source:
                    shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(compressed)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync(compressed.parent)


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    """Whole lines, as many as go into one frame."""
    return iter(lambda: source.read(FRAME_BYTES) + source.readline(), b"")


class LogSettings(NamedTuple):
    """How a log by days is written and kept."""

    zone: ZoneInfo
    """Whose days they are."""
    keep_days: int
    """Days that are over whose files are kept."""
    hide: Iterable[str] = ()
    """Further names of secrets."""
    now: Callable[[], float] = time.time
    """Returns seconds since the epoch."""
    age: Callable[[], float] | None = None
    """Returns those by which old files are removed; None for `now`."""
    most: int = 0
    """Bytes of lines in full for each tenant and day; further lines are counted. 0 for any number."""

    def oldest_by(self) -> float:
        """Return the seconds since the epoch by which old files are removed."""
        return self.now() if self.age is None else self.age()


RETRY_SECONDS = 600.0
"""Seconds after which files that could not be compressed or removed are tried again."""


class RotationSchedule:
    """When a log's old files are to be put in order: once a day, and again where that failed."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._today = ""
        self._retry: float | None = None

    def begin(self, now: float) -> bool:
        """Return True if it is due, and count it as done; a clock that goes back makes it due, too."""
        today = day_of(now, self._zone)
        is_retry = self._retry is not None and not 0 <= self._retry - now <= RETRY_SECONDS
        if today == self._today and not is_retry:
            return False
        self._today, self._retry = today, None
        return True

    def retry_later(self, now: float) -> None:
        """Have it due again after RETRY_SECONDS, because it failed."""
        self._retry = now + RETRY_SECONDS


_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(\.jsonl(?:\.zst(?:\.tmp)?)?|(?:\.jsonl)?\.torn)")


class Day(NamedTuple):
    """A file as it was listed; `open_day` finds it where it has been compressed since."""

    name: str
    """2026-11-24, as `day_of` has it."""
    path: Path

    @property
    def is_compressed(self) -> bool:
        """Whether the file holds zstd frames."""
        return self.path.name.endswith(COMPRESSED)


class WriteFailed(OSError):
    """Lines that are not on disk; nothing is left of them."""

    def __init__(self, error: OSError, path: Path, written: int) -> None:
        super().__init__(error.errno, error.strerror or repr(error), error.filename or str(path))
        self.written = written
        """How many lines are on disk all the same: the first ones of those given."""


class DayFiles:
    """The only writer of one log's files. Has one of them open, at most."""

    def __init__(self, directory: Path, zone: ZoneInfo, keep_days: int) -> None:
        """`directory` is made with the first line; `keep_days` days that are over are kept."""
        self._directory = directory
        self._zone = zone
        self._keep_days = keep_days
        self._file: DayFile | None = None
        """The one written last."""
        self._second: int | None = None
        """Of the line before, whose day it was."""
        self._day = ""
        self._size = 0
        """Bytes of lines in the file in hand: what was there, and what has been written since."""
        self._whole: dict[Path, int] = {}
        """Bytes of compressed files that are known to be whole frames, so that none is read for each line."""

    def append(self, lines: Sequence[tuple[float, bytes]]) -> None:
        """Write lines, without their breaks, each with its time in seconds since the epoch; else Unwritten.

        Lines of one day that follow each other are one write.
        """
        written = 0
        for day, texts in self._by_day(lines):
            data = b"\n".join(texts) + b"\n"
            try:
                self._file_of(day).append(data)
            except OSError as error:
                place = self._directory if self._file is None else self._file.path
                raise WriteFailed(error, place, written) from error
            written += len(texts)
            self._size += len(data)

    def size_at(self, at: float) -> int:
        """Bytes that the day of this time has by now, in its file; OSError where that cannot be opened."""
        day = self.day_at(at)
        if self._file is None or not self._file.path.name.startswith(day):
            self._file_of(day)
        return self._size

    def day_at(self, at: float) -> str:
        """As `day_of` has it; the calendar is asked once a second."""
        second = math.floor(at)
        if second != self._second:
            self._second, self._day = second, day_of(second, self._zone)
        return self._day

    def rotate(self, now: float, age: float | None = None) -> None:
        """Compress the days before today and remove what is no longer kept, as of `age` if it is given.

        Does what was missed, too, and nothing twice. OSError is the first that went wrong of what can be
        tried again; the other days are done all the same.
        """
        today = datetime.fromtimestamp(now, self._zone).date()
        old = now if age is None else age
        oldest = datetime.fromtimestamp(old, self._zone).date() - timedelta(days=self._keep_days)
        problems: list[OSError] = []
        for day, kind, path in sorted(_files(self._directory)):
            try:
                if day < oldest.isoformat() or kind == FRESH:
                    self._remove(path)
                elif day < today.isoformat() and kind == PLAIN:
                    self._compress(path)
            except OSError as error:
                problems.append(error)
        if problems:
            raise problems[0]

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        file, self._file = self._file, None
        if file is not None:
            if file.is_compressed:
                self._whole[file.path] = file.whole
            file.close()

    def _by_day(self, lines: Sequence[tuple[float, bytes]]) -> list[tuple[str, list[bytes]]]:
        """Texts of one day that follow each other; the calendar is asked once for lines of one time."""
        runs: list[tuple[str, list[bytes]]] = []
        for at, same in groupby(lines, itemgetter(0)):
            day = self.day_at(at)
            if not runs or runs[-1][0] != day:
                runs.append((day, []))
            runs[-1][1].extend([text for _, text in same])
        return runs

    def _file_of(self, day: str) -> DayFile:
        """That day's file, opened where it is not the one in hand."""
        file = self._file
        if file is not None and file.path.name.startswith(day) and file.is_in_place():
            return file
        self.close()
        self._file = self._open(self._path_of(day))
        self._size = self._file.size
        return self._file

    def _path_of(self, day: str) -> Path:
        """Where a line of this day goes: never into a plain file beside a compressed one."""
        compressed = self._directory / f"{day}{COMPRESSED}"
        return compressed if compressed.exists() else self._directory / f"{day}{PLAIN}"

    def _open(self, path: Path) -> DayFile:
        whole = self._whole.get(path)
        try:
            return DayFile(path, whole)
        except FileNotFoundError:
            _make_private(path.parent)
            return DayFile(path, whole)

    def _compress(self, path: Path) -> None:
        self._release(path)
        compress(path)

    def _remove(self, path: Path) -> None:
        self._release(path)
        self._whole.pop(path, None)
        path.unlink(missing_ok=True)

    def _release(self, path: Path) -> None:
        if self._file is not None and self._file.path == path:
            self.close()


def day_of(at: float, zone: ZoneInfo) -> str:
    """The day, as 2026-11-24, that it is in the zone at this time, in seconds since the epoch."""
    return datetime.fromtimestamp(at, zone).date().isoformat()


def days(directory: Path) -> list[Day]:
    """Each day that there is a file of, the oldest first; empty where there is no such directory.

    While a day is being compressed it may have two files: the compressed one is whole, and listed alone.
    """
    found = {
        name: path for name, kind, path in sorted(_files(directory)) if kind in (PLAIN, COMPRESSED)
    }
    return [Day(name, path) for name, path in found.items()]


def open_day(path: Path) -> BinaryIO:
    """A day's lines, for reading in a row or line by line, whatever the file's kind.

    A plain file that has been compressed since it was listed is found all the same. A line or frame that
    was cut off in the writing ends it. FileNotFoundError where the day has been removed; Damaged, an OSError
    too, while reading, where a compressed file is not as it was written.
    """
    try:
        return decompressed(path) if path.name.endswith(COMPRESSED) else path.open("rb")
    except FileNotFoundError:
        if not path.name.endswith(PLAIN):
            raise
        return decompressed(path.with_name(path.name.removesuffix(PLAIN) + COMPRESSED))


def _files(directory: Path) -> Iterator[tuple[str, str, Path]]:
    """Of each file here that is ours: its day, what its name ends with, and its path."""
    try:
        paths = list(directory.iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        if match := _NAME.fullmatch(path.name):
            yield match[1], match[2], path


def _make_private(directory: Path) -> None:
    """Make a directory for the server's user alone, and those above it that are not there."""
    if not directory.is_dir():
        _make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
