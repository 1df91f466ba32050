"""The real server as a child process on real files, which may be killed and started again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from actors.assembly.provisioning import seed
from scripts.benchmark.child import NOTHING_MORE, Child
from scripts.benchmark.peers import HERE


class Usage(NamedTuple):
    """What the process holds at one moment."""

    rss: int
    """Resident memory, in bytes."""
    descriptors: int
    threads: int


class Server(Child):
    """One process, from its start to its end; `end` is always called."""

    @property
    def endpoint(self) -> str:
        """Where it listens: the port that was free. For after `wait_ready`."""
        return self._ready.result(0).split()[1]

    @property
    def running(self) -> bool:
        """Whether the process is there still."""
        return self._process.poll() is None

    def kill(self) -> float:
        """SIGKILL, and wait until the process is gone; the time.perf_counter() of the signal."""
        at = time.perf_counter()
        self._process.kill()
        self._process.wait()
        return at

    def status(self, seconds: float) -> int | None:
        """Wait for the process to end by itself; minus the signal's number, or the exit status, or None."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def usage(self) -> Usage:
        """Now; psutil.NoSuchProcess once it has gone."""
        with self._seen.oneshot():
            rss, threads = self._seen.memory_info().rss, self._seen.num_threads()
        return Usage(rss, self._seen.num_fds(), threads)


class Site:
    """A data directory with tenants in it, and the servers that run on it one after another."""

    def __init__(
        self,
        folder: Path,
        tenants: Sequence[str],
        flags: Mapping[str, object],
        registry: Path | None = None,
        module: str = "actors",
        *,
        owners: bool = False,
    ) -> None:
        """`module` is what `python -m` starts; `tokens` are members', or with `owners` admin owners'."""
        self.data = folder / "data"
        self.tokens = seed(self.data, tenants, registry, owners=owners)
        self._folder = folder
        self._module = module
        self._flags = {**flags, **({"registry": registry} if registry else {})}
        self._started = 0

    def start(self, more: Mapping[str, str] = NOTHING_MORE, **flags: object) -> Server:
        """Start a server and wait until it is ready; ChildFailed with its last words.

        `more` goes into its environment.
        """
        self._started += 1
        given = {"data": self.data, "endpoint": "tcp://127.0.0.1:*", **self._flags, **flags}
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        log = self._folder / f"server-{self._started}.log"
        server = Server(self._module, arguments, log, HERE, more)
        server.wait_ready()
        return server
