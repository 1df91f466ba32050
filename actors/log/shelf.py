"""Where a log's files are and what they are named for: a day each, or a month each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from actors.log.content import Content, open_content
from actors.log.day import COMPRESSED
from actors.log.days import day_of, days
from actors.log.volume import name_at, volumes


class Part(NamedTuple):
    """The file of one period."""

    period: str
    path: Path


class Shelf(NamedTuple):
    """All parts of one log."""

    directory: Path
    zone: ZoneInfo | None
    """Whose days the files are; None for months, in UTC."""

    def parts(self, since: float | None, until: float | None) -> list[Part]:
        """Those that can have lines of these times, seconds since the epoch, the oldest first.

        OSError where the directory is there and cannot be read.
        """
        first = "" if since is None else self._period_at(since)
        # A month's file goes on where the machine's clock is set back: later ones can have earlier lines.
        last = "9999" if until is None or self.zone is None else self._period_at(until)
        return [part for part in self._parts() if first <= part.period <= last]

    def open(self, part: Part) -> Content | None:
        """None where it has been removed; also found where it has been compressed since it was listed."""
        for path in (part.path, part.path.with_name(part.period + COMPRESSED)):
            try:
                return open_content(path)
            except FileNotFoundError:
                continue
        return None

    def _parts(self) -> list[Part]:
        if self.zone is not None:
            return [Part(*day) for day in days(self.directory)]
        try:
            return [Part(path.stem, path) for path in volumes(self.directory)]
        except FileNotFoundError:
            return []

    def _period_at(self, at: float) -> str:
        """Of a time that no date has: the first or last there is."""
        try:
            if self.zone is None:
                return name_at(at).removesuffix(".jsonl")
            return day_of(at, self.zone)
        except (ValueError, OverflowError, OSError):
            return "0000" if at < 0 else "9999"
