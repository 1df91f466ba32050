"""A server as a child process, as `scripts/serve` starts it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fork_server import ForkedProcess, ForkServer, Request

ROOT = Path(__file__).parent.parent

WAIT = 30.0
"""Seconds after which a test gives up on a process."""


class Child:
    """`python -m actors` with these arguments and TENANTRY_ settings; a context manager that ends it."""

    def __init__(
        self,
        *arguments: object,
        program: Sequence[str] = ("-m", "actors"),
        most_files: tuple[int, int] | None = None,
        ignored: Sequence[signal.Signals] = (),
        forks: ForkServer | None = None,
        **settings: object,
    ) -> None:
        """`most_files` are its soft and hard limit of open files, `ignored` are signals.

        It is forked from a process with the engine imported: from `forks`, or from that of this run if it
        can be.
        """
        clean = {name: each for name, each in os.environ.items() if "TENANTRY_" not in name}
        given = {f"TENANTRY_{name.upper()}": str(each) for name, each in settings.items()}
        self._log = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed in __exit__
        environment = {"TENANTRY_ENDPOINT": "tcp://127.0.0.1:*", **clean, **given}
        words = [*program, *map(str, arguments)]
        words = words[1:] if words[0] == "-m" else words
        request = Request(words[0], words[1:], environment, most_files, ignored)
        self.process: subprocess.Popen[str] | ForkedProcess
        if forks is not None or request.can_be_forked:
            self.process = (forks or fork_server()).start(request, self._log.fileno())
        else:
            self.process = self._fresh([*program, *map(str, arguments)], environment)
        self.said: list[str] = []
        """Lines of standard output before `ready`."""

    def ready(self) -> str:
        """Wait until the server says so; the endpoint."""
        while (line := self._line()) and not line.startswith("ready "):
            self.said.append(line)
        assert line, f"it ended instead of being ready: {self.ended()} {self.log()}"
        return line.removeprefix("ready ")

    def is_ready(self) -> bool:
        """Wait until the server says so, or has ended; whether it is there."""
        while (line := self._line()) and not line.startswith("ready "):
            self.said.append(line)
        return bool(line)

    def ended(self) -> int:
        """Wait until the process has ended; its exit status."""
        return self.process.wait(WAIT)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        return self.ended()

    def log(self) -> str:
        """What it has written to standard error up to now."""
        self._log.seek(0)
        return self._log.read()

    def output(self) -> str:
        """The rest of standard output, of a process that ends by itself."""
        return self.process.communicate(timeout=WAIT)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()
        self._log.close()

    def _fresh(self, words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


@functools.cache
def fork_server() -> ForkServer:
    """The one of this run, which is started when it is first needed."""
    return ForkServer(ROOT)
