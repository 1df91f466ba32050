"""A real server for tests: real sockets on loopback, real files in a temporary directory."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from actors.assembly.system import NO_CONNECTORS, System
from actors.connectors.actor import DEFAULT_POLICY, ConnectorPolicy
from actors.intent.signals import IntentRules
from actors.log.events import Events, log_to_standard_error
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.mailbox import Mailbox
from actors.settings import Settings
from tests.browser import Browser, Chromium
from tests.made import made_before
from tests.suite.compiled import compile_all
from transport.client import Client

MEMORY = Path("/dev/shm")

MEMORY_BYTES = 2 * 1024**3
"""Free bytes that it must have: three times what all tests together leave in it."""


def keep_in_memory() -> None:
    """Temporary files, unless TMPDIR is set: a server syncs every record, milliseconds on a disk each.

    What a test says of full, slow or failing disks it brings about itself.
    """
    is_free = "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK)
    if is_free and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)


keep_in_memory()

settings.register_profile(
    "any machine", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("night", settings.get_profile("any machine"), max_examples=1000)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to keep pictures of pages."""
    words = "folder for pictures of every page; without it a temporary one"
    parser.addoption("--screens", type=Path, metavar="DIR", help=words)


def pytest_configure(config: pytest.Config) -> None:
    """Compile once what all workers import."""
    if not hasattr(config, "workerinput"):
        compile_all(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest, by its own time limit: at the end, all would wait for it."""
    limits = {item: item.get_closest_marker("timeout") for item in items}
    items.sort(key=lambda item: -(each.args[0] if (each := limits[item]) else 0))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the tests as pytest rewrites them: to do that again takes half of what starts a worker.

    No test is garbage: the collector does not look through ten thousand of them, now or while they run.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def events() -> Events:
    """Log as the server does: pretty tracebacks of a hundred failures take seconds."""
    return log_to_standard_error()


NO_RATES = {"token_rate": 0.0, "tenant_rate": 0.0, "connection_rate": 0.0, "stranger_ms": 0.0}
"""A test sends as much as it likes."""


class Server:
    """A running system with the tenants acme and globex."""

    def __init__(
        self,
        data: Path,
        clock: Callable[[], float] = time.time,
        connector_policy: ConnectorPolicy = DEFAULT_POLICY,
        connectors: Mapping[str, Mailbox] = NO_CONNECTORS,
        *,
        watches_intent: bool = False,
        **settings: Any,
    ) -> None:
        """Without `watches_intent` no signal counts: a test tries what only an attacker would."""
        given = {"endpoint": "tcp://127.0.0.1:*", "memory_bytes": 0, **NO_RATES, **settings}
        steady = (
            time.monotonic if clock is time.time else clock
        )  # a test's own goes on as it is set
        with made_before(data, "directory.db", now=clock()):
            self.system = System(
                Settings(data=data, **given),
                clock,
                steady,
                connector_policy=connector_policy,
                connectors=connectors,
            )
        if not watches_intent:
            ignore_intent(self.system.snapshot)
        self.system.start()
        self.tokens: dict[str, str] = {}
        for name in ("acme", "globex"):
            self.add_tenant(name)

    @property
    def endpoint(self) -> str:
        """The address to which clients connect."""
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


def ignore_intent(snapshot: RoutingSnapshot) -> None:
    """Serve the table without any signal of bad intent."""
    described = snapshot.current.described._replace(intent=IntentRules(()))
    snapshot.current = snapshot.current._replace(described=described)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module's tests."""
    running = Server(tmp_path_factory.mktemp("data"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One for all tests with pages."""
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """One page for a module's tests."""
    with Browser(chromium) as opened:
        yield opened


@pytest.fixture(scope="session")
def screens(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pictures of pages."""
    folder: Path = pytestconfig.getoption("--screens") or tmp_path_factory.mktemp("screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
