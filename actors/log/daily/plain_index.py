"""Indexes of trace ids of files that are still written, in memory: a month of audit records is one.

Made by the first search for a trace id, a part of a file at a time; later searches read the parts that have
theirs, and what came since. The end of a file has no index: a write that failed is taken back there.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.log.daily.content import PlainFile, TextSpan
from actors.log.daily.trace_index import index_frame, may_have

PART_BYTES: Final = 1024 * 1024
"""Of text, at most, in the part that has an index of its own."""

END_BYTES: Final = 16 * 1024 * 1024
"""Of text at a file's end without an index: more than one write has."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of all indexes: some sixteen million lines. The file that was searched the longest ago loses its own."""

HEAD_BYTES: Final = 256
"""By which a file is known, beside its number: another one may get that."""


class Part(NamedTuple):
    """Whole lines of a file, and their index."""

    span: TextSpan
    frame: bytes


class Key(NamedTuple):
    """A file, whatever its name is."""

    device: int
    number: int
    head: bytes


class PlainIndexes:
    """Those of all files. For one actor: nothing in it is shared."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._parts: OrderedDict[Key, list[Part]] = OrderedDict()
        """By the file, the one that was searched last at the end."""

    def grow(self, content: PlainFile) -> Iterator[None]:
        """Index what has no index yet, a part in each step; the last END_BYTES are left. OSError."""
        key, parts = self._found(content)
        size = sum(len(part.frame) for part in parts)
        while size < self._most and _end_of(parts) + PART_BYTES + END_BYTES <= content.size:
            start = _end_of(parts)
            text = content.after(start, PART_BYTES)
            stop = start + text.rfind(b"\n") + 1
            if stop == start:  # a line longer than any of a log
                return
            parts.append(Part(TextSpan(start, stop), index_frame(text[: stop - start])))
            size += len(parts[-1].frame)
            self._keep(key, parts)
            yield

    def spans_with(self, content: PlainFile, trace_id: bytes, start: int = 0) -> list[TextSpan]:
        """Return what can have a trace id: parts behind an offset, and what has no index."""
        _, parts = self._found(content)
        found = [span for span, frame in parts if span.stop > start and may_have(frame, trace_id)]
        return [*found, TextSpan(_end_of(parts), content.size)]

    def _found(self, content: PlainFile) -> tuple[Key, list[Part]]:
        found = os.fstat(content.fd)
        key = Key(found.st_dev, found.st_ino, content.after(0, HEAD_BYTES))
        parts = self._parts.get(key, [])
        if not parts:
            return key, []
        self._parts.move_to_end(key)
        return key, parts if _end_of(parts) <= content.size else []

    def _keep(self, key: Key, parts: list[Part]) -> None:
        self._parts[key] = parts
        self._parts.move_to_end(key)
        sizes = [sum(len(part.frame) for part in each) for each in self._parts.values()]
        while len(sizes) > 1 and sum(sizes) > self._most:
            self._parts.popitem(last=False)
            sizes.pop(0)


def _end_of(parts: list[Part]) -> int:
    return parts[-1].span.stop if parts else 0
