"""The heartbeat: a thread that counts while threads run, and a process that watches the count.

The watchdog reports a stall of all threads while it lasts (actors/watchdog/process.py); this thread logs it
once it is over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

import structlog

from actors.watchdog import process as watchdog
from actors.watchdog.running import RUNNING, RunningCalls

log = structlog.get_logger()

BEAT_SECONDS = 0.1

LOG_FILE = "watchdog.log"
"""Name of the watchdog's log in the data directory."""

END_SECONDS = 5.0


class Heartbeat:
    """Beats inside its `with`, and runs the watchdog."""

    def __init__(self, running_calls: RunningCalls, data: Path) -> None:
        self._running_calls = running_calls
        self._data = data
        self._end: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._running_calls.beat()
        try:
            self._thread.start()
            self._watchdog = self._watched()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            log.warning("watchdog not started: stalls will not be reported", error=str(error))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watchdog is not None:
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
            self._reap(self._watchdog)
        self._end.put(None)
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)

    def _reap(self, watchdog: subprocess.Popen[bytes]) -> None:
        try:
            watchdog.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            watchdog.kill()

    def _watched(self) -> subprocess.Popen[bytes]:
        """Start the watchdog in its own session, away from Ctrl-C; it ends when standard input is closed."""
        program = [sys.executable, "-I", "-S", watchdog.__file__]
        files = [self._data / RUNNING, self._data / LOG_FILE]
        return subprocess.Popen(  # noqa: S603 - our own program
            [*program, *map(os.fspath, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._is_over():
            now = time.monotonic()
            self._running_calls.beat()
            if now - last > watchdog.STALLED_AFTER + BEAT_SECONDS:
                self._tell(last, now)
            last = now

    def _is_over(self) -> bool:
        try:
            self._end.get(timeout=BEAT_SECONDS)
        except Empty:
            return False
        return True

    def _tell(self, since: float, now: float) -> None:
        log.error(
            "interpreter stall ended",
            seconds=round(now - since, 1),
            **self._running_calls.suspect(since),
        )
