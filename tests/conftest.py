"""A real server for tests: real sockets on loopback, real files in a temporary directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from actors.connectors.actor import HABITS, Habits
from actors.log.events import Events, log_to_standard_error
from actors.settings import Settings
from actors.system import System
from transport.client import Client

MEMORY = Path("/dev/shm")

MEMORY_BYTES = 2 * 1024**3
"""Free bytes that it must have: three times what all tests together leave in it."""


def keep_in_memory() -> None:
    """Temporary files, unless TMPDIR says where: a server syncs every record, milliseconds on a disk each.

    What a test says of full, slow or failing disks it brings about itself.
    """
    is_free = "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK)
    if is_free and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)


keep_in_memory()

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def events() -> Events:
    """Log as the server does: pretty tracebacks of a hundred failures take seconds."""
    return log_to_standard_error()


NO_RATES = {"token_rate": 0.0, "tenant_rate": 0.0, "connection_rate": 0.0, "stranger_ms": 0.0}
"""A test sends as much as it likes."""


MADE: dict[str, bytes] = {}
"""Content of the databases that this session's servers have made in new data directories, by their paths
there: of templates, whose names hold a digest of the migrations, and of directory.db as it begins."""


def lay_out(data: Path, now: float) -> bool:
    """Whether this data directory is new; then put into it what was made before.

    Running the same migrations for every server takes long. A server verifies what it finds there as what
    it made itself at an earlier start.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(data.iterdir()):
        return False
    for name, content in MADE.items():
        file = data / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.touch(0o600)
        file.write_bytes(content)
        os.utime(file, (now, now))  # directory.db says how old the data is
    return True


def keep_made(data: Path) -> None:
    """What servers to come find in a new data directory; before the first change."""
    for file in (*(data / "templates").glob("*.db"), data / "directory.db"):
        name = str(file.relative_to(data))
        if name not in MADE:
            MADE[name] = file.read_bytes()


class Server:
    """A running system with the tenants acme and globex."""

    def __init__(
        self,
        data: Path,
        clock: Callable[[], float] = time.time,
        habits: Habits = HABITS,
        **settings: Any,
    ) -> None:
        given = {"endpoint": "tcp://127.0.0.1:*", "memory_bytes": 0, **NO_RATES, **settings}
        is_new = lay_out(data, clock())
        self.system = System(
            Settings(data=data, **given),
            clock,
            time.monotonic
            if clock is time.time
            else clock,  # one that a test sets goes on as it is set
            habits=habits,
        )
        if is_new:
            keep_made(data)
        self.system.start()
        self.tokens: dict[str, str] = {}
        for name in ("acme", "globex"):
            self.add_tenant(name)

    @property
    def endpoint(self) -> str:
        """Where clients connect."""
        return self.system.endpoint

    def add_tenant(self, name: str) -> str:
        """Make a tenant unless it is there; the token of a member."""
        if self.system.local.find_tenant(name) is None:
            self.system.local.create_tenant(name)
        self.tokens[name] = self.system.local.issue_token(name, "member", "test").text
        return self.tokens[name]

    def client(self, tenant: str = "acme", **options: Any) -> Client:
        """A client of that tenant's member; a context manager."""
        return Client(self.endpoint, tenant=tenant, token=self.tokens[tenant], **options)

    def stop(self) -> None:
        """Stop as SIGTERM does."""
        self.system.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module's tests."""
    running = Server(tmp_path_factory.mktemp("data"))
    yield running
    running.stop()
