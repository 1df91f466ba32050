"""A process that has imported the engine and forks servers: each start takes a second less of a CPU.

What is forked is as a fresh process is: its own environment, arguments, streams and signals, no thread and no
descriptor of another. It ends as Python does, with all that is to run at its exit.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple, NoReturn

from actors.edge.builtin_actions import built_in
from actors.index.code import unload
from actors.index.parser import read_index, shipped_connectors
from actors.routing.table import RoutingTable, built_in_part
from actors.screening.screener import built_in_screener
from actors.tenant.database.constants import allowed_sql

FLOOD: Final = "scripts.endurance.trials.memory"

IMPORTED: Final = ("actors.__main__", "actors.server", "transport.gateway.__main__", FLOOD)
"""Before the first fork."""

PROGRAMS: Final = frozenset(
    {"-c", "actors", "transport.gateway", "scripts.endurance.fast_retries", "tests.killed", FLOOD}
)
"""Packages, modules and code that are little more than that."""

SERVED: Final[list[RoutingTable]] = []
"""What the index here makes, kept: a start with it or another finds what they share imported and read."""

WITHOUT_COLLECTOR: Final = f"""
import gc, os, runpy, sys
gc.disable()
sys.path[0] = os.getcwd()
runpy.run_module({__name__!r}, run_name="__main__", alter_sys=True)
"""
"""How the fork server is started: a quarter of the imports was a search for garbage."""

REQUEST_BYTES: Final = 128 * 1024
"""Of one request: arguments and environment."""


class Request(NamedTuple):
    """What is to be run, as by `python -m`; its working directory is that of the fork server."""

    program: str
    """A module; or `-c`, with code as the first argument."""
    arguments: Sequence[str]
    environment: Mapping[str, str]
    most_files: tuple[int, int] | None = None
    """Its soft and hard limit of open files; None for those of the fork server."""
    ignored: Sequence[int] = ()
    """Signals that are ignored from its start, as under nohup."""

    @property
    def can_be_forked(self) -> bool:
        """Whether its imports are those that were made, and no library is to be loaded before them."""
        return self.program in PROGRAMS and "LD_PRELOAD" not in self.environment


class ForkedProcess:
    """A process that a fork server has started, with what `subprocess.Popen` offers of it."""

    def __init__(self, reports: int, stdout: int) -> None:
        self._reports = os.fdopen(reports)
        self.pid = int(self._reports.readline())
        self.stdout = os.fdopen(stdout)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; the exit status. Raise TimeoutExpired."""
        if self.returncode is None:
            self._wait_for(self._reports, timeout)
            self.returncode = int(self._reports.readline())
            self._reports.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Read the rest of its standard output, and wait until it has ended. Raise TimeoutExpired."""
        rest = ""
        if not self.stdout.closed:
            self._wait_for(self.stdout, timeout)
            with self.stdout:
                rest = self.stdout.read()
        self.wait(timeout)
        return rest, None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _wait_for(self, stream: IO[str], timeout: float | None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(timeout):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)


class ForkServer:
    """The process, and how to ask it for another."""

    def __init__(self, folder: os.PathLike[str], **environment: str) -> None:
        """`environment` is added to that of this process: for what acts before Python starts."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", WITHOUT_COLLECTOR, str(theirs.fileno())],
                cwd=folder,
                env={**os.environ, **environment},
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.stop)

    def start(self, request: Request, errors: int) -> ForkedProcess:
        """Start a program; its standard error goes to this descriptor."""
        stdout, their_stdout = os.pipe()
        reports, their_reports = os.pipe()
        theirs = [their_stdout, errors, their_reports]
        socket.send_fds(self._socket, [json.dumps(request).encode()], theirs)
        os.close(their_stdout)
        os.close(their_reports)
        return ForkedProcess(reports, stdout)

    def stop(self) -> None:
        """End the process; those that it has started are not its business."""
        self._socket.close()
        self._process.wait()


class Fork(NamedTuple):
    """What a forked process is to become."""

    request: Request
    output: int
    errors: int
    """Descriptors of its standard output and standard error."""


class Forks:
    """Forks for each request, and reports how each process ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._woken, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes)
        self._reports: dict[int, int] = {}

    def serve(self) -> Fork | None:
        """Return in each forked process what it is to become; in this one None, once no request can come."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = [key.fd for key, _ in selector.select()]
                if self._woken in ready:
                    os.read(self._woken, 4096)
                    self._report_ended()
                if self._control.fileno() not in ready:
                    continue
                packet, streams, _, _ = socket.recv_fds(self._control, REQUEST_BYTES, 3)
                if not packet:
                    return None
                if not self._is_parent(*streams):
                    return Fork(Request(*json.loads(packet)), *streams[:2])

    def _is_parent(self, output: int, errors: int, reports: int) -> bool:
        """Fork. In the parent, report the process's id, and keep nothing else of it."""
        if (pid := os.fork()) == 0:
            return False
        os.write(reports, b"%d\n" % pid)
        self._reports[pid] = reports
        os.close(output)
        os.close(errors)
        return True

    def _report_ended(self) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with contextlib.suppress(BrokenPipeError), os.fdopen(self._reports.pop(pid), "w") as to:
                to.write(f"{os.waitstatus_to_exitcode(status)}\n")


def become(fork: Fork) -> None:
    """Give up what is the fork server's: signals and descriptors."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(fork.output, sys.stdout.fileno())
    os.dup2(fork.errors, sys.stderr.fileno())
    os.closerange(3, 256)


def run(request: Request) -> NoReturn:
    """Run a program as `python -m` does."""
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    if request.most_files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, request.most_files)
    for number in request.ignored:
        signal.signal(number, signal.SIG_IGN)
    gc.enable()
    if request.program == "-c":
        code, *arguments = request.arguments
        sys.argv[:] = ["-c", *arguments]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv[1:] = request.arguments
        runpy.run_module(request.program, run_name="__main__", alter_sys=True)
    sys.exit()


def prepare() -> None:
    """Do what each server does, in whatever directory and for whatever index."""
    for name in IMPORTED:
        importlib.import_module(name)
        del sys.modules[name]  # runpy makes it anew, and warns of one that is there
    built_in()
    built_in_part()
    built_in_screener()
    shipped_connectors()
    SERVED.append(table := RoutingTable.build(read_index(Path("registry.toml")), "local-dev"))
    allowed_sql(table.modules)
    for module in set(table.modules).difference(built_in_part().modules):
        unload(module)


def main(arguments: Sequence[str]) -> None:
    """Prepare, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    gc.freeze()
    with socket.socket(fileno=int(arguments[0])) as control:
        fork = Forks(control).serve()
    if fork is not None:
        become(fork)
        run(fork.request)


if __name__ == "__main__":
    main(sys.argv[1:])
