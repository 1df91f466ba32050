"""Standard error as the log writes it: what cannot be written at once is lost, and nothing else with it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import TextIO

CHUNK_BYTES = 4096
"""PIPE_BUF: what a pipe that is ready takes whole, without making its writer wait."""


class NonBlockingStderr:
    """For a logger, which writes in one thread at a time.

    Neither a full disk, nor a closed pipe, nor a reader that sleeps behind standard error may end or hold up
    the actor that logs.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._is_torn = False
        """Whether the last line was cut off."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
            descriptor = self._descriptor()
            if descriptor is None:
                self._file.write(text)
            else:
                self._write(descriptor, text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Hand it on; what cannot be now waits in the buffer, as far as that has room."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def _descriptor(self) -> int | None:
        """None for a file that is none of the system's."""
        try:
            return self._file.fileno()
        except OSError:
            return None

    def _write(self, descriptor: int, data: bytes) -> None:
        """Up to where its reader does not keep up; a line that was cut off is ended before the next."""
        data = b"\n" + data if self._is_torn else data
        self._is_torn = True
        while data:
            if not _is_ready(descriptor):
                return
            data = data[os.write(descriptor, data[:CHUNK_BYTES]) :]
        self._is_torn = False


def _is_ready(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
