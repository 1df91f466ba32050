"""The peers: how each one's data is made, its server started and its client opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

from scripts.benchmark.child import Child, environment, free_port
from scripts.benchmark.contacts import fill
from scripts.benchmark.load import LoadClient, check
from scripts.benchmark.load_gateway import GatewayHttpClient, WebSocketClient
from scripts.benchmark.load_http import HttpClient
from scripts.benchmark.load_zeromq import ZeromqClient
from scripts.benchmark.plan import (
    BEFORE,
    FASTAPI,
    FLOOR,
    HTTP,
    QUIET,
    TENANTRY,
    WEBSOCKET,
    Plan,
    preload,
)

HERE = Path(__file__).resolve().parents[2]
CHUNK = 10_000
"""Calls packed at a time while tenants are filled."""


class Running(Protocol):
    """The processes that serve one peer."""

    def wait_ready(self) -> None:
        """Return when all of them are."""
        ...

    def cpu_seconds(self) -> float:
        """Processor time that they have used so far."""
        ...

    def resident_bytes(self) -> int:
        """Bytes of memory that they hold."""
        ...

    def end(self) -> None:
        """End and reap them."""
        ...


class Started(NamedTuple):
    """A server on its way up."""

    child: Running
    port: int


class Pair:
    """A server and the gateway before it."""

    def __init__(self, server: Running, gateway: Running) -> None:
        self._both = server, gateway

    def wait_ready(self) -> None:
        """Return when both are."""
        for child in self._both:
            child.wait_ready()

    def cpu_seconds(self) -> float:
        """Processor time of both."""
        return sum(child.cpu_seconds() for child in self._both)

    def resident_bytes(self) -> int:
        """Bytes of memory that both hold."""
        return sum(child.resident_bytes() for child in self._both)

    def end(self) -> None:
        """End the gateway first."""
        for child in reversed(self._both):
            child.end()


class Peer(Protocol):
    """One of the servers compared."""

    name: str

    def prepare(self, folder: Path, tenants: Sequence[str], rows: int) -> None:
        """Make the folder with everything the server starts from; each round gets a copy."""
        ...

    def start(self, folder: Path) -> Started:
        """Start the server on a copy; it need not be ready yet."""
        ...

    def client(self, port: int) -> LoadClient:
        """Connect to the server once it is ready."""
        ...


class Floor:
    """The hand-written loop (baselines.py)."""

    name = FLOOR

    def prepare(self, folder: Path, tenants: Sequence[str], rows: int) -> None:
        """One file per tenant."""
        fill(folder, tenants, rows, trigger=False)
        self._tokens = dict.fromkeys(tenants, "unchecked")

    def start(self, folder: Path) -> Started:
        """Start the loop."""
        port = free_port()
        arguments = ["--data", str(folder), "--endpoint", address(port)]
        return Started(child_of("scripts.benchmark.baselines", arguments, folder), port)

    def client(self, port: int) -> LoadClient:
        """One DEALER."""
        return ZeromqClient(address(port), self._tokens)


class FastApi:
    """FastAPI with SQLAlchemy asyncio and aiosqlite (fastapi_peer.py)."""

    name = FASTAPI

    def __init__(self, pool_size: int) -> None:
        self._pool_size = pool_size

    def prepare(self, folder: Path, tenants: Sequence[str], rows: int) -> None:
        """One file per tenant, and the tokens."""
        fill(folder, tenants, rows, trigger=True)
        self._tokens = {tenant: f"token-of-{tenant}" for tenant in tenants}
        (folder / "tokens.json").write_text(json.dumps(self._tokens))

    def start(self, folder: Path) -> Started:
        """Start one uvicorn worker."""
        port = free_port()
        arguments = ["--data", str(folder), "--port", str(port)]
        arguments += ["--pool-size", str(self._pool_size)]
        return Started(child_of("scripts.benchmark.fastapi_peer", arguments, folder), port)

    def client(self, port: int) -> LoadClient:
        """As many connections as are in flight on the ZeroMQ side."""
        return HttpClient(port, self._tokens)


class Tenantry:
    """The server of a checkout, started as scripts/serve starts it, everything on."""

    def __init__(self, name: str, root: Path, flags: Mapping[str, str]) -> None:
        self.name = name
        self._root = root
        self._flags = flags

    def prepare(self, folder: Path, tenants: Sequence[str], rows: int) -> None:
        """Create tenants and tokens with the server's own code; fill them through its own socket."""
        folder.mkdir()
        # Room for every tenant to stay open, as the other peers keep all of theirs open.
        self._flags = {"resident": str(len(tenants)), **self._flags}
        self.tokens = seed(folder, tenants, self._root)
        started = self.start(folder)
        try:
            started.child.wait_ready()
            self._fill(self.client(started.port), tenants, rows)
        finally:
            started.child.end()

    def _fill(self, client: LoadClient, tenants: Sequence[str], rows: int) -> None:
        calls = preload(tenants, rows)
        while asked := list(islice(calls, CHUNK)):
            numbered = [
                call._replace(id=f"fill-{call.tenant}-{n:06x}") for n, call in enumerate(asked)
            ]
            result = client.drive([client.pack(call) for call in numbered], float("inf"))
            check(f"{self.name}, filling its tenants", numbered, result)
        client.close()

    def start(self, folder: Path) -> Started:
        """Start the server."""
        port = free_port()
        given = {
            "data": str(folder),
            "endpoint": address(port),
            "admin-endpoint": admin_address(port),
            **self._flags,
        }
        arguments = [argument(name, value) for name, value in given.items()]
        return Started(child_of("actors", arguments, folder, self._root), port)

    def client(self, port: int) -> LoadClient:
        """One DEALER."""
        return ZeromqClient(address(port), self.tokens)


