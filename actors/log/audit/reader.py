"""The AuditReader: reads the admin log for others. It writes nothing, and needs no AdminLog to be there.

A verification goes step by step: between two steps pages are read.

One page of audit records, the newest first, read from the end of the files backwards.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from actors.errors import AuditProblem, ResourceExhausted, Unavailable
from actors.log.append_file import LogFile, month_files, os_error_text
from actors.log.audit.chain import offset_of, presentable, readable
from actors.log.audit.verification import Steps, Verification
from actors.log.messages import ReadPage, Verify
from actors.runtime.actor import Actor
from actors.runtime.clock import Once
from actors.runtime.futures import resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox

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
        for path in reversed(month_files(directory)):
            with LogFile(path) as volume:
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
        if self._matches(record) and (shown := presentable(record)) is not None:
            self._records.append(shown)
            self._left -= size

    def _matches(self, record: Record) -> bool:
        wanted = (self._ask.tenant_id, self._ask.action, self._ask.person)
        found = (record["tenant_id"], record["action"], record["person"])
        return all(one in (None, other) for one, other in zip(wanted, found, strict=True))


MAX_VERIFICATIONS = 8
"""Verifications that may be under way or wait."""

RECHECK_SECONDS = 0.002
"""Until another look at a line that has no end yet: its writer may wait for a processor meanwhile."""

RETRY_MS = 5000
"""What a caller is told to wait where a verification has no place, in milliseconds."""


class NextStep(NamedTuple):
    """To itself: the next step of the verification under way."""


class RunningVerification(NamedTuple):
    """A verification, and who waits for it."""

    steps: Steps
    reply_to: Any


class AuditReader(Actor):
    """Best on a thread of its own: a verification reads all there is."""

    def __init__(self, mailbox: Mailbox, directory: Path, clock: Mailbox | None = None) -> None:
        """`clock` is a Clock; without one a record in the writing is looked at again at once."""
        super().__init__(mailbox)
        self._clock = clock
        self._directory = directory
        self._running: deque[RunningVerification] = deque()
        self._add_handlers(
            {
                ReadPage: self._read,
                NextStep: lambda _: self._next_step(),
            }
        )

    def on_stop(self) -> None:
        """Refuse the requests that wait for a verification: there will be none."""
        while self._running:
            problem = Unavailable("the server stops: verify again later", retry_after_ms=RETRY_MS)
            resolve_with_error(self._running.popleft().reply_to, problem)

    def on_failure(self, *_: Any) -> None:
        """As when it stops."""
        self.on_stop()

    def _answer(self, envelope: Any) -> None:
        if isinstance(envelope.message, Verify) and envelope.reply_to is not None:
            self._begin(envelope.message, envelope.reply_to)
        else:
            super()._answer(envelope)

    def _read(self, ask: ReadPage) -> dict[str, Any]:
        try:
            return Page(ask).read(self._directory)
        except OSError as error:
            raise self._unreadable(error) from error

    def _begin(self, ask: Verify, reply_to: Any) -> None:
        if len(self._running) >= MAX_VERIFICATIONS:
            problem = ResourceExhausted(
                f"{MAX_VERIFICATIONS} verifications are under way: wait for one of them",
                retry_after_ms=RETRY_MS,
            )
            resolve_with_error(reply_to, problem)
            return
        steps = Verification(self._directory, ask.head).steps()
        self._running.append(RunningVerification(steps, reply_to))
        if len(self._running) == 1:
            self.mailbox.tell(NextStep())

    def _next_step(self) -> None:
        """One step; the first request is served first."""
        if not self._running:
            return
        steps, reply_to = self._running[0]
        pause = 0.0
        try:
            pause = RECHECK_SECONDS if next(steps) else 0.0
        except StopIteration as end:
            resolve(reply_to, end.value.answer())
            self._running.popleft()
        except OSError as error:
            resolve_with_error(reply_to, self._unreadable(error))
            self._running.popleft()
        if self._running:
            self._schedule_next(pause)

    def _schedule_next(self, seconds: float) -> None:
        if seconds and self._clock is not None:
            self._clock.tell(Once(seconds, self.mailbox, NextStep()))
        else:
            self.mailbox.tell(NextStep())

    def _unreadable(self, error: OSError) -> AuditProblem:
        return AuditProblem(
            f"the audit log cannot be read: {os_error_text(error, self._directory)}"
        )
