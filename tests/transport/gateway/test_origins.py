"""Pages of other origins: which may call a tenant is in the tenant's config, and a browser is told before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from tests.conftest import Server
from tests.transport.gateway.conftest import Gateway, Web
from tests.transport.gateway.test_web_socket import Socket, opened

DESK = "https://desk.example"
ANYWHERE = "http://localhost:3000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One where acme lists an origin, and globex none."""
    running = Server(tmp_path_factory.mktemp("data"))
    running.system.local.ask("config.patch", "acme", patch={"origins": [DESK]}, revision=0)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway(server: Server) -> Iterator[Gateway]:
    """One that admits an origin for all tenants, too."""
    with Gateway(server.endpoint, "--origins", ANYWHERE) as running:
        yield running


def preflight(web: Web, path: str, origin: str) -> httpx2.Response:
    """What a browser asks before a call."""
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    return web.http.options(path, headers=headers)


@pytest.mark.parametrize("origin", [DESK, ANYWHERE])
def test_a_page_that_is_listed_may_call(web: Web, origin: str) -> None:
    asked = preflight(web, "/v1/acme/contacts.add", origin)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin)
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert "POST" in asked.headers["access-control-allow-methods"]
    called = web.post("contacts.add", {"name": "Ada"}, origin=origin)
    assert (called.status_code, called.headers["access-control-allow-origin"]) == (200, origin)
    assert "idempotency-key" in called.headers["access-control-expose-headers"]
    assert called.headers["vary"] == "origin"


def test_a_page_that_is_listed_can_read_refusals(web: Web) -> None:
    refused = web.post("contacts.add", {"name": 5}, origin=DESK)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, DESK)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {"authorization": "Bearer of bad news"}),
        (400, {"idempotency_key": "x" * 65}),
        (400, {"authorization": "Bearer " + "x" * 5_000}),
    ],
)
def test_a_page_that_is_listed_can_read_what_is_refused_before_it_is_looked_at(
    web: Web, status: int, headers: dict[str, str]
) -> None:
    assert preflight(web, "/v1/acme/contacts.add", DESK).status_code == 204
    refused = web.post("contacts.add", {"name": "Ada"}, origin=DESK, **headers)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (status, DESK)
    other = web.post("contacts.add", {"name": "Ada"}, origin="https://other.example", **headers)
    assert "access-control-allow-origin" not in other.headers


def test_a_page_can_read_that_its_address_has_sent_too_much(server: Server) -> None:
    with Gateway(server.endpoint, "--address-rate", "1") as gateway:
        web = Web(gateway, server)
        assert preflight(web, "/v1/acme/contacts.find", DESK).status_code == 204
        sent = [
            gateway.http.post("/v1/acme/contacts.find", headers={"origin": DESK}) for _ in range(5)
        ]
        assert (sent[-1].status_code, sent[-1].headers["access-control-allow-origin"]) == (
            429,
            DESK,
        )


@pytest.mark.parametrize(
    ("tenant", "origin"),
    [
        ("acme", "https://elsewhere.example"),
        ("acme", "http://desk.example"),
        ("acme", "https://desk.example:444"),
        ("acme", "https://desk.example.evil.example"),
        ("acme", "null"),
        ("acme", ""),
        ("acme", "x" * 5_000),
        ("globex", DESK),
        ("nowhere", DESK),
    ],
)
def test_other_pages_may_not_and_nothing_is_done(web: Web, tenant: str, origin: str) -> None:
    """Also if a program forges the header: a page that may not call gets no answer it could read."""
    headers = web.headers("acme" if tenant == "nowhere" else tenant)
    before = web.http.post(f"/v1/{tenant}/contacts.find", json={}, headers=headers).json()
    asked = preflight(web, f"/v1/{tenant}/contacts.add", origin)
    called = web.http.post(
        f"/v1/{tenant}/contacts.add", json={"name": "A"}, headers=headers | {"origin": origin}
    )
    for response in (asked, called):
        assert (response.status_code, response.json()["error"]["code"]) == (
            403,
            "permission_denied",
        )
        assert "access-control-allow-origin" not in response.headers
    after = web.http.post(f"/v1/{tenant}/contacts.find", json={}, headers=headers).json()
    assert after.get("result") == before.get("result")


def test_what_needs_no_tenant_is_for_no_other_page(web: Web) -> None:
    assert preflight(web, "/v1/system/ping", DESK).status_code == 403
    assert preflight(web, "/v1/system/ping", ANYWHERE).status_code == 204


def test_a_page_opens_a_socket_for_the_tenant_that_lists_it(
    gateway: Gateway, server: Server
) -> None:
    """And calls no other tenant on it, whatever token it has."""
    with opened(gateway, "?tenant=acme", origin=DESK) as connection:
        socket = Socket(connection)
        assert socket.ask(action="system.authenticate", token=server.tokens["acme"])["ok"]
        assert socket.ask(tenant="acme", action="contacts.add", params={"name": "Ada"})["ok"]
        other = socket.ask(
            tenant="globex",
            action="contacts.add",
            params={"name": "A"},
            token=server.tokens["globex"],
        )
        assert other["error"]["code"] == "permission_denied"


@pytest.mark.parametrize("query", ["", "?tenant=globex", "?tenant=nowhere"])
def test_a_page_opens_no_socket_for_another(gateway: Gateway, query: str) -> None:
    with pytest.raises(InvalidStatus) as caught, opened(gateway, query, origin=DESK):
        pass
    body: Any = caught.value.response.body
    assert json.loads(body)["error"]["code"] == "permission_denied"
    assert caught.value.response.status_code == 403


def test_a_second_origin_header_is_refused(web: Web) -> None:
    headers = [*web.headers().items(), ("origin", DESK), ("origin", "https://evil.example")]
    assert web.http.post("/v1/acme/contacts.find", json={}, headers=headers).status_code == 400
