"""A process of its own that reports when the server's interpreter stalls, and in which function.

C code that holds the interpreter (a regular expression, say) stops every thread of the server, so no thread
can report it. This process reads the file in which the server stores its running functions
(actors/watchdog/running.py). It is started as `python -I -S`, so it imports nothing of this package.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

HEAD = struct.Struct("=8sQ?I36s")
"""The head of the file: MAGIC, heartbeats, whether the server has stopped in order, its process id, and the
id of the machine's boot."""

MAGIC = b"tenantry"

BEATS = struct.Struct("=Q")

BEATS_AT = len(MAGIC)

CALL = struct.Struct("=?dI480s")
"""A call: whether it runs, when it began, its version; and the rest of CallRecord, each ended by a NUL."""

CALL_BYTES = 512
"""Bytes from one call to the next; the first starts after as many."""

CHECK_SECONDS = 0.25

STALLED_AFTER = 1.0
"""Seconds without a heartbeat after which a stall is reported, and again after ten times as long."""

MAX_LOG_BYTES = 1024 * 1024
"""Bytes of the log after which it is started again."""

IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Ignored, so that the watchdog ends with the server and not before it."""


class CallRecord(NamedTuple):
    """A function that runs, or that ran when the process ended."""

    began: float
    """time.monotonic() in seconds."""
    version: int
    tenant_id: str
    tenant: str
    trace_id: str
    caller: str
    """Id of the token, or of the machine."""
    id: str
    """Id of the request."""
    action: str

    def log_fields(self) -> dict[str, str | int]:
        """Return the call's fields of log lines."""
        return {
            "tenant": self.tenant,
            "tenant_id": self.tenant_id,
            "action": self.action,
            "version": self.version,
            "trace_id": self.trace_id,
        }


def calls_in(content: bytes) -> Iterator[CallRecord]:
    """Yield the running calls of a copy of the file."""
    for at in range(CALL_BYTES, len(content) - CALL_BYTES + 1, CALL_BYTES):
        runs, began, version, rest = CALL.unpack_from(content, at)
        texts = rest.decode("ascii", "replace").split("\0")[: len(CallRecord._fields) - 2]
        if runs and len(texts) == len(CallRecord._fields) - 2:
            yield CallRecord(began, version, *texts)


def watch(content: mmap.mmap, file: Path) -> None:
    """Watch until the server ends: standard input is closed, or the parent is another process."""
    parent, since, seen, said = os.getppid(), time.monotonic(), -1, STALLED_AFTER
    while not select.select([0], [], [], CHECK_SECONDS)[0] and os.getppid() == parent:
        now, (beats,) = time.monotonic(), BEATS.unpack_from(content, BEATS_AT)
        if beats != seen:
            since, seen, said = now, beats, STALLED_AFTER
        elif now - since > said:
            said *= 10
            write_line(format_line(content[:], now - since), file)


def format_line(content: bytes, seconds: float) -> bytes:
    """Return the report as a line of the server's log. The call that began first is taken for the cause."""
    oldest = min(calls_in(content), default=None)
    event = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": "critical",
        "event": "interpreter stalled",
        "source": "watchdog",
        "seconds": round(seconds, 1),
        **(oldest.log_fields() if oldest else {"running": "no tenant's function"}),
    }
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def write_line(line: bytes, file: Path) -> None:
    """Write the line to the file, and to standard error if that accepts it at once."""
    with contextlib.suppress(OSError):
        begun_anew = file.exists() and file.stat().st_size > MAX_LOG_BYTES
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if begun_anew else os.O_APPEND)
        descriptor = os.open(file, flags, 0o600)
        os.write(descriptor, line)
        os.close(descriptor)
    with contextlib.suppress(OSError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, line)


def main(arguments: list[str]) -> None:
    """Watch the server's file, the first argument; write to the log, the second."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with Path(arguments[0]).open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with content:
        watch(content, Path(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
