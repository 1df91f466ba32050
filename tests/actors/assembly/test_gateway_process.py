"""A server that serves HTTP, too: one command for a developer, and one end for both processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.child import Child
from tests.deadline import until


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A server that has started a gateway."""
    with Child("--http", "0", data=tmp_path / "data", memory_bytes=0) as running:
        running.ready()
        yield running


def gateway_of(child: Child) -> psutil.Process:
    """The gateway's process."""
    children = psutil.Process(child.process.pid).children()
    (found,) = [each for each in children if "transport.gateway" in each.cmdline()]
    return found


def address_of(child: Child) -> str:
    """Where it listens, as the server has printed before `ready`."""
    (line,) = [line for line in child.said if line.startswith("http ")]
    return line.removeprefix("http ")


def test_it_serves_with_the_server_and_stops_with_it(child: Child) -> None:
    ping = httpx2.post(f"{address_of(child)}/v1/system/ping", json={}, timeout=20)
    assert ping.json()["result"]["pong"] is True
    gateway = gateway_of(child)
    assert child.stop() == 0
    assert not gateway.is_running()


def test_it_ends_with_a_server_that_is_killed(child: Child) -> None:
    gateway = gateway_of(child)
    child.process.send_signal(signal.SIGKILL)
    until(lambda: not gateway.is_running(), "the gateway's end")


def test_a_port_that_is_taken_is_named(child: Child, tmp_path: Path) -> None:
    port = address_of(child).rpartition(":")[2]
    with Child("--http", port, data=tmp_path / "other", memory_bytes=0) as second:
        assert second.ended() == 78
        assert f"no HTTP at port {port}" in second.log()
