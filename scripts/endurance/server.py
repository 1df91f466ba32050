"""The real server as a child process on real files, which may be killed and started again.

The admin channel of a server under trial, as the first developer admin has it.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from actors.assembly.provisioning import TOKEN_FILE, create_tenants
from scripts.benchmark.child import NOTHING_MORE, Child
from scripts.benchmark.peers import HERE
from scripts.benchmark.plan import Call
from scripts.endurance.connection import LoadConnection, NoReply, Reply, problem


class Usage(NamedTuple):
    """Resources of a process at one moment."""

    rss: int
    """Resident memory, in bytes."""
    descriptors: int
    threads: int


class Server(Child):
    """One process, from its start to its end; `end` is always called."""

    @property
    def endpoint(self) -> str:
        """Its address, with the port that was free; only after `wait_ready`."""
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


class Installation:
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
        self.tokens = create_tenants(self.data, tenants, registry, owners=owners)
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


FUNCTION = "marks.sign"
"""Has versions 1 and 2 in fixtures/faulty; trials move version 2."""


NO_OWNERS: Final[Mapping[str, str]] = MappingProxyType({})


class Console:
    """One connection; a new one for each server process."""

    def __init__(self, data: Path, owners: Mapping[str, str] = NO_OWNERS) -> None:
        """As a developer admin, and about these tenants as their owner, by the token."""
        token = (data / TOKEN_FILE).read_text().strip()
        self._connection = LoadConnection(
            f"ipc://{data / 'admin.sock'}", defaultdict(lambda: token, owners)
        )
        self._name = secrets.token_hex(4)
        self._numbers = count()

    def move(self, to: str) -> None:
        """Order version 2 to be moved; its answer comes by `receive`."""
        self._send(
            "functions.move", {"function": FUNCTION, "version": 2, "to": to, "why": "a trial"}
        )

    def begin(self, action: str, /, **params: object) -> None:
        """Order an action; its answer comes by `receive`."""
        self._send(action, params)

    def receive(self) -> Reply | None:
        """Return the result of the order, None if it has not come; NoReply if it was refused."""
        reply = self._connection.receive(0.0)
        return None if reply is None else result(reply)

    def moved(self, *states: str) -> None:
        """Move version 2 through these states, one after the other; NoReply."""
        for to in states:
            self.move(to)
            result(self._connection.reply())

    def ask(self, action: str, tenant: str = "", /, **params: object) -> Reply:
        """Return an action's result, about `tenant` if given; NoReply if it is refused."""
        self._send(action, params, tenant)
        return result(self._connection.reply())

    def connect(self, tenants: Iterable[str], connector: str, **settings: object) -> None:
        """Let these tenants use a connector, with these settings."""
        for tenant in tenants:
            self.ask("subscriptions.set", tenant, connector=connector)
            self.ask("connectors.configure", tenant, connector=connector, settings=settings)

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def _send(self, action: str, params: dict[str, Any], tenant: str = "") -> None:
        self._connection.send(
            Call(f"order-{self._name}-{next(self._numbers)}", tenant, action, params)
        )


def result(reply: Reply) -> Reply:
    """Return the result of an order; NoReply if it was refused, which no trial expects."""
    if wrong := problem(reply):
        raise NoReply(f"an order was refused: {wrong}")
    found: Reply = reply["result"]
    return found
