"""The head of the chain: the newest record, found in the files without reading all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from actors.log.chain import GENESIS, Broken, Link, follow, link_of, readable
from actors.log.volume import newest_first


class Head(NamedTuple):
    """Where the chain ends."""

    link: Link
    """Of the newest record that can be read; GENESIS where there is none."""
    problem: str | None
    """Why it does not hold, as far as the last two lines tell; None where they do not."""


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
