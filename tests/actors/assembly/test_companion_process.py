"""A server with a gateway and a dashboard: one command for a developer, and one end for all processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.child import Child
from tests.deadline import until

PAGE = "http://localhost:3000"


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A server that has started both."""
    ports = ("--http", "0", "--dashboard", "0")
    pages = ("--http-origins", f"{PAGE},http://localhost:5173")
    with Child(*ports, *pages, data=tmp_path / "data", memory_bytes=0) as running:
        running.ready()
        yield running


def companions_of(child: Child) -> list[psutil.Process]:
    """The processes of both."""
    children = psutil.Process(child.process.pid).children()
    modules = "transport.gateway", "scripts.web"
    found = [each for each in children if any(module in each.cmdline() for module in modules)]
    assert len(found) == len(modules)
    return found


def address_of(child: Child, what: str = "http") -> str:
    """Where it listens, as the server has printed before `ready`."""
    (line,) = [line for line in child.said if line.startswith(f"{what} ")]
    return line.removeprefix(f"{what} ")


def test_it_serves_with_the_server_and_stops_with_it(child: Child) -> None:
    ping = httpx2.post(f"{address_of(child)}/v1/system/ping", json={}, timeout=20)
    assert ping.json()["result"]["pong"] is True
    headers = {"origin": PAGE, "access-control-request-method": "POST"}
    asked = httpx2.options(f"{address_of(child)}/v1/acme/contacts.add", headers=headers, timeout=20)
    assert asked.headers["access-control-allow-origin"] == PAGE
    page = httpx2.get(f"{address_of(child, 'dashboard')}/login", timeout=20)
    assert "admin.sock" in page.text
    companions = companions_of(child)
    assert child.stop() == 0
    assert not any(each.is_running() for each in companions)


def test_it_ends_with_a_server_that_is_killed(child: Child) -> None:
    companions = companions_of(child)
    child.process.send_signal(signal.SIGKILL)
    until(lambda: not any(each.is_running() for each in companions), "the end of both")


def test_a_port_that_is_taken_is_named(child: Child, tmp_path: Path) -> None:
    port = address_of(child).rpartition(":")[2]
    with Child("--http", port, data=tmp_path / "other", memory_bytes=0) as second:
        assert second.ended() == 78
        assert f"no HTTP at port {port}" in second.log()


def test_what_is_no_origin_is_named(tmp_path: Path) -> None:
    pages = ("--http-origins", "http://localhost:3000/")
    with Child("--http", "0", *pages, data=tmp_path / "data", memory_bytes=0) as child:
        assert child.ended() == 78
        assert "without a path" in child.log()
