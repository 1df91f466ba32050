"""The functions that run for tenants, in a mapped file, which outlives the process.

A call is stored in the turn that makes it, by plain stores. The file is read while nothing runs: by another
process (actors/watchdog/process.py), or by the next start after the end of this process.
"""

from __future__ import annotations

import mmap
import os
import time
from collections import deque
from pathlib import Path
from threading import get_ident
from typing import NamedTuple

from msgspec import Struct

from actors.messages import TenantRecord, TenantRequest
from actors.routing.health import Running
from actors.routing.route import Route
from actors.watchdog.process import (
    BEATS,
    BEATS_AT,
    CALL,
    CALL_BYTES,
    HEAD,
    MAGIC,
    CallRecord,
    calls_in,
)

RUNNING = "running"
"""Name of the file in the data directory."""

_pack = CALL.pack_into

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Different after each start of the machine; only on Linux."""

NO_SLOT = -1

LONG_SECONDS = 0.9
"""A call that takes less is not suspected of a stall."""

ENDED_PROCESS = "it ran at the last two ends of the server without a stop"
"""The reason why a request becomes a dead letter that was begun twice and never ended."""


class PreviousRun(NamedTuple):
    """How the previous process ended."""

    stopped: bool
    """It stopped in order, or there was none."""
    same_boot: bool
    """Whether the machine has not been restarted since; otherwise the last writes may not be on disk."""
    pid: int
    calls: tuple[CallRecord, ...]
    """The calls that ran then."""


NO_PREVIOUS_RUN = PreviousRun(stopped=True, same_boot=True, pid=0, calls=())


class RecordedCall(Struct, eq=False):
    """One call, recorded from the start to the end of its `with`, in the thread that makes it."""

    running_calls: RunningCalls
    """Where it is recorded."""
    running: Running
    """Its number, and when it began."""
    route: Route
    tenant: TenantRecord
    work: TenantRequest
    slot: int = NO_SLOT
    """Its slot in the file."""

    def log_fields(self) -> dict[str, str | int]:
        """Return the call's fields of log lines."""
        return {
            "tenant": self.tenant.name,
            "tenant_id": self.tenant.id,
            "action": self.route.name,
            "version": self.route.version,
            "trace_id": self.work.trace_id,
        }

    def __enter__(self) -> Running:
        self.begin()
        return self.running

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self) -> None:
        """Record that the call runs."""
        self.slot = self.running_calls.begin(self)

    def end(self) -> None:
        """Record that it has ended."""
        running, running_calls = self.running, self.running_calls
        running.detector.finish(running)
        running_calls.end(self.slot)
        if (now := time.monotonic()) - running.began > LONG_SECONDS:
            running_calls.last_long = (now, self)


class RunningCalls:
    """The running calls of a system. Without a file they are stored for this process alone."""

    def __init__(self, content: mmap.mmap | bytearray | None = None) -> None:
        self._content = bytearray(CALL_BYTES) if content is None else content
        self.deadly: dict[tuple[str, str, str], bool] = {}
        """By the ids of tenant, caller and request: requests that are not begun again, since processes ended
        with them. True if the tenant has not made a dead letter of it yet."""
        self._free = deque(range(CALL_BYTES, len(self._content), CALL_BYTES))
        self._by_thread: dict[int, RecordedCall] = {}
        self._beats = 0
        self.last_long: tuple[float, RecordedCall] | None = None
        """The last long call that ended, and its end as time.monotonic() in seconds."""

    # Calls, in the turn that makes them

    def begin(self, call: RecordedCall) -> int:
        """Store a call; return its slot in the file, or NO_SLOT if all are taken."""
        self._by_thread[get_ident()] = call
        try:
            at = self._free.pop()
        except IndexError:
            return NO_SLOT
        route, tenant, work = call.route, call.tenant, call.work
        began = call.running.began
        text = (
            f"{tenant.id}\0{tenant.name}\0{work.trace_id}\0"
            f"{work.principal.id}\0{work.request.id}\0{route.name}\0"
        )
        content = self._content
        _pack(content, at, False, began, route.version, text.encode())
        content[at] = 1
        return at

    def end(self, at: int) -> None:
        """Clear the slot of a call that has ended."""
        self._by_thread.pop(get_ident(), None)
        if at != NO_SLOT:
            self._content[at] = 0
            self._free.append(at)

    def current(self) -> RecordedCall | None:
        """Return the call that this thread runs; None if it runs no function of a tenant."""
        return self._by_thread.get(get_ident())

    def is_deadly(self, tenant_id: str, work: TenantRequest) -> bool:
        """Return whether the process ended each time that this request was begun."""
        return _key(tenant_id, work) in self.deadly

    def is_buried(self, tenant_id: str, work: TenantRequest) -> bool:
        """Return whether a deadly request is a dead letter already; from now on it counts as one."""
        key = _key(tenant_id, work)
        if key not in self.deadly:
            return False
        is_first, self.deadly[key] = self.deadly[key], False
        return not is_first

    # The process as a whole

    def beat(self) -> None:
        """Count a heartbeat: the interpreter runs. For one thread."""
        self._beats += 1
        BEATS.pack_into(self._content, BEATS_AT, self._beats)

    def running(self) -> tuple[CallRecord, ...]:
        """Return the running calls; from any thread."""
        return tuple(calls_in(bytes(self._content)))

    def oldest(self) -> CallRecord | None:
        """Return the running call that began first; None if none runs."""
        return min(calls_in(bytes(self._content)), default=None)

    def suspect(self, since: float) -> dict[str, str | int]:
        """Return the likely cause of a stall since then: a long call that has just ended, else the oldest."""
        if self.last_long is not None and self.last_long[0] > since:
            return self.last_long[1].log_fields()
        oldest = self.oldest()
        return {} if oldest is None else oldest.log_fields()

    def stopped(self) -> None:
        """Note that the system has stopped in order: calls that still run are not to blame."""
        content = self._content
        if isinstance(content, mmap.mmap):
            HEAD.pack_into(content, 0, MAGIC, self._beats, True, os.getpid(), _boot())
            content.flush()
            self._content = bytearray(content)  # for what does not return, and may yet end
            content.close()


def read_previous_run(path: Path) -> PreviousRun:
    """Read how the previous process ended; raises OSError if the file cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return NO_PREVIOUS_RUN
    if len(content) < CALL_BYTES or not content.startswith(MAGIC):
        return NO_PREVIOUS_RUN
    _, _, stopped, pid, boot = HEAD.unpack_from(content)
    same_boot = boot == _boot()
    return PreviousRun(stopped, same_boot, pid, tuple(calls_in(content)) if same_boot else ())


def create_file(path: Path, calls: int) -> mmap.mmap:
    """Replace the file by a new one with slots for so many calls. Raises OSError.

    All its space is allocated now: a write to a page without space on the disk would end the process.
    """
    fresh, size = path.with_name(f".{path.name}.new"), CALL_BYTES * (1 + calls)
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, size)
        os.pwrite(file, HEAD.pack(MAGIC, 0, False, os.getpid(), _boot()), 0)
        os.fsync(file)
        fresh.replace(path)
        return mmap.mmap(file, size)
    finally:
        os.close(file)


def _boot() -> bytes:
    try:
        return BOOT.read_bytes().strip()
    except OSError:
        return b""


def _key(tenant_id: str, work: TenantRequest) -> tuple[str, str, str]:
    return tenant_id, work.principal.id, work.request.id
