"""What every function of a tenant is at, in a mapped file: it is there when the process is not any more.

Calls are written in the turn that makes them, with plain stores: the next start reads the file when nothing
runs, in another process (actors/watchdog/process.py) or after the end of this one.
"""

from __future__ import annotations

import mmap
import os
import time
from collections import deque
from pathlib import Path
from threading import get_ident
from typing import NamedTuple

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
"""The file, in the data directory."""

_pack = CALL.pack_into

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Other after each start of the machine; not there on systems that are no Linux."""

NO_SLOT = -1

LONG_SECONDS = 0.9
"""A call that takes less is not suspected of having held the interpreter."""

ENDED_PROCESS = "it ran at the last two ends of the server without a stop"
"""Why a request is set aside that was begun twice, and never ended."""


class PreviousRun(NamedTuple):
    """How the process before this one ended."""

    stopped: bool
    """In order; or there was none."""
    same_boot: bool
    """Whether the machine has been up since; otherwise what was written last may not be on disk."""
    pid: int
    calls: tuple[CallRecord, ...]
    """What ran then."""


NO_PREVIOUS_RUN = PreviousRun(stopped=True, same_boot=True, pid=0, calls=())


class RecordedCall:
    """One call; `with` it says when that begins and ends, in the thread that makes it."""

    __slots__ = ("_at", "_running", "_running_calls", "began", "route", "tenant", "work")

    def __init__(
        self,
        running_calls: RunningCalls,
        running: Running,
        route: Route,
        tenant: TenantRecord,
        work: TenantRequest,
    ) -> None:
        self._running_calls = running_calls
        self._running = running
        self._at = NO_SLOT
        self.began = running.began
        """time.monotonic() in seconds."""
        self.route = route
        self.tenant = tenant
        self.work = work

    def log_fields(self) -> dict[str, str | int]:
        """As log lines name it."""
        return {
            "tenant": self.tenant.name,
            "tenant_id": self.tenant.id,
            "action": self.route.name,
            "version": self.route.version,
            "trace_id": self.work.trace_id,
        }

    def __enter__(self) -> Running:
        self._at = self._running_calls.begin(self)
        return self._running

    def __exit__(self, *_: object) -> None:
        running, running_calls = self._running, self._running_calls
        running.detector.finish(running)
        running_calls.end(self._at)
        if (now := time.monotonic()) - self.began > LONG_SECONDS:
            running_calls.last_long = (now, self)


class RunningCalls:
    """One for a system; without a file it remembers for this process alone."""

    def __init__(self, content: mmap.mmap | bytearray | None = None) -> None:
        self._content = bytearray(CALL_BYTES) if content is None else content
        self.deadly: dict[tuple[str, str, str], bool] = {}
        """By the ids of tenant, caller and request: what is not begun any more, since processes ended with
        it. True where its tenant has not set it aside yet."""
        self._free = deque(range(CALL_BYTES, len(self._content), CALL_BYTES))
        self._by_thread: dict[int, RecordedCall] = {}
        self._beats = 0
        self.last_long: tuple[float, RecordedCall] | None = None
        """The call that ended last of those that took long, and when, as time.monotonic() in seconds."""

    # Calls, in the turn that makes them

    def begin(self, call: RecordedCall) -> int:
        """Its place in the file; NO_ROOM where more run than there was to be."""
        self._by_thread[get_ident()] = call
        try:
            at = self._free.pop()
        except IndexError:
            return NO_SLOT
        route, tenant, work = call.route, call.tenant, call.work
        text = (
            f"{tenant.id}\0{tenant.name}\0{work.trace_id}\0"
            f"{work.principal.id}\0{work.request.id}\0{route.name}\0"
        )
        content = self._content
        _pack(content, at, False, call.began, route.version, text.encode())
        content[at] = 1
        return at

    def end(self, at: int) -> None:
        """It has ended, one way or the other."""
        self._by_thread.pop(get_ident(), None)
        if at != NO_SLOT:
            self._content[at] = 0
            self._free.append(at)

    def current(self) -> RecordedCall | None:
        """What this thread is at; None where that is no tenant's function."""
        return self._by_thread.get(get_ident())

    def is_deadly(self, tenant_id: str, work: TenantRequest) -> bool:
        """Whether the process ended each time that this request was begun."""
        return _key(tenant_id, work) in self.deadly

    def is_buried(self, tenant_id: str, work: TenantRequest) -> bool:
        """Whether one that is deadly has been set aside; from now on it counts as that."""
        key = _key(tenant_id, work)
        if key not in self.deadly:
            return False
        is_first, self.deadly[key] = self.deadly[key], False
        return not is_first

    # The process as a whole

    def beat(self) -> None:
        """The interpreter runs. For one thread."""
        self._beats += 1
        BEATS.pack_into(self._content, BEATS_AT, self._beats)

    def oldest(self) -> CallRecord | None:
        """What began first of all that runs."""
        return min(calls_in(bytes(self._content)), default=None)

    def suspect(self, since: float) -> dict[str, str | int]:
        """Who has held the interpreter since then: the long call that has just ended, or else the oldest."""
        if self.last_long is not None and self.last_long[0] > since:
            return self.last_long[1].log_fields()
        oldest = self.oldest()
        return {} if oldest is None else oldest.log_fields()

    def stopped(self) -> None:
        """The system has stopped in order: whatever still runs ends with the process, and is not to blame."""
        content = self._content
        if isinstance(content, mmap.mmap):
            HEAD.pack_into(content, 0, MAGIC, self._beats, True, os.getpid(), _boot())
            content.flush()
            self._content = bytearray(content)  # for what does not return, and may yet end
            content.close()


def read_previous_run(path: Path) -> PreviousRun:
    """What the file tells of the process before; OSError where it cannot be read."""
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
    """A new file with room for so many calls in the place of the old one; OSError.

    All its room is taken now: a page that the disk had no room for would end the process when it is written.
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
