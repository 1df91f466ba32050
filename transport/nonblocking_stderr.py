"""Standard error for the log: text that cannot be written at once is lost, and nothing waits for it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import TextIO

CHUNK_BYTES = 4096
"""PIPE_BUF: bytes that a ready pipe accepts whole, without blocking the writer."""


class NonBlockingStderr:
    """A file for a logger, which writes in one thread at a time.

    A full disk, a closed pipe or a reader of standard error that sleeps never raises in the actor that logs,
    and never blocks it.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._is_torn = False
        """Whether the last line was written only in part."""

    def write(self, text: str) -> int:
        """Write as much as can be written at once; return the length of the text."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
            descriptor = self._descriptor()
            if descriptor is None:
                self._file.write(text)
            else:
                self._write(descriptor, text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Flush the buffer; what cannot be written now stays in it, as far as it has room."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def _descriptor(self) -> int | None:
        """Return None for a file without a descriptor."""
        try:
            return self._file.fileno()
        except OSError:
            return None

    def _write(self, descriptor: int, data: bytes) -> None:
        """Write until the reader falls behind; end a line that was cut off before the next one."""
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
