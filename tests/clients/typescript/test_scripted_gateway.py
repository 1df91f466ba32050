"""The TypeScript client before answers that a gateway gives rarely: its waiting, and what it sends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.clients.typescript.driver import NodeClient
from transport.message import CODES

Answer = tuple[int, str]

OK = '{"v":1,"id":"1","ok":true,"result":{"n":1},"meta":{}}'


def refusal(code: str, ms: int | None = None) -> str:
    """The body of one."""
    error = {"code": code, "message": code, **({} if ms is None else {"retry_after_ms": ms})}
    return json.dumps({"v": 1, "id": "1", "ok": False, "error": error, "meta": {}})


class Gateway(ThreadingHTTPServer):
    """Gives one prepared answer after the other, and OK from then on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.requests: list[tuple[dict[str, str], str]] = []
        self.times: list[float] = []


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((headers, body))
        self.server.times.append(time.monotonic())
        status, text = self.server.answers.pop(0) if self.server.answers else (200, OK)
        if not status:
            return  # closes the connection
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Listening."""
    with Gateway() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield made
        made.shutdown()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[NodeClient]:
    """Of it."""
    url = f"http://127.0.0.1:{gateway.server_port}"
    with NodeClient(url=url, tenant="acme", token="t") as made:
        yield made


Ids = Callable[[], list[str]]


@pytest.fixture
def ids(gateway: Gateway) -> Ids:
    """The ids that were sent."""
    return lambda: [headers["idempotency-key"] for headers, _ in gateway.requests]


@pytest.mark.parametrize("code", ["unavailable", "resource_exhausted", "aborted"])
def test_it_waits_as_long_as_the_server_asks_and_sends_the_same_id(
    gateway: Gateway, client: NodeClient, ids: Ids, code: str
) -> None:
    gateway.answers = [(503, refusal(code, 60)), (429, refusal(code, 60))]
    assert client.call("contacts.add", {"name": "Ada"})["ok"]
    assert len(ids()) == 3
    assert len(set(ids())) == 1
    first, second, third = gateway.times
    assert min(second - first, third - second) > 0.05
    assert [each and each["for"] for each in client.waits] == ["server", "server", None]


def test_a_wait_past_its_own_time_is_refused_at_once(
    gateway: Gateway, client: NodeClient, ids: Ids
) -> None:
    gateway.answers = [(429, refusal("resource_exhausted", 60_000))]
    error = client.call("contacts.find", timeoutMs=5_000)["error"]
    assert (error["code"], error["ms"], len(ids())) == ("resource_exhausted", 60_000, 1)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_refusal_has_its_code(gateway: Gateway, client: NodeClient, code: str) -> None:
    gateway.answers = [(500, refusal(code))]
    error = client.call("contacts.find")["error"]
    assert (error["is"], error["code"], error["message"]) == (True, code, code)


def test_without_a_time_to_wait_a_refusal_is_final(
    gateway: Gateway, client: NodeClient, ids: Ids
) -> None:
    gateway.answers = [(503, refusal("unavailable"))]
    assert client.call("contacts.find")["error"]["code"] == "unavailable"
    assert len(ids()) == 1


@pytest.mark.parametrize("answer", [(502, "<h1>Bad gateway</h1>"), (0, ""), (500, '{"ok": 1}')])
def test_what_is_no_reply_is_sent_again(
    gateway: Gateway, client: NodeClient, ids: Ids, answer: Answer
) -> None:
    gateway.answers = [answer]
    assert client.call("contacts.add", {"name": "Ada"})["ok"]
    assert len(ids()) == 2
    assert len(set(ids())) == 1


def test_what_is_no_gateway_is_said_at_once(gateway: Gateway, client: NodeClient) -> None:
    gateway.answers = [(404, "<h1>Not found</h1>")]
    error = client.call("contacts.find")["error"]
    assert error["code"] == "no_answer"
    assert "HTTP 404 that is no reply of a gateway" in error["message"]


def test_integers_past_what_a_number_holds_are_not_rounded(
    gateway: Gateway, client: NodeClient
) -> None:
    large = {"low": -(2**63), "high": 2**63 - 1, "odd": 2**53 + 1, "safe": 2**53 - 1, "f": 1e300}
    text = {
        "9007199254740993": '"9007199254740993" \\',
        "n": [2**60 + 1],
        "date": "1234567890123456",
    }
    result = {**large, **text}
    gateway.answers = [(200, json.dumps({"ok": True, "result": result, "meta": {}}))]
    assert client.call("try.it", result)["result"] == result
    assert json.loads(gateway.requests[0][1]) == result


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString"])
def test_names_that_mean_something_to_javascript_are_ordinary(
    gateway: Gateway, client: NodeClient, name: str
) -> None:
    result = {name: {"polluted": 2**60 + 1}}
    gateway.answers = [(200, json.dumps({"ok": True, "result": result, "meta": {}}))]
    assert client.call("try.it", result)["result"] == result
    assert json.loads(gateway.requests[0][1]) == result


def test_what_would_be_too_long_is_not_sent(gateway: Gateway, client: NodeClient, ids: Ids) -> None:
    error = client.call("contacts.add", {"name": "é" * 130_561})["error"]
    assert (error["code"], ids()) == ("invalid_argument", [])
    assert (
        client.call("contacts.add", {"name": "Ada"}, id="")["error"]["code"] == "invalid_argument"
    )
