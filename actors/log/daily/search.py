"""Which lines are asked for. Most lines are passed over by their bytes alone, without being parsed.

One search through a log, in steps: its caller can do something else between two of them.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from actors.log.audit.chain import is_moment, presentable, readable
from actors.log.daily.blocks import (
    START,
    Block,
    Cursor,
    LogCatalogue,
    PeriodFile,
    blocks_after,
    blocks_before,
    parse_cursor,
)
from actors.log.daily.content import CompressedFile, PlainFile, SeekableText, TextSpan
from actors.log.daily.hours import AT, hours_of
from actors.log.daily.plain_index import PlainIndexes
from actors.log.messages import AUDIT, ERRORS, TENANT, SearchLogs
from transport.fit import fit_map

Record = dict[str, Any]


class LineSpan(NamedTuple):
    """Where a line is in a block's text."""

    start: int
    stop: int


class LogFilter:
    """What one SearchLogs says of lines."""

    def __init__(self, ask: SearchLogs, zone: ZoneInfo | None) -> None:
        """`zone` is that of the lines' times; None where their first member is another."""
        self._ask = ask
        self._hours = hours_of(ask.since, ask.until, zone)
        self._text = None if ask.text is None else _Text(ask.text)
        self._since = -math.inf if ask.since is None else ask.since
        self._until = math.inf if ask.until is None else ask.until
        self._needle, self._is_folded = self._choose_needle()
        self._trace_id = None if ask.trace_id is None else _quoted(ask.trace_id)[1:-1]

    @property
    def indexed_trace_id(self) -> bytes | None:
        """As lines and their indexes have it; None if none is asked for, or one that lines have escaped."""
        return None if self._trace_id is None or b"\\" in self._trace_id else self._trace_id

    def spans(self, block: Block, *, backwards: bool) -> Iterator[LineSpan]:
        """The lines that may be asked for, in this order; none that is asked for is left out."""
        if self._hours is not None and self._hours.are_not_in(block.text):
            return iter(())
        text = block.text.lower() if self._is_folded else block.text
        if self._needle not in text:
            return iter(())
        return _backwards(text, self._needle) if backwards else _forwards(text, self._needle)

    def record(self, line: bytes) -> Record | None:
        """The line's members as the asker may see them; None where it is not asked for, or no record."""
        if self._is_outside(line):
            return None
        record: Any = readable(line) if self._ask.log == AUDIT else _parsed(line)
        return self._shown(record, line) if self._matches(record) else None

    def _choose_needle(self) -> tuple[bytes, bool]:
        """Bytes that every line has that is asked for, those that fewest have; whether case is folded."""
        for value in (self._ask.trace_id, self._ask.action, self._ask.outcome):
            if value is not None:
                return _quoted(value), False
        if self._text is not None and self._text.folded is not None:
            return self._text.folded, True
        return b"\n", False

    def _is_outside(self, line: bytes) -> bool:
        """Whether it is of another time, as far as its beginning tells."""
        if not line.startswith(AT) or (math.isinf(self._since) and math.isinf(self._until)):
            return False
        end = line.find(b'"', len(AT))
        return not self._is_in_time(line[len(AT) : end].decode(errors="replace"))

    def _is_in_time(self, at: Any) -> bool:
        try:
            return self._since <= datetime.fromisoformat(at).timestamp() < self._until
        except (TypeError, ValueError):
            return math.isinf(self._since) and math.isinf(self._until)

    def _matches(self, record: Any) -> bool:
        if not isinstance(record, dict) or not self._is_in_time(record.get("at")):
            return False
        ask = self._ask
        wanted = (("action", ask.action), ("outcome", ask.outcome), ("trace_id", ask.trace_id))
        if any(value is not None and record.get(name) != value for name, value in wanted):
            return False
        if ask.omit is not None and record.get("action") == ask.omit:
            return False
        return self._is_of_tenant(record)

    def _is_of_tenant(self, record: Record) -> bool:
        """Errors may know a tenant by its name only."""
        ask = self._ask
        if ask.log == TENANT or ask.tenant_id is None:
            return True
        found = record.get("tenant_id")
        if found is None and ask.log == ERRORS and ask.tenant is not None:
            return bool(record.get("tenant") == ask.tenant)
        return bool(found == ask.tenant_id)

    def _shown(self, found: Record, line: bytes) -> Record | None:
        """Fit to be sent; None also where it has no time, or is not as its log promises."""
        record = presentable(found) if self._ask.log == AUDIT else fit_map(found)
        if record is None or not is_moment(record.get("at")):
            return None
        only = self._ask.only
        if only is not None:
            record = {name: record[name] for name in only if name in record}
            line = json.dumps(record, ensure_ascii=False).encode(errors="replace")
        return record if self._text is None or self._text.is_in(line) else None


