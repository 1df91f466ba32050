"""Standard error as the log writes it: what cannot be written is lost, and nothing else with it."""

from __future__ import annotations

import contextlib
import sys
from typing import TextIO


class StandardError:
    """For a logger. A full disk or a closed pipe behind standard error must not end the actor that logs."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand it on; what cannot be now waits in the buffer, as far as that has room."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()
