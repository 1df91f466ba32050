"""Peers over HTTP that take what others need: each has its bound, and others are served meanwhile."""

from __future__ import annotations

import contextlib
import json
import socket as sockets
from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import Server
from tests.deadline import until
from tests.transport.gateway.conftest import Gateway, Web
from tests.transport.gateway.test_web_socket import Socket, opened
from transport.gateway.admission import AddressAdmission
from transport.gateway.envelope import ErrorHead, ReplyHead
from transport.gateway.guarded_http import HEAD_BYTES, MOST_HEADERS
from transport.gateway.proxies import UNKNOWN, TrustedProxies, networks_of
from transport.message import UNAUTHENTICATED


@pytest.fixture(scope="module")
def gateway(server: Server) -> Iterator[Gateway]:
    """One with a small rate for strangers."""
    arguments = ("--address-rate", "1", "--connections-of-address", "20")
    with Gateway(server.endpoint, *arguments, "--trusted-proxies", "127.0.0.1") as running:
        yield running


def answer(gateway: Gateway, said: bytes) -> bytes:
    """All that is answered until the gateway closes."""
    with connected(gateway) as peer:
        return conversation(peer, said)


def connected(gateway: Gateway) -> sockets.socket:
    """A plain TCP connection."""
    return sockets.create_connection(("127.0.0.1", gateway.port), timeout=20)


def conversation(peer: sockets.socket, said: bytes) -> bytes:
    """All that is answered on a connection until the gateway closes it."""
    found = b""
    with contextlib.suppress(ConnectionError):
        peer.sendall(said)
        while piece := peer.recv(4096):
            found += piece
    return found


@pytest.mark.parametrize(
    "said",
    [
        b"GET /healthz HTTP/1.1\r\nhost: x\r\na: " + b"x" * (HEAD_BYTES + 1),
        b"GET /" + b"x" * (HEAD_BYTES + 1),
        b"GET /healthz HTTP/1.1\r\nhost: x\r\na: " + b"x" * (HEAD_BYTES + 1) + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_HEADERS + 1) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 100_000,
    ],
    ids=["a value", "a path", "a whole head", "a few too many", "a bomb"],
)
def test_heads_past_their_bounds_are_431(gateway: Gateway, said: bytes) -> None:
    found = answer(gateway, said)
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431")
    assert json.loads(body)["error"]["code"] == "invalid_argument"


def test_what_is_no_http_is_answered_in_the_form_of_every_error(gateway: Gateway) -> None:
    head, _, body = answer(gateway, b"nonsense\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["ok"] is False


def test_a_head_that_does_not_come_is_given_up(gateway: Gateway) -> None:
    """So is a connection that says nothing."""
    with connected(gateway) as silent, connected(gateway) as slow:
        assert conversation(slow, b"GET /healthz HTTP/1.1\r\nhost").startswith(b"HTTP/1.1 408")
        assert conversation(silent, b"") == b""


def test_one_address_has_so_many_connections(gateway: Gateway) -> None:
    silent = [connected(gateway) for _ in range(25)]
    try:
        assert b"503" in silent[-1].recv(4096)
    finally:
        for each in silent:
            each.close()
    ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    until(lambda: b" 200 " in answer(gateway, ask), "room, once their connections are gone")


def test_an_address_without_a_token_is_slowed_down_and_others_are_not(
    web: Web, gateway: Gateway
) -> None:
    """Nor is a caller with a valid token, from wherever it comes."""
    first = web.headers() | {"x-forwarded-for": "203.0.113.9"}
    assert web.http.post("/v1/acme/contacts.find", json={}, headers=first).status_code == 200
    flood = {"x-forwarded-for": "203.0.113.7"}
    answers = (web.http.post("/v1/system/ping", json={}, headers=flood) for _ in range(40))
    assert next(answers).status_code == 200
    refused = next(each for each in answers if each.status_code != 200)
    assert refused.status_code == 429
    assert refused.json()["error"]["retry_after_ms"] > 0
    assert int(refused.headers["retry-after"]) >= 1
    other = {"x-forwarded-for": "203.0.113.8"}
    assert web.http.post("/v1/system/ping", json={}, headers=other).status_code == 200
    known = web.http.post("/v1/acme/contacts.find", json={}, headers=web.headers() | flood)
    assert known.status_code == 200
    with opened(gateway, additional_headers=flood) as connection:
        socket = Socket(connection)
        replies = (socket.ask(action="system.ping") for _ in range(40))
        slowed = next(reply for reply in replies if not reply["ok"])
        assert slowed["error"]["code"] == "resource_exhausted"


def test_figures_are_for_the_operator_alone(web: Web, gateway: Gateway) -> None:
    member = web.headers() | {"x-forwarded-for": "203.0.113.10"}
    assert web.http.post("/v1/acme/contacts.find", json={}, headers=member).status_code == 200
    with httpx2.Client(base_url=gateway.address, timeout=20) as direct:
        text = direct.get("/metrics").text
        assert "tenantry_gateway_connected 1.0" in text
        assert 'tenantry_gateway_responses_total{status="200"}' in text
        outside = direct.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"})
        assert outside.status_code == 404


def test_a_token_that_is_refused_is_known_no_more() -> None:
    admission = AddressAdmission(1.0, TrustedProxies(()))
    served = ReplyHead("a", True)
    refused = ReplyHead("a", False, ErrorHead(UNAUTHENTICATED))
    for _ in range(50):
        admission.learn("a", "wrong", refused)
    admission.learn("a", "t", served)
    assert admission.refusal("a", "t") is None
    admission.learn("a", "t", refused)
    assert admission.refusal("a", "t") is not None


def test_tokens_that_are_shown_for_the_first_time_all_at_once_are_served() -> None:
    """As after a restart: what counts is what the server refuses."""
    admission = AddressAdmission(1.0, TrustedProxies(()))
    assert all(admission.refusal("a", f"t-{number}") is None for number in range(500))
    for number in range(50):
        admission.learn("a", f"t-{number}", ReplyHead("a", False, ErrorHead(UNAUTHENTICATED)))
    assert admission.refusal("a", "t-60") is not None
    assert admission.refusal("b", "t-60") is None


def test_addresses_of_one_ipv6_network_share_a_rate() -> None:
    admission = AddressAdmission(1.0, TrustedProxies(()))
    refusals = [admission.refusal(f"2001:db8::{number:x}", None) for number in range(50)]
    assert refusals[-1] is not None
    assert admission.refusal("2001:db8:1::1", None) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["<script>"], UNKNOWN),
        ("10.0.0.1", ["2001:DB8::1"], "2001:db8::1"),
    ],
)
def test_only_a_trusted_proxy_names_the_client(
    peer: str, forwarded: list[str], client: str
) -> None:
    """What stands before the last address that it saw is the client's own invention."""
    assert TrustedProxies(networks_of(["10.0.0.0/8"])).client(peer, forwarded) == client
