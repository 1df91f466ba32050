"""Signals to the server from its operator. The main thread takes them one at a time.

None is blocked: a process that a function starts would inherit that, and could not be ended.
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
"""The first one stops the server in order. A second one ends it at once, by its default action."""

HANDLED = (*STOP_SIGNALS, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""All signals that the server handles."""

STACKS_FILE = "stacks.txt"
"""Name of the file in the data directory with every thread's stack at the time of SIGUSR1."""


MAX_STACKS_BYTES = 1024 * 1024
"""Size in bytes above which a start empties that file."""


class Signals:
    """A context in which signals wait to be taken by iteration. For the main thread."""

    def __init__(self) -> None:
        self._ours, self._pythons = socket.socketpair()
        self._pythons.setblocking(False)
        self.stacks: Path | None = None
        """The file that SIGUSR1 writes stacks to; None for no file."""
        self._stacks = -1
        self._before: dict[int, Any] = {}
        """The previous handlers, by signal; empty outside the context."""

    def __enter__(self) -> Self:
        for number in HANDLED:
            # Under nohup SIGHUP is ignored, and stays ignored.
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
        """Yield the signals in the order in which they come; wait for each."""
        while True:
            yield signal.Signals(self._ours.recv(1)[0])

    def end(self) -> None:
        """Stop as on SIGTERM; it does not count as the first of two. For any thread."""
        self._pythons.send(bytes([signal.SIGTERM]))

    def write_stacks_to(self, data: Path) -> None:
        """Have SIGUSR1 write every thread's stack to a file from now on, even while no thread can run."""
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
        """Let a second signal end the process; Python has written the first to the socket already."""
        if number in STOP_SIGNALS:
            for each in STOP_SIGNALS:
                signal.signal(each, signal.SIG_DFL)

    def _reset_in_child(self) -> None:
        """Restore default actions in a forked child, and keep its signals out of the parent's socket."""
        if not self._before:
            return
        signal.set_wakeup_fd(-1)
        if self._stacks >= 0:
            faulthandler.unregister(signal.SIGUSR1)
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)


def _opened(path: Path) -> int:
    """Open a file to append: stacks from before a restart are still of use."""
    file = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    if os.fstat(file).st_size > MAX_STACKS_BYTES:
        os.ftruncate(file, 0)
    return file
