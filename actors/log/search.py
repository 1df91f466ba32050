"""One search through a log, in steps: whoever has it done can do something else between two of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from actors.log.block import Block, blocks_after, blocks_before
from actors.log.content import Content
from actors.log.criteria import Criteria, Record
from actors.log.messages import Find
from actors.log.place import BEGINNING, Place, place_of
from actors.log.shelf import Part, Shelf

PAGE_BYTES = 128 * 1024
"""Bytes of lines in one page, at most, unless a single line has more."""

STEP_SECONDS = 0.02
"""Work between two pauses; a step ends with the block in which this is over."""

WORK_SECONDS = 2.0
"""Work for one page; then the caller goes on with `next`."""

Page = dict[str, Any]
Steps = Generator[None, None, Page]


class Search:
    """From the newest line to the oldest, or with `after` from there to the newest."""

    def __init__(
        self, ask: Find, shelf: Shelf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """InvalidArgument where a cursor is none."""
        self.ask = ask
        self._shelf = shelf
        self._clock = clock
        self._before = place_of("before", ask.before)
        self._after = place_of("after", ask.after)
        self._criteria = Criteria(ask)
        self._lines: list[Record] = []
        self._room = PAGE_BYTES
        self._next: Place | None = None
        """Where the search ended before it was through."""
        self._newest = self._after or self._before or BEGINNING

    def steps(self) -> Steps:
        """Search; pauses often. OSError where a file cannot be read."""
        walk = self._backwards() if self._after is None else self._forwards(self._after)
        begun, left = self._clock(), WORK_SECONDS
        for place in walk:
            now = self._clock()
            if now - begun >= left:
                self._next = place
                break
            if now - begun >= STEP_SECONDS:
                left -= now - begun
                yield
                begun = self._clock()
        walk.close()  # and the file that is open
        return {
            "lines": self._lines,
            "next": None if self._next is None else str(self._next),
            "newest": str(self._newest),
        }

    # Both walks give, after each block, the place where the search would go on.

    def _backwards(self) -> Generator[Place, None, None]:
        for part in reversed(self._parts()):
            content = self._shelf.open(part)
            if content is None:
                continue
            with closing(content):
                for block in blocks_before(content, self._end_in(part, content)):
                    self._newest = max(self._newest, Place(part.period, block.end))
                    if not self._take_back(part, block):
                        return
                    yield Place(part.period, block.start)

    def _forwards(self, after: Place) -> Generator[Place, None, None]:
        for part in self._parts():
            content = self._shelf.open(part)
            if content is None:
                continue
            start = after.offset if after.period == part.period else 0
            with closing(content):
                for block in blocks_after(content, start):
                    if not self._take_on(part, block):
                        return
                    self._newest = Place(part.period, block.end)
                    yield self._newest

    def _take_back(self, part: Part, block: Block) -> bool:
        """False where the page is full; the next one ends before the last line that was taken."""
        for start, stop in self._criteria.slots(block, backwards=True):
            record = self._criteria.record(block.text[start:stop])
            if record is None:
                continue
            if self._is_full(stop - start):
                self._next = Place(part.period, block.start + stop)
                return False
            self._take(record, stop - start)
            if len(self._lines) >= self.ask.limit:
                self._next = Place(part.period, block.start + start)
                return False
        return True

    def _take_on(self, part: Part, block: Block) -> bool:
        """False where the page is full; the next one begins behind the last line that was taken."""
        for start, stop in self._criteria.slots(block, backwards=False):
            record = self._criteria.record(block.text[start:stop])
            if record is None:
                continue
            if self._is_full(stop - start):
                self._stop_at(Place(part.period, block.start + start))
                return False
            self._take(record, stop - start)
            if len(self._lines) >= self.ask.limit:
                self._stop_at(Place(part.period, block.start + stop))
                return False
        return True

    def _stop_at(self, place: Place) -> None:
        self._next = self._newest = place

    def _is_full(self, size: int) -> bool:
        """Whether a line of so many bytes has no room; the first one has, whatever its size."""
        return size > self._room and bool(self._lines)

    def _take(self, record: Record, size: int) -> None:
        self._lines.append(record)
        self._room -= size

    def _parts(self) -> list[Part]:
        first = "" if self._after is None else self._after.period
        last = "9999" if self._before is None else self._before.period
        parts = self._shelf.parts(self.ask.since, self.ask.until)
        return [part for part in parts if first <= part.period <= last]

    def _end_in(self, part: Part, content: Content) -> int:
        before = self._before
        return content.size if before is None or before.period != part.period else before.offset