class _Text:
    """Looked for anywhere in a line, as it is written there."""

    def __init__(self, text: str) -> None:
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        self.folded = written.lower().encode() if written.isascii() else None
        """In lower case; None where it has more than ASCII."""
        self._written = written.casefold()

    def is_in(self, line: bytes) -> bool:
        if self.folded is not None:
            return self.folded in line.lower()
        return self._written in line.decode(errors="replace").casefold()


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _quoted(value: str) -> bytes:
    """As a member's value is written."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _forwards(text: bytes, needle: bytes) -> Iterator[LineSpan]:
    found = text.find(needle)
    while found >= 0:
        stop = _end_of(text, found)
        yield LineSpan(text.rfind(b"\n", 0, found) + 1, stop)
        found = text.find(needle, stop)


def _backwards(text: bytes, needle: bytes) -> Iterator[LineSpan]:
    found = text.rfind(needle)
    while found >= 0:
        start = text.rfind(b"\n", 0, found) + 1
        yield LineSpan(start, _end_of(text, found))
        found = text.rfind(needle, 0, start)


def _end_of(text: bytes, offset: int) -> int:
    return text.find(b"\n", offset) + 1


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
        self,
        ask: SearchLogs,
        catalogue: LogCatalogue,
        clock: Callable[[], float] = time.monotonic,
        indexes: PlainIndexes | None = None,
    ) -> None:
        """InvalidArgument where a cursor is none. `indexes` are those that searches before have made."""
        self.ask = ask
        self._indexes = PlainIndexes() if indexes is None else indexes
        self._catalogue = catalogue
        self._clock = clock
        self._before = parse_cursor("before", ask.before)
        self._after = parse_cursor("after", ask.after)
        self._filter = LogFilter(ask, catalogue.zone)
        self._lines: list[Record] = []
        self._room = PAGE_BYTES
        self._next: Cursor | None = None
        """Where the search ended before it was through."""
        self._newest = self._after or self._before or START

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

    # Both walks give, after each block and each file, the place where the search would go on.

    def _backwards(self) -> Generator[Cursor, None, None]:
        for part in reversed(self._parts()):
            content = self._catalogue.open(part)
            if content is None:
                continue
            with closing(content):
                end = self._end_in(part, content)
                for block in self._blocks_before(part, content, end):
                    self._newest = max(self._newest, Cursor(part.period, block.end))
                    if not self._read_backwards(part, block):
                        return
                    yield Cursor(part.period, block.start)
                if end > 0:
                    yield Cursor(part.period, 0)

    def _forwards(self, after: Cursor) -> Generator[Cursor, None, None]:
        for part in self._parts():
            content = self._catalogue.open(part)
            if content is None:
                continue
            start = after.offset if after.period == part.period else 0
            with closing(content):
                for block in self._blocks_after(part, content, start):
                    if not self._read_forwards(part, block):
                        return
                    self._newest = Cursor(part.period, block.end)
                    yield self._newest
                if start < content.size:
                    yield self._newest

    def _blocks_before(self, part: PeriodFile, content: SeekableText, end: int) -> Iterator[Block]:
        """The blocks that are to be looked through; lines that an index passes over count as looked at."""
        spans = self._spans(content)
        if not spans or spans[-1].stop < end:
            self._newest = max(self._newest, Cursor(part.period, end))
        for span in reversed(spans):
            yield from blocks_before(content, min(end, span.stop), span.start)

    def _blocks_after(self, part: PeriodFile, content: SeekableText, start: int) -> Iterator[Block]:
        """The same from there on; a plain file gets its index first, with a pause after each part."""
        if self._filter.indexed_trace_id is not None and isinstance(content, PlainFile):
            for _ in self._indexes.grow(content):
                yield Block(start, b"")
        spans = self._spans(content, start)
        for span in spans:
            yield from blocks_after(content, max(start, span.start), span.stop)
        if not spans or spans[-1].stop < content.size:
            self._newest = max(self._newest, Cursor(part.period, content.size))

    def _spans(self, content: SeekableText, start: int = 0) -> list[TextSpan]:
        """What of a file may have lines that are asked for behind this offset, in its order."""
        trace_id = self._filter.indexed_trace_id
        if trace_id is not None and isinstance(content, CompressedFile):
            return content.spans_with(trace_id)
        if trace_id is not None and isinstance(content, PlainFile):
            return self._indexes.spans_with(content, trace_id, start)
        return [TextSpan(0, content.size)]

    def _read_backwards(self, part: PeriodFile, block: Block) -> bool:
        """False where the page is full; the next one ends before the last line that was taken."""
        for start, stop in self._filter.spans(block, backwards=True):
            record = self._filter.record(block.text[start:stop])
            if record is None:
                continue
            if self._is_full(stop - start):
                self._next = Cursor(part.period, block.start + stop)
                return False
            self._take(record, stop - start)
            if len(self._lines) >= self.ask.limit:
                self._next = Cursor(part.period, block.start + start)
                return False
        return True

    def _read_forwards(self, part: PeriodFile, block: Block) -> bool:
        """False where the page is full; the next one begins behind the last line that was taken."""
        for start, stop in self._filter.spans(block, backwards=False):
            record = self._filter.record(block.text[start:stop])
            if record is None:
                continue
            if self._is_full(stop - start):
                self._stop_at(Cursor(part.period, block.start + start))
                return False
            self._take(record, stop - start)
            if len(self._lines) >= self.ask.limit:
                self._stop_at(Cursor(part.period, block.start + stop))
                return False
        return True

    def _stop_at(self, place: Cursor) -> None:
        self._next = self._newest = place

    def _is_full(self, size: int) -> bool:
        """Whether a line of so many bytes has no room; the first one has, whatever its size."""
        return size > self._room and bool(self._lines)

    def _take(self, record: Record, size: int) -> None:
        self._lines.append(record)
        self._room -= size

    def _parts(self) -> list[PeriodFile]:
        first = "" if self._after is None else self._after.period
        last = "9999" if self._before is None else self._before.period
        parts = self._catalogue.parts(self.ask.since, self.ask.until)
        return [part for part in parts if first <= part.period <= last]

    def _end_in(self, part: PeriodFile, content: SeekableText) -> int:
        before = self._before
        if before is None or before.period != part.period:
            return content.size
        return min(before.offset, content.size)
