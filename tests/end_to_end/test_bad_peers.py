"""Peers that misbehave: silent, deaf, gone, or of another protocol; other clients notice nothing."""

from __future__ import annotations

import contextlib
import socket as sockets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import RawClient, packed
from transport.client import Client

INDEX = Path(__file__).parents[1] / "faulty" / "registry.toml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all this."""
    running = Server(tmp_path_factory.mktemp("data"), registry=INDEX)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def bystander(server: Server) -> Iterator[Client]:
    """A client of another tenant that is connected all the time."""
    with server.client("globex", retries=0) as one:
        yield one


@pytest.fixture(autouse=True)
def _others_see_nothing(server: Server, bystander: Client) -> Iterator[None]:
    """After each test connected clients are served, and so are new ones."""
    yield
    assert bystander.call("marks.add", {"text": "as if nothing had happened"}, timeout=10)["id"] > 0
    with RawClient(server.endpoint) as newcomer:
        assert newcomer.ask(action="system.ping")["ok"]


def connected(server: Server) -> sockets.socket:
    """A plain TCP connection."""
    address = urlsplit(server.endpoint)
    return sockets.create_connection((address.hostname, address.port), timeout=10)


def test_peers_that_connect_and_say_nothing_hold_no_other_up(server: Server) -> None:
    """Fifty of them, while others come and are served."""
    silent = [connected(server) for _ in range(50)]
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(action="system.ping")["ok"]
    for one in silent:
        one.close()


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)


READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


@pytest.mark.parametrize(
    "said",
    [GREETING[:20], GREETING + b"\x04\xff" * 100, GREETING + READY + b"\x02" + b"\xff" * 8],
    ids=["half a greeting", "no commands", "a frame of exabytes"],
)
def test_broken_zeromq_is_cut_off(server: Server, said: bytes) -> None:
    """The server closes the connection, at the latest when the time for a handshake is over."""
    with connected(server) as one:
        one.sendall(said)
        with contextlib.suppress(ConnectionResetError):
            while one.recv(4096):
                pass


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", bytes(1_000)],
    ids=["HTTP", "TLS", "zeros"],
)
def test_other_protocols_cost_nobody_anything(server: Server, said: bytes) -> None:
    """ZeroMQ takes them for its first version, which had no greeting, and waits; the server does not."""
    with connected(server) as one:
        one.sendall(said)
        with RawClient(server.endpoint) as raw_client:
            assert raw_client.ask(action="system.ping")["ok"]
        with contextlib.suppress(ConnectionResetError):
            while one.recv(4096):
                pass


def test_who_leaves_before_the_reply_is_counted(server: Server) -> None:
    """No actor waits for them, and their requests are served."""
    gone = server.system.router.socket.counters.unroutable

    def leave() -> bool:
        with RawClient(server.endpoint) as raw_client:
            raw_client.ask(action="system.ping")
            raw_client.socket.linger = 1000
            for number in range(50):
                fields = {"tenant": "acme", "token": server.tokens["acme"], "action": "marks.add"}
                raw_client.post(**fields, id=f"left-{number}", params={"text": "left"})
        return server.system.router.socket.counters.unroutable > gone

    until(leave, "a reply to a peer that has left")


def test_who_sends_and_never_reads_gets_no_more_work_done_and_costs_nobody_else_anything(
    server: Server, bystander: Client
) -> None:
    """What is sent to one peer, and not read, is bounded in bytes."""
    socket = server.system.router.socket
    body = packed({"id": "deaf", "action": "system.describe", "token": server.tokens["acme"]})
    with RawClient(server.endpoint, ROUTING_ID=b"deaf", RCVHWM=1, RCVBUF=4096, SNDHWM=0) as deaf:

        def more() -> bool:
            for _ in range(250):
                deaf.send(body)
            assert bystander.call("marks.count")["count"] >= 0
            return socket.is_full(b"deaf")

        until(more, "a peer that is refused")
