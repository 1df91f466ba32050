"""Days for tests: what is in their files, read back with nothing but the zstd library and the calendar."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import zstandard

UTC = ZoneInfo("UTC")
VIENNA = ZoneInfo("Europe/Vienna")
NEW_YORK = ZoneInfo("America/New_York")
SANTIAGO = ZoneInfo("America/Santiago")
BEIRUT = ZoneInfo("Asia/Beirut")

HOUR = 3600.0
DAY = 24 * HOUR


def at(text: str, zone: ZoneInfo = UTC) -> float:
    """Seconds since the epoch of `2026-11-24 10:00` in the zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def text_of(path: Path) -> bytes:
    """A file's lines, whatever its kind."""
    if path.suffix != ".zst":
        return path.read_bytes()
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return io.BufferedReader(reader).read()


def lines_by_file(directory: Path) -> dict[str, list[bytes]]:
    """The lines in each file of a directory, by its name; an unfinished one would show."""
    return {path.name: text_of(path).split(b"\n")[:-1] for path in _sorted(directory)}


def lines_by_day(directory: Path) -> dict[str, list[bytes]]:
    """The lines of each day, in whatever file they are."""
    found: dict[str, list[bytes]] = {}
    for name, lines in lines_by_file(directory).items():
        found.setdefault(name[:10], []).extend(lines)
    return found


def names(directory: Path) -> list[str]:
    """Of all files, sorted."""
    return [path.name for path in _sorted(directory)]


def _sorted(directory: Path) -> Iterator[Path]:
    return iter(sorted(directory.iterdir()))
