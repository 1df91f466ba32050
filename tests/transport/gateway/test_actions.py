"""Calls over HTTP: the message API's ids, errors and promises, in HTTP's words."""

from __future__ import annotations

import json
import socket as sockets
import threading
from typing import Any

import msgpack
import pytest

from tests.conftest import Server
from tests.raw_client import RawClient
from tests.transport.gateway.conftest import Gateway, Web
from transport.gateway.statuses import STATUSES
from transport.message import CODES

CONTACT = {"name": "Ada Lovelace"}


def test_a_call_is_answered_with_the_reply_of_the_message_api(web: Web) -> None:
    response = web.post("contacts.add", CONTACT, idempotency_key="r-1")
    reply = response.json()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert (reply["v"], reply["id"], reply["ok"]) == (1, "r-1", True)
    assert reply["result"]["id"] > 0
    assert reply["meta"]["state"] == "release"


def test_ping_needs_neither_tenant_nor_token_nor_params(gateway: Gateway) -> None:
    """The first thing that a person tries with curl."""
    response = gateway.http.post(
        "/v1/system/ping", content=b"", headers={"content-type": "application/json"}
    )
    assert response.json()["result"]["pong"] is True


def test_the_same_id_has_one_effect(web: Web) -> None:
    """In quotes, as the draft of the header has it, or bare, as many send it."""
    first = web.post("contacts.add", CONTACT, idempotency_key="twice").json()
    again = web.post("contacts.add", CONTACT, idempotency_key='"twice"').json()
    assert again["result"] == first["result"]
    assert again["meta"]["replayed"] is True


def test_a_member_submits_a_request_and_reads_it(web: Web) -> None:
    """The admin console answers, through the data channel; one id has one effect there, too."""
    wish = {"text": "Export contacts\nas a spreadsheet"}
    first = web.post("requests.submit", wish, idempotency_key="wish").json()
    again = web.post("requests.submit", wish, idempotency_key="wish").json()
    assert again["result"] == first["result"]
    assert again["meta"]["replayed"] is True
    listed = web.gateway.http.get("/v1/acme/requests.list?limit=1", headers=web.headers())
    (shown,) = listed.json()["result"]["requests"]
    assert (shown["id"], shown["text"]) == (first["result"]["request"]["id"], wish["text"])
    refused = web.post("requests.close", {"request": shown["id"], "why": "mine"})
    assert refused.status_code == 403


def test_an_id_is_made_and_returned_where_none_is_given(web: Web) -> None:
    """The client sends it with the next try."""
    response = web.post("contacts.add", CONTACT)
    made = response.headers["idempotency-key"]
    assert response.json()["id"] == made
    again = web.post("contacts.add", CONTACT, idempotency_key=made)
    assert again.json()["meta"]["replayed"] is True


def test_an_id_with_other_content_is_422(web: Web) -> None:
    web.post("contacts.add", CONTACT, idempotency_key="other")
    response = web.post("contacts.add", {"name": "Grace"}, idempotency_key="other")
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_argument"


def test_a_reply_comes_in_the_encoding_of_its_params(web: Web) -> None:
    response = web.http.post(
        "/v1/acme/contacts.add",
        content=msgpack.packb(CONTACT),
        headers=web.headers() | {"content-type": "application/msgpack"},
    )
    assert response.headers["content-type"] == "application/msgpack"
    assert msgpack.unpackb(response.content)["result"]["id"] > 0


def test_the_trace_of_the_caller_goes_on(web: Web) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    response = web.post("contacts.add", CONTACT, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    assert response.json()["meta"]["trace_id"] == trace
    unreadable = web.post("contacts.add", CONTACT, traceparent="00-zz-00-01")
    assert unreadable.status_code == 200


def test_every_error_code_has_a_status() -> None:
    assert STATUSES.keys() == CODES


@pytest.mark.parametrize(
    ("action", "params", "status", "code"),
    [
        ("contacts.add", {"name": 5}, 400, "invalid_argument"),
        ("contacts.add", {}, 400, "invalid_argument"),
        ("contacts.get", {"id": 10**9}, 404, "not_found"),
        ("no.such_action", {}, 404, "not_found"),
        ("members.add", {"name": "x"}, 403, "permission_denied"),
    ],
)
def test_refusals_of_the_server_come_with_their_status(
    web: Web, action: str, params: dict[str, Any], status: int, code: str
) -> None:
    response = web.post(action, params)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    "authorization", ["Bearer tnt_nothing", "Basic YTpi", "Bearer", "Bearer a b", "tnt_x"]
)
def test_a_wrong_token_is_401_and_says_how_to_authenticate(web: Web, authorization: str) -> None:
    response = web.post("contacts.add", CONTACT, authorization=authorization)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthenticated"
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_token_is_good_for_its_tenant_alone(web: Web, server: Server) -> None:
    authorization = f"Bearer {server.tokens['globex']}"
    response = web.post("contacts.add", CONTACT, authorization=authorization)
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/acme", 404),
        ("POST", "/v1/acme/contacts.add/more", 404),
        ("POST", "/v1/ACME/contacts.add", 404),
        ("POST", "/v1/acme/Contacts", 404),
        ("POST", "/v1//contacts.add", 404),
        ("POST", "/v1/acme/contacts.add%00", 404),
        ("POST", "/v1/acme%2Fcontacts.add/x", 404),
        ("POST", f"/v1/acme/{'a' * 129}", 404),
        ("POST", "/elsewhere", 404),
        ("GET", "/", 404),
        ("PUT", "/v1/acme/contacts.add", 405),
        ("DELETE", "/v1/acme/contacts.add", 405),
        ("POST", "/v1/acme/contacts.add?name=x", 400),
    ],
)
def test_other_paths_and_methods_are_refused_in_the_form_of_every_error(
    web: Web, method: str, path: str, status: int
) -> None:
    response = web.http.request(
        method, path, content=b"{}", headers=web.headers() | {"content-type": "application/json"}
    )
    assert response.status_code == status
    assert response.json()["error"]["code"] in CODES
    assert response.json()["ok"] is False


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
)
def test_params_of_another_type_are_415(web: Web, kind: str) -> None:
    """A page elsewhere can send these without asking first."""
    response = web.http.post(
        "/v1/acme/contacts.add",
        content=json.dumps(CONTACT),
        headers=web.headers() | {"content-type": kind},
    )
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "invalid_argument"


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"a"},"tenant":"globex"',
        b'{"name":"a"}}',
        b'{"name":"a"} {}',
        b'{"name":',
        b"[]",
        b'"text"',
        b"null",
        b'{"name":"a","name":"b"}',
        b'{"name":"\xff"}',
        b'{"name":"\\u0000"}',
        b'{"name":"\\ud800"}',
        b'{"name":NaN}',
        b"[" * 100_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"__proto__":{"name":"a"}}',
        b'{"name":"a","__proto__":{}}',
        b'{"name":"a","constructor":{"prototype":{}}}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_no_body_stands_for_more_than_params(web: Web, body: bytes) -> None:
    response = web.http.post(
        "/v1/acme/contacts.add",
        content=body,
        headers=web.headers() | {"content-type": "application/json"},
    )
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_argument"


