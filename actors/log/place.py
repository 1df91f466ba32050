"""Cursors: a place between two lines of a log, which stays where it is when a day is compressed."""

from __future__ import annotations

import re
from typing import NamedTuple

from actors.errors import InvalidArgument
from transport.message import Problem

_CURSOR = re.compile(r"(\d{4}-\d\d(?:-\d\d)?)\.(\d{1,15})", re.ASCII)


class Place(NamedTuple):
    """A place in a log; its text is what callers are given, who are told nothing about its form."""

    period: str
    """The day or month, as the file is named for it."""
    offset: int
    """Bytes of the file's lines before it, not compressed."""

    def __str__(self) -> str:
        return f"{self.period}.{self.offset}"


BEGINNING = Place("0000-00", 0)
"""Before every line, of days and of months."""


def place_of(name: str, cursor: str | None) -> Place | None:
    """Where the cursor is that came as param `name`; InvalidArgument where it is none."""
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        problem = Problem(
            f"params.{name}", "no cursor: take `next` or `newest` of an answer as it is"
        )
        raise InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))
    return Place(found[1], int(found[2]))