class ThroughGateway:
    """Tenantry behind one gateway: its processor time is that of both processes."""

    def __init__(self, name: str, flags: Mapping[str, str]) -> None:
        self.name = name
        self._server = Tenantry(name, HERE, flags)

    def prepare(self, folder: Path, tenants: Sequence[str], rows: int) -> None:
        """As without a gateway."""
        self._server.prepare(folder, tenants, rows)

    def start(self, folder: Path) -> Started:
        """Start both; the gateway connects as soon as it can."""
        server = self._server.start(folder)
        port = free_port()
        arguments = [f"--server={address(server.port)}", f"--port={port}"]
        log = folder.with_suffix(".gateway.log")
        return Started(Pair(server.child, Child("transport.gateway", arguments, log, HERE)), port)

    def client(self, port: int) -> LoadClient:
        """One WebSocket, or as many connections as are in flight."""
        client = GatewayHttpClient if self.name == HTTP else WebSocketClient
        return client(port, self._server.tokens)


def argument(name: str, value: str) -> str:
    """A setting on the server's command line, which has what is on or off as a flag without a value."""
    switches = {"true": f"--{name}", "false": f"--no-{name}"}
    return switches.get(value, f"--{name}={value}")


def child_of(module: str, arguments: Sequence[str], folder: Path, root: Path = HERE) -> Child:
    """Start a server whose messages go into a file beside its data."""
    return Child(module, arguments, folder.with_suffix(".log"), root)


def address(port: int) -> str:
    """A ZeroMQ endpoint on loopback."""
    return f"tcp://127.0.0.1:{port}"


def admin_address(port: int) -> str:
    """A socket file beside no data: a folder within folders may have too long a path for one."""
    return f"ipc://{tempfile.gettempdir()}/tenantry-{port}.sock"


def seed(folder: Path, tenants: Sequence[str], root: Path) -> dict[str, str]:
    """Create the tenants in a data directory before the server starts; tenant to token."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmark.seeding", str(folder)],
        input=json.dumps(list(tenants)),
        capture_output=True,
        text=True,
        cwd=root,
        env=environment(root),
        check=False,
    )
    if done.returncode:
        raise ChildProcessError(f"tenants could not be created in {folder}:\n{done.stderr[-2000:]}")
    tokens: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return tokens


def copy(source: Path, target: Path) -> None:
    """Copy a prepared folder for one round, leaving out sockets of servers that have ended."""
    shutil.copytree(
        source, target, ignore=lambda at, names: [n for n in names if (Path(at) / n).is_socket()]
    )


def chosen(plan: Plan) -> list[Peer]:
    """The peers of a plan, in its order; the checkout compared with comes right after Tenantry."""
    made: dict[str, Peer] = {
        FLOOR: Floor(),
        TENANTRY: Tenantry(TENANTRY, HERE, plan.flags),
        QUIET: Tenantry(QUIET, HERE, {**plan.flags, "log-tenants": "false"}),
        HTTP: ThroughGateway(HTTP, plan.flags),
        WEBSOCKET: ThroughGateway(WEBSOCKET, plan.flags),
        FASTAPI: FastApi(plan.pool_size),
    }
    if plan.against:
        made[BEFORE] = Tenantry(BEFORE, plan.against.resolve(), {})
    return [made[name] for name in plan.peers]
