"""What functions print: lines of the log, without secrets, with the call that printed them.

Standard output is how the server speaks with the program that started it, so it is kept for that: what else
is written there, by a program that a function starts, say, goes to standard error.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from types import TracebackType
from typing import Self, TextIO

import structlog

from actors.log.events import SecretParams
from actors.watchdog.running import RecordedCall, RunningCalls

log = structlog.get_logger()

MOST_CHARACTERS = 8192
"""Of a line; the rest of a longer one is left out."""

NOTHING = RunningCalls()


class Printed(io.TextIOBase):
    """In the place of sys.stdout or sys.stderr; for any thread, and it never raises for what it is given."""

    def __init__(self, streams: Streams, level: str) -> None:
        super().__init__()
        self._streams = streams
        self._level = level
        self._mine = threading.local()

    def write(self, text: str) -> int:
        """Log each line that is whole; what is not waits for its end."""
        call = self._streams.running_calls.current()
        begun, before = getattr(self._mine, "begun", ("", None))
        if before is not call:
            self._tell(begun, before)
            begun = ""
        *lines, rest = (begun + text).split("\n")
        for line in lines:
            self._tell(line, call)
        if len(rest) > MOST_CHARACTERS:
            self._tell(rest, call)
            rest = ""
        self._mine.begun = (rest, call)
        return len(text)

    def flush(self) -> None:
        """Log what waits, too."""
        begun, call = getattr(self._mine, "begun", ("", None))
        self._mine.begun = ("", call)
        self._tell(begun, call)

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """Of standard error: for programs that are given this as theirs."""
        return 2

    def _tell(self, line: str, call: RecordedCall | None) -> None:
        """Never by a thread that is telling: what its log prints is lost."""
        if not line.strip() or getattr(self._mine, "is_telling", False):
            return
        self._mine.is_telling = True
        try:
            self._log(line[:MOST_CHARACTERS], call)
        finally:
            self._mine.is_telling = False

    def _log(self, line: str, call: RecordedCall | None) -> None:
        tell = log.warning if self._level == "warning" else log.info
        if call is None:
            tell("printed", text=line)
            return
        asked = SecretParams(call.work.request.params, call.route.params.source)
        tell("printed", text=line, **call.log_fields(), confidential=asked)


class Streams:
    """The process's own; while they are entered, what is printed is logged."""

    def __init__(self) -> None:
        self.running_calls = NOTHING
        """What threads are at."""
        self._before: tuple[TextIO, TextIO] | None = None
        self._protocol: TextIO | None = None

    @property
    def output(self) -> TextIO:
        """Standard output as the program that started the server reads it."""
        return self._protocol or sys.stdout

    @property
    def errors(self) -> TextIO:
        """Standard error as it was."""
        return self._before[1] if self._before else sys.stderr

    def __enter__(self) -> Self:
        self._before = sys.stdout, sys.stderr
        sys.stdout.flush()
        self._protocol = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        sys.stdout, sys.stderr = Printed(self, "info"), Printed(self, "warning")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._before is not None
        assert self._protocol is not None
        sys.stdout, sys.stderr = self._before
        os.dup2(self._protocol.fileno(), 1)
        self._protocol.close()
        self._before = self._protocol = None
        self.running_calls = NOTHING


def open_closed() -> None:
    """Give those of the first three descriptors a file that have none: the next one opened would be them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