@pytest.mark.parametrize(
    "body", [b"\x80\x80", b"\xc0", b"\x93", b"\x81\x01\x02", b"\xc4\x01a", b"\xdf\xff\xff\xff\xff"]
)
def test_no_msgpack_stands_for_more_than_params(web: Web, body: bytes) -> None:
    response = web.http.post(
        "/v1/acme/contacts.add",
        content=body,
        headers=web.headers() | {"content-type": "application/msgpack"},
    )
    assert response.status_code == 400
    assert (
        msgpack.unpackb(response.content)["error"]["code"] == "invalid_argument"
        if (response.headers["content-type"] == "application/msgpack")
        else response.json()["error"]["code"] == "invalid_argument"
    )


def test_a_body_past_the_limit_is_413_however_it_comes(web: Web) -> None:
    large = json.dumps({"name": "x" * 300_000}).encode()
    headers = web.headers() | {"content-type": "application/json"}
    whole = web.http.post("/v1/acme/contacts.add", content=large, headers=headers)
    chunks = web.http.post(
        "/v1/acme/contacts.add", content=iter([large[:9], large[9:]]), headers=headers
    )
    assert (whole.status_code, chunks.status_code) == (413, 413)
    assert whole.json()["error"]["code"] == "invalid_argument"


@pytest.mark.parametrize(
    "name", ["idempotency-key", "authorization", "content-type", "traceparent"]
)
def test_a_header_that_comes_twice_is_refused(web: Web, name: str) -> None:
    """One program on the way could read the first of them, and another the second."""
    headers = [
        *web.headers().items(),
        ("content-type", "application/json"),
        ("idempotency-key", "a"),
    ]
    headers += [("traceparent", "x"), (name, "tnt_other")]
    response = web.http.post("/v1/acme/contacts.add", json=None, content=b"{}", headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["details"] == [{"field": name, "problem": "came twice"}]


@pytest.mark.parametrize("id", ["", "x" * 65, "tab\tbed", '""', "ü"])
def test_an_id_that_is_none_is_refused(web: Web, id: str) -> None:
    headers = [(b"idempotency-key", id.encode()), *web.raw_headers()]
    response = web.http.post("/v1/acme/contacts.add", json=CONTACT, headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize("timeout", ["0", "600001", "-1", "1.5", "", "１", "99999999999"])
def test_a_timeout_that_is_none_is_refused(web: Web, timeout: str) -> None:
    headers = [(b"timeout-ms", timeout.encode()), *web.raw_headers()]
    response = web.http.post("/v1/acme/contacts.add", json=CONTACT, headers=headers)
    assert response.status_code == 400


def test_callers_who_choose_the_same_id_at_once_get_each_their_own_reply(
    web: Web, server: Server
) -> None:
    """Ids are the callers' own; the gateway has one connection for them all."""
    found: list[tuple[str, Any]] = []

    def call(tenant: str, number: int) -> None:
        name = f"{tenant}-{number}"
        response = web.post(
            "contacts.add", {"name": name}, tenant=tenant, idempotency_key=f"n-{number}"
        )
        found.append((name, response.json()["result"]["id"]))

    threads = [
        threading.Thread(target=call, args=(tenant, number))
        for number in range(20)
        for tenant in ("acme", "globex")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    with RawClient(server.endpoint) as raw_client:
        for name, id in found:
            tenant = name.partition("-")[0]
            fields = {"tenant": tenant, "token": server.tokens[tenant], "action": "contacts.get"}
            assert raw_client.ask(**fields, params={"id": id})["result"]["name"] == name


@pytest.mark.parametrize(
    "said",
    [
        b"POST /v1/acme/contacts.add HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/acme/contacts.add HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Content-Length: 50\r\n\r\n{}   ",
        b"POST /v1/acme/contacts.add HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/acme/contacts.add HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n{}   ",
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0" * 100,
    ],
)
def test_shapes_that_two_programs_could_read_differently_are_refused(
    gateway: Gateway, said: bytes
) -> None:
    """One answer at most, of 400, and the connection is closed: nothing that follows is read."""
    with sockets.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
        peer.sendall(said)
        answer = b""
        while piece := peer.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
