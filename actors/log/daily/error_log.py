"""The ErrorLog: the one actor that writes what went wrong, wherever that was.

What it is told may come from anywhere, so it is redacted and bound again. Its own troubles go to standard
error alone: it must never be told of them.

Events that come again and again: some are told as they are, the others counted and told as one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from actors.log.daily.budget import Shares
from actors.log.daily.day_file import PLAIN
from actors.log.daily.rotation import (
    DayFiles,
    LogSettings,
    RotationSchedule,
    WriteFailed,
    day_of,
    open_day,
)
from actors.log.error_record import LossCounter, encode_record
from actors.log.events import ASIDE
from actors.log.messages import ErrorEvent, RotateDue
from actors.log.redaction import normalise_names
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

MAX_REPEATS = 100
"""Events alike in one period that are told as they are."""

PERIOD_SECONDS = 10.0
"""Seconds from the first of them."""

MAX_GROUPS = 1000
"""Kinds of events that are watched at a time; of others each one is told."""

GROUP_MEMBERS = ("level", "source", "event", "tenant", "action")
"""What events that are alike have in common, in addition to the type of their exception."""


class Deduplicator:
    """For one actor. Times are seconds since the epoch; a clock that goes back ends a period."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Any, ...], _Group] = {}

    def admit(self, record: Mapping[str, Any], now: float) -> bool:
        """Whether to tell it as it is; otherwise it is counted."""
        key = _key(record)
        kind = self._groups.get(key)
        if kind is None:
            if len(self._groups) < MAX_GROUPS:
                self._groups[key] = _Group(now)
            return True
        kind.count += 1
        kind.last = record
        return kind.count <= MAX_REPEATS

    def expired(self, now: float) -> Iterator[dict[str, Any]]:
        """A record for each kind whose period is over and that had more than was told; ends those periods."""
        for key, kind in list(self._groups.items()):
            if not kind.since <= now < kind.since + PERIOD_SECONDS:
                del self._groups[key]
                yield from kind.suppressed()

    def all(self) -> Iterator[dict[str, Any]]:
        """The same for every kind, whether its period is over or not."""
        kinds, self._groups = self._groups, {}
        for kind in kinds.values():
            yield from kind.suppressed()


class _Group:
    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 1
        self.last: Mapping[str, Any] = {}

    def suppressed(self) -> Iterator[dict[str, Any]]:
        """The last one, for all that were not told."""
        if (more := self.count - MAX_REPEATS) > 0:
            yield {
                **self.last,
                "event": f"{self.last['event']} … and {more} more like it",
                "more": more,
            }


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    exception = record.get("exception")
    kind = exception.get("type") if isinstance(exception, Mapping) else None
    return (*(str(record.get(name)) for name in GROUP_MEMBERS), str(kind))


log = structlog.get_logger()

MAX_KEPT = 1000
"""Lines that wait for a disk that cannot be written; further ones are counted."""


class ErrorLog(Actor):
    """Owns its files from its first line on; needs a thread of its own, since compressing takes a while."""

    def __init__(self, mailbox: Mailbox, directory: Path, settings: LogSettings) -> None:
        super().__init__(mailbox)
        self._directory = directory
        self._settings = settings
        self._files = DayFiles(directory, settings.zone, settings.keep_days)
        self._schedule = RotationSchedule(settings.zone)
        self._hide = normalise_names(settings.hide)
        self._deduplicator = Deduplicator()
        self._shares = Shares(settings.most)
        self._kept: list[tuple[float, bytes]] = []
        """Lines that are not written yet."""
        self._loss = LossCounter()
        self._add_handlers(
            {
                RotateDue: lambda _: self._on_rotate_due(),
                ErrorEvent: lambda event: self._take_events([event]),
            }
        )

    def on_start(self) -> None:
        """What was due meanwhile is done soon; what tenants have had of today counts."""
        today = self._day(self._settings.now())
        with suppress(OSError), open_day(self._directory / f"{today}{PLAIN}") as lines:
            self._shares.recall(today, lines)
        self.mailbox.tell(RotateDue())

    def on_stop(self) -> None:
        """Write what is kept, if that is possible by now, and close."""
        with bound_contextvars(**{ASIDE: True}):
            self._write(self._deduplicator.all())
            self._write_summaries()
            if lost := len(self._kept) + self._loss.count:
                log.error("errors could not be logged", lost=lost)
            self._files.close()

    def on_failure(self, *_: Any) -> None:
        """As when it stops."""
        self.on_stop()

    def handle(self, mail: deque[Any]) -> None:
        """Write runs of troubles, each run at once; other mail between them."""
        with bound_contextvars(**{ASIDE: True}):
            self.handle_runs(mail, ErrorEvent, self._take_events)

    def _take_events(self, events: list[ErrorEvent]) -> None:
        self._take([each.record for each in events])

    def _on_rotate_due(self) -> None:
        self._take([])
        self._write_summaries()
        self._rotate()

    def _take(self, records: Iterable[Mapping[str, Any]]) -> None:
        now = self._settings.now()
        over = list(self._deduplicator.expired(now))
        self._write([*over, *(each for each in records if self._deduplicator.admit(each, now))])

    def _write(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._put(list(self._in_full(records)))

    def _in_full(self, records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[float, bytes]]:
        """Lines of those whose tenant has had less than its bytes; the others are counted."""
        today = self._day(self._settings.now())
        for record in records:
            if self._shares.has_room(record, today):
                line = self._line(record)
                self._shares.add(record, len(line[1]) + 1)
                yield line

    def _write_summaries(self) -> None:
        """Write how much was left out."""
        self._put([self._line(each) for each in self._shares.drain(self._settings.now())])

    def _put(self, new: list[tuple[float, bytes]]) -> None:
        """What is kept, these lines, and at last how much was lost, with one write."""
        lines = [*self._kept, *new]
        if not (lines or self._loss.count):
            return
        try:
            self._files.append([*lines, *self._lost()])
        except WriteFailed as error:
            if not self._kept:
                log.error("errors cannot be logged now; they are kept", error=str(error))
            self._keep(lines[error.written :])
        else:
            self._kept = []
            self._loss = LossCounter()

    def _line(self, record: Mapping[str, Any]) -> tuple[float, bytes]:
        try:
            return encode_record(record, self._settings.zone, self._hide)
        except Exception as problem:  # noqa: BLE001 - one odd record must not take the others with it
            told = {
                "at": self._settings.now(),
                "level": "error",
                "event": "a record was odd and is lost",
            }
            return encode_record(
                {**told, "problem": repr(problem)}, self._settings.zone, self._hide
            )

    def _lost(self) -> list[tuple[float, bytes]]:
        if not self._loss.count:
            return []
        return [self._line(self._loss.record(self._settings.now(), source="error log"))]

    def _keep(self, lines: list[tuple[float, bytes]]) -> None:
        """As many as have room, the oldest."""
        self._kept = lines[:MAX_KEPT]
        for at, _ in lines[MAX_KEPT:]:
            self._loss.add(at)

    def _rotate(self) -> None:
        now = self._settings.now()
        if not self._schedule.begin(now):
            return
        try:
            self._files.rotate(now, self._settings.oldest_by())
        except OSError as error:
            self._schedule.retry_later(now)
            log.error("old logs of errors could not be put in order", error=str(error))

    def _day(self, at: float) -> str:
        return day_of(at, self._settings.zone)
