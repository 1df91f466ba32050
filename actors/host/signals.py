"""Signals: what the operator asks of the server. The main thread takes them one at a time.

None is blocked, since a process that a function starts would inherit that, and could not be ended.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import structlog

log = structlog.get_logger()

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""The first one ends the server in order, a second one at once, as if nothing here were listening."""

HANDLED = (*STOP_SIGNALS, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""All that mean something here."""

STACKS_FILE = "stacks.txt"
"""In the data directory: where every thread was when SIGUSR1 came."""


MAX_STACKS_BYTES = 1024 * 1024
"""Bytes of that file from which on a start begins it anew."""


class Signals:
    """While it is entered, signals wait here; iterate to take them. For the main thread."""

    def __init__(self) -> None:
        self._ours, self._pythons = socket.socketpair()
        self._pythons.setblocking(False)
        self.stacks: Path | None = None
        """Where SIGUSR1 has stacks written to; None where to nowhere."""
        self._stacks = -1
        self._before: dict[int, Any] = {}
        """Handlers as they were, by signal; empty while signals are not taken."""

    def __enter__(self) -> Self:
        for number in HANDLED:
            # Under nohup a hang-up is ignored, and stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._pythons.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self._reset_in_child)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(-1)
        self._stop_writing_stacks()
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)
        self._ours.close()
        self._pythons.close()

    def __iter__(self) -> Iterator[signal.Signals]:
        """Those that came, in their order; waits for each."""
        while True:
            yield signal.Signals(self._ours.recv(1)[0])

    def end(self) -> None:
        """As if SIGTERM had come, but for the second one that may. For any thread."""
        self._pythons.send(bytes([signal.SIGTERM]))

    def write_stacks_to(self, data: Path) -> None:
        """From now on SIGUSR1 has every thread's stack written to a file, also while none can run."""
        self.stacks = data / STACKS_FILE
        try:
            self._stacks = _opened(self.stacks)
        except OSError as error:
            log.warning("SIGUSR1 will write no stacks", error=str(error))
        else:
            faulthandler.register(signal.SIGUSR1, self._stacks, all_threads=True, chain=True)

    def _stop_writing_stacks(self) -> None:
        if self._stacks >= 0:
            faulthandler.unregister(signal.SIGUSR1)
            os.close(self._stacks)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        """Python has told the socket by now."""
        if number in STOP_SIGNALS:
            for each in STOP_SIGNALS:
                signal.signal(each, signal.SIG_DFL)

    def _reset_in_child(self) -> None:
        """A forked child ends by what it is sent, and does not tell its parent of it."""
        if not self._before:
            return
        signal.set_wakeup_fd(-1)
        if self._stacks >= 0:
            faulthandler.unregister(signal.SIGUSR1)
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)


def _opened(path: Path) -> int:
    """To be added to; what was written before a restart is still of use."""
    file = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    if os.fstat(file).st_size > MAX_STACKS_BYTES:
        os.ftruncate(file, 0)
    return file
