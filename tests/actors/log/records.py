"""Entries and whole logs for tests: real files, written by the real journal."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.log.append_file import month_files
from actors.log.audit.journal import AuditFiles
from actors.log.messages import ACTION, AuditEntry

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()
DECEMBER = NOVEMBER + 1.0


def entry(number: int = 0, **said: Any) -> AuditEntry:
    """What somebody did; each number another thing."""
    given: dict[str, Any] = {
        "action": ("members.add", "tokens.issue", "config.patch")[number % 3],
        "person": f"p_{number % 5:016x}",
        "token": f"t_{number % 5:016x}",
        "tenant": ("acme", "globex")[number % 2],
        "tenant_id": f"{number % 2:032x}",
        "params": {"number": number, "name": "Ada Łovelace"},
        "outcome": "ok",
        "request_id": f"r-{number}",
        "trace_id": f"{number:032x}",
        **said,
    }
    return AuditEntry(kind=ACTION, capacity="owner", **given)


def write(directory: Path, *times: float) -> list[bytes]:
    """A log with a record at each of these times, in seconds since the epoch; its lines."""
    with closing(AuditFiles(directory)) as journal:
        for number, at in enumerate(times):
            journal.append(entry(number), at)
    return lines_of(directory)


def lines_of(directory: Path) -> list[bytes]:
    """Every line of every volume, with its break."""
    return [line for path in month_files(directory) for line in path.read_bytes().splitlines(True)]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a disk that is full: no file gets longer than this, in bytes. Holds for root, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
