"""A server as a child process: starts it, waits until it is ready, and always ends it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple, Protocol

import psutil

READY = 60.0
"""Seconds until a server must print `ready`."""
GRACE = 10.0
"""Seconds between the request to end and the kill."""

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})

UNBOUNDED = {
    f"TENANTRY_{name}": "0"
    for name in ("TOKEN_RATE", "TENANT_RATE", "CONNECTION_RATE", "STRANGER_MS")
}
"""Settings of every server: no limit on one sender."""

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent dies, however it dies: prctl(2)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class ChildFailed(Exception):
    """A server did not start; the message carries the end of its output."""


class Command(NamedTuple):
    """What a child is to run: `python -m MODULE …` in a directory, with all of its environment."""

    module: str
    arguments: Sequence[str]
    root: Path
    environment: Mapping[str, str]


class Process(Protocol):
    """A process that was started: what is used of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """The kernel's number of it."""
        ...

    @property
    def stdout(self) -> IO[str] | None:
        """Its standard output."""
        ...

    def poll(self) -> int | None:
        """The exit status, once it has ended."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; the exit status."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...


def launch(command: Command, errors: IO[str]) -> Process:
    """Start a process in a session of its own, whose standard error goes to this file."""
    return subprocess.Popen(
        [sys.executable, "-m", command.module, *command.arguments],
        cwd=command.root,
        env=command.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
        preexec_fn=end_with_parent,
    )


class Child:
    """One `python -m MODULE …`, in a session of its own so that Ctrl-C is ours to handle."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        log: Path,
        root: Path,
        more: Mapping[str, str] = NOTHING_MORE,
    ) -> None:
        """`more` goes into its environment."""
        self.module = module
        self.log = log
        self._ready: Future[str] = Future()
        self._output = log.open("w")
        command = Command(module, arguments, root, {**environment(root), **more})
        self._process = launch(command, self._output)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._seen = psutil.Process(self._process.pid)

    def _read(self) -> None:
        """Watch for the `ready` line, then read on, so that the server never waits for a full pipe."""
        assert self._process.stdout is not None
        lines: IO[str] = self._process.stdout
        for line in lines:
            if line.startswith("ready") and not self._ready.done():
                self._ready.set_result(line)
        if not self._ready.done():
            self._ready.set_result("")

    def wait_ready(self) -> None:
        """Return when the server has printed `ready`; ChildFailed if it ends or prints nothing in time."""
        with suppress(TimeoutError):
            if self._ready.result(READY):
                return
        self.end()
        output = self.log.read_text(errors="replace")[-2000:]
        raise ChildFailed(f"python -m {self.module} did not get ready; its output was:\n{output}")

    def cpu_seconds(self) -> float:
        """Processor time used so far, user and system, all threads."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        return int(self._seen.memory_info().rss)

    def end(self) -> None:
        """Ask it to end, kill it if it does not, and reap it."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(GRACE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._output.close()


def environment(root: Path) -> Mapping[str, str]:
    """Return the caller's environment without TENANTRY_ settings: only flags may change a peer.

    No limit applies to one sender, whose rate is measured. Limits are turned off here, because
    older checkouts have no flags for them.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TENANTRY_")}
    search = [str(root), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, **UNBOUNDED, "PYTHONPATH": os.pathsep.join(search)}


def free_port() -> int:
    """Return a free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
