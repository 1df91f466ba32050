"""One page of audit records, the newest first, read from the end of the files backwards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.log.chain import presentable, readable
from actors.log.head import offset_of
from actors.log.messages import ReadPage
from actors.log.volume import Volume, volumes

PAGE_BYTES = 128 * 1024
"""JSON in one page, at most, unless a single record is larger."""

SCAN_BYTES = 8 * 1024 * 1024
"""Read for one page, at most, whatever is found: some 150 ms. The caller goes on with `next`."""

Record = dict[str, Any]


class Page:
    """Takes records, each with a lower number than the one before, until it is full."""

    def __init__(self, ask: ReadPage) -> None:
        self._ask = ask
        self._records: list[Record] = []
        self._left = PAGE_BYTES
        self._unread = SCAN_BYTES
        self._before = math.inf if ask.before is None else ask.before

    def read(self, directory: Path) -> dict[str, Any]:
        """The page and where the next one begins; OSError where a file cannot be read."""
        for record, size in self._records_in(directory):
            if not self._has_room(size):
                return {"records": self._records, "next": self._before}
            self._take(record, size)
        return {"records": self._records, "next": None}

    def _records_in(self, directory: Path) -> Iterator[tuple[Record, int]]:
        """Every record before the page's beginning, with its bytes; what is none is passed over."""
        for path in reversed(volumes(directory)):
            with Volume(path) as volume:
                end = (
                    volume.size
                    if self._before == math.inf
                    else offset_of(volume, int(self._before))
                )
                for line in volume.backwards(end):
                    record = readable(line)
                    if record is not None and record["seq"] < self._before:
                        yield record, len(line)

    def _has_room(self, size: int) -> bool:
        """Whether one more record may be looked at; there is room for the first one, whatever its size."""
        if len(self._records) >= self._ask.limit or self._unread <= 0:
            return False
        return size <= self._left or not self._records

    def _take(self, record: Record, size: int) -> None:
        self._before = record["seq"]
        self._unread -= size
        if self._is_asked_for(record) and (shown := presentable(record)) is not None:
            self._records.append(shown)
            self._left -= size

    def _is_asked_for(self, record: Record) -> bool:
        wanted = (self._ask.tenant_id, self._ask.action, self._ask.person)
        found = (record["tenant_id"], record["action"], record["person"])
        return all(one in (None, other) for one, other in zip(wanted, found, strict=True))
