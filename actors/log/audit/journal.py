"""The admin log on disk: appends records that are synced before any reply relies on them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from actors.errors import AuditProblem
from actors.host.clocks import rfc3339
from actors.host.disk import sync
from actors.host.program import as_typed
from actors.log.append_file import (
    AppendFile,
    display_path,
    month_file_name,
    month_files,
    os_error_text,
    quarantine,
)
from actors.log.audit.chain import (
    GENESIS,
    ChainError,
    Link,
    append_hash,
    find_head,
    head_path,
    missing_records,
    readable,
    verify_next,
    write_head,
)
from actors.log.messages import REPAIR, AuditEntry

log = structlog.get_logger()

MACHINE = "machine"
"""The capacity in which the log itself acts."""


class AuditFiles:
    """The only writer of the volumes in one directory. Not opened yet, it opens with the first record."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self._directory = directory
        self._clock = clock
        self._tail: AppendFile | None = None
        """The newest volume; None where there is none, or it is not opened."""
        self._is_open = False
        self._head = GENESIS
        self._repair_entry: AuditEntry | None = None
        """What has been mended and is not recorded yet."""

    def head(self) -> Link:
        """The newest record; AuditProblem where the log cannot be opened."""
        self.open()
        return self._head

    def open(self) -> None:
        """Find the head; take out what a crash has left of a record. AuditProblem where that cannot be."""
        try:
            if not self._is_open:
                self._open()
            if self._repair_entry is not None:
                self._append(self._repair_entry, self._clock())
                self._repair_entry = None
        except OSError as error:
            raise self._problem(error) from error

    def append(self, entry: AuditEntry, at: float | None = None) -> Link:
        """Record this; it is on disk then. AuditProblem where it is not, and then nothing of it is.

        `at` is when it was, in seconds since the epoch: now, unless it could not be recorded at once.
        """
        self.open()
        try:
            return self._append(entry, self._clock() if at is None else at)
        except OSError as error:
            raise self._problem(error) from error

    def close(self) -> None:
        """Let go of the files; the next record opens them again."""
        self._is_open = False
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    def _open(self) -> None:
        self._make_directory()
        found = month_files(self._directory)
        self._tail = AppendFile(found[-1]) if found else None
        try:
            if self._tail is not None:
                self._repair_end(self._tail)
                self._tail.rewrite_end()
            self._require_noted()
            self._head, problem = find_head(found)
            if self._head != GENESIS and not head_path(self._directory).exists():
                self._note()  # older code wrote none
        except BaseException:
            self.close()
            raise
        self._is_open = True
        if problem is not None:
            log.error(
                "the audit log does not hold at its end, and goes on from there",
                problem=problem,
                record=self._head.seq,
                advice=as_typed(
                    "find out who wrote to the files; scripts/audit verify names the first broken record"
                ),
            )

    def _require_noted(self) -> None:
        missing = missing_records(self._directory)
        if missing is not None:
            raise AuditProblem(
                f"{missing}: put back what was there, or start the server again with --accept-audit, which "
                "goes on from what is there and records that"
            )

    def _make_directory(self) -> None:
        with suppress(FileExistsError):
            self._directory.mkdir(mode=0o700, parents=True)
        sync(self._directory.parent)  # also of one that is there: its name may be in memory alone

    def _repair_end(self, tail: AppendFile) -> None:
        """Put aside what is no record at the end: a crash leaves a line without a break, or one of zeros."""
        cut = 0
        while (line := tail.last_line()) and _is_torn(line, cut):
            tail.check()
            quarantine(line, tail.path)
            tail.cut(tail.size - len(line))
            cut += len(line)
        if cut:
            message = (
                f"{display_path(tail.path)}: {cut} bytes after the last whole record were cut off in the "
                f"writing; they are in {tail.path.with_suffix('.torn').name}"
            )
            log.warning("audit log mended", problem=message)
            self._repair_entry = AuditEntry(
                REPAIR, "audit.repair", MACHINE, outcome="ok", message=message
            )

    def _append(self, entry: AuditEntry, at: float) -> Link:
        tail = self._tail_at(at)
        line, link = append_hash(entry, rfc3339(at), self._head)
        tail.append(line)
        self._head = link
        self._note()
        return link

    def _note(self) -> None:
        """The record is on disk already, whatever becomes of this."""
        try:
            write_head(self._directory, self._head)
        except OSError as error:
            log.error(
                "the head of the audit log was not noted",
                error=os_error_text(error, head_path(self._directory)),
            )

    def _tail_at(self, at: float) -> AppendFile:
        """The volume for this time, checked: the newest one, or a new one where a later month has begun."""
        if self._tail is not None:
            self._check(self._tail)
            if month_file_name(at) <= self._tail.path.name:
                return self._tail
        fresh = AppendFile.create(self._directory / month_file_name(at))
        if self._tail is not None:
            self._tail.close()
        self._tail = fresh
        return fresh

    def _check(self, tail: AppendFile) -> None:
        """AuditProblem where the volume is not as it was left; a faithful copy in its place is taken on."""
        try:
            tail.check()
        except AuditProblem:
            if not self._is_copied(tail):
                raise
            copy = AppendFile(tail.path)
            tail.close()
            self._tail = copy
            copy.check()
            copy.rewrite_end()

    def _is_copied(self, tail: AppendFile) -> bool:
        """Whether another file with the same end stands in the volume's place."""
        if tail.is_in_place() or not tail.path.is_file() or tail.path.stat().st_size != tail.size:
            return False
        return tail.size == 0 or _is_record(tail.last_line(), self._head)

    def _problem(self, error: OSError) -> AuditProblem:
        place = self._directory if self._tail is None else self._tail.path
        return AuditProblem(f"the audit log cannot be written: {os_error_text(error, place)}")


def _is_record(line: bytes, link: Link) -> bool:
    """Whether this line is the record that has this link, sound in itself."""
    record = readable(line)
    if record is None:
        return False
    try:
        return verify_next(line, Link(link.seq - 1, record["prev"])) == link
    except ChainError:
        return False


def _is_torn(line: bytes, cut: int) -> bool:
    """Whether this is the rest of a write, `cut` bytes of which have been taken out: one line at most."""
    if not line.endswith(b"\n"):
        return True
    return not cut and not _is_json(line)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
