"""The head of the chain: the newest record, found in the files without reading all of them.

It is noted beside the log's directory, too: a log that was emptied, cut or written anew is told from one that
has not begun. A record is synced before it is noted, so the note is never ahead of the log; after a power cut
it may be some seconds behind, as it is not synced with each record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from actors.host.disk import sync
from actors.host.files import write_private
from actors.log.chain import GENESIS, Broken, Link, follow, link_of, readable
from actors.log.volume import Volume, newest_first, volumes


class Head(NamedTuple):
    """Where the chain ends."""

    link: Link
    """Of the newest record that can be read; GENESIS where there is none."""
    problem: str | None
    """Why it does not hold, as far as the last two lines tell; None where they do not."""


def offset_of(volume: Volume, seq: int) -> int:
    """Where the records with this number and higher ones begin, in bytes."""
    return volume.first(lambda line: (readable(line) or {"seq": 0})["seq"] >= seq)


def find_head(paths: list[Path]) -> Head:
    """The head of the log in these volumes; OSError where one cannot be read."""
    with closing(newest_first(paths)) as lines:
        last = next(lines, None)
        if last is None:
            return Head(GENESIS, None)
        record = readable(last)
        if record is None:
            return Head(_newest(lines), "the last line is no record")
        return Head(link_of(record), _flaw(last, next(lines, None)))


def _newest(lines: Iterator[bytes]) -> Link:
    return next((link_of(record) for line in lines if (record := readable(line))), GENESIS)


def _flaw(last: bytes, before: bytes | None) -> str | None:
    """Why the last record is not the one after that line."""
    link = GENESIS
    if before is not None:
        record = readable(before)
        if record is None:
            return "the line before the last one is no record"
        link = link_of(record)
    try:
        follow(last, link)
    except Broken as problem:
        return f"the last record {problem}"
    return None


def note_of(directory: Path) -> Path:
    """The file that notes the head of the log in this directory: `audit.head` beside `audit/`."""
    return directory.with_name(f"{directory.name}.head")


def note(directory: Path, head: Link) -> None:
    """Note the newest record, which has been synced; OSError.

    It is written in place and always as long, so that it is the old note or the new one.
    """
    path, text = note_of(directory), f'{{"hash":"{head.hash}","seq":{head.seq:>20}}}\n'
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        write_private(path, text)
        return
    try:
        os.pwrite(descriptor, text.encode(), 0)
    finally:
        os.close(descriptor)


def forget(directory: Path) -> None:
    """What the log lacks is accepted: it goes on from what is there, and that is noted then. OSError."""
    note_of(directory).unlink(missing_ok=True)
    sync(directory.parent)


def what_is_missing(directory: Path) -> str | None:
    """What the log lacks of what was noted, in words; None where all is there, or nothing was noted.

    OSError where a file cannot be read.
    """
    try:
        content = json.loads(note_of(directory).read_bytes())
        noted = Link(int(content["seq"]), str(content["hash"]))
    except FileNotFoundError:
        return None  # of older code, or of a log that has not begun
    except (ValueError, TypeError, KeyError):
        return f"{note_of(directory)}, which says how far {directory} goes, is not as the server wrote it"
    found = _record_at(directory, noted.seq)
    if found is None:
        return f"{directory} lacks record {noted.seq}, which had been written: it was emptied, cut or removed"
    if found != noted:
        return f"{directory} has another record {noted.seq} than was written: it was changed or replaced"
    return None


def _record_at(directory: Path, seq: int) -> Link | None:
    """The record with this number, at the end or near it; None where there is none."""
    paths = volumes(directory) if directory.is_dir() else []
    with closing(newest_first(paths)) as lines:
        for line in lines:
            record = readable(line)
            if record is not None and record["seq"] <= seq:
                return _sound_link(line, record) if record["seq"] == seq else None
    return None


def _sound_link(line: bytes, record: dict[str, Any]) -> Link:
    """What the record says of itself, where that is true."""
    try:
        return follow(line, Link(record["seq"] - 1, record["prev"]))
    except Broken:
        return GENESIS
