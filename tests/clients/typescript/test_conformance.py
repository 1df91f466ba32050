"""The TypeScript client in Node and in Chromium; gateway and server are killed while it calls."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser import served_folder
from tests.child import ROOT
from tests.clients.typescript.driver import MODULES, DrivenClient, NodeClient, PageClient
from tests.served import Served

Make = Callable[..., DrivenClient]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Of pages elsewhere than the gateway."""
    with served_folder(ROOT) as address:
        yield address


@pytest.fixture(scope="module")
def served(origin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests here, which such pages may call."""
    with Served(tmp_path_factory.mktemp("data"), "--origins", json.dumps([origin])) as running:
        yield running


@pytest.fixture(scope="module", params=["node", "chromium"])
def make(origin: str, request: pytest.FixtureRequest) -> Make:
    """What makes a client, there."""
    if request.param == "node":
        return NodeClient
    browser = request.getfixturevalue("browser")
    browser.open(f"{origin}/{MODULES.relative_to(ROOT)}/")
    return lambda **options: PageClient(browser, **options)


@pytest.fixture(params=["fetch", "websocket"])
def client(served: Served, make: Make, request: pytest.FixtureRequest) -> Iterator[DrivenClient]:
    """A member of acme."""
    with make(
        url=served.address, tenant="acme", token=served.token(), transport=request.param
    ) as made:
        yield made


def named(client: DrivenClient, name: str) -> list[Any]:
    """The contacts of that name."""
    found = client.call("contacts.find", {"text": name, "limit": 100})["result"]["contacts"]
    return [each for each in found if each["name"] == name]


def test_what_is_added_can_be_read(client: DrivenClient) -> None:
    added = client.call("contacts.add", {"name": "Ada", "email": "ada@example.com"})
    shown = client.call("contacts.get", {"id": added["result"]["id"]})
    assert (shown["ok"], shown["result"]["email"], shown["result"]["phone"]) == (
        True,
        "ada@example.com",
        None,
    )
    assert shown["meta"]["trace_id"]


def test_absent_is_not_null(client: DrivenClient) -> None:
    ada = client.call("contacts.add", {"name": "A", "email": "a@example.com", "phone": "1"})
    changed = client.call("contacts.update", {"id": ada["result"]["id"], "email": None})
    assert (changed["result"]["email"], changed["result"]["phone"]) == (None, "1")


@pytest.mark.parametrize(
    ("code", "action", "params", "own"),
    [
        ("invalid_argument", "contacts.add", {"nam": "Ada"}, {}),
        ("unauthenticated", "contacts.find", {}, {"token": "no such token"}),
        ("not_found", "contacts.get", {"id": 2**53 - 1}, {}),
        ("not_found", "contacts.fnid", {}, {}),
        ("rejected", "contacts.add", {"name": "<script>alert(1)</script>"}, {}),
    ],
)
def test_each_refusal_has_its_code(
    client: DrivenClient, code: str, action: str, params: Any, own: Any
) -> None:
    reply = client.call(action, params, **own)
    assert (reply["ok"], reply["error"]["is"], reply["error"]["code"]) == (False, True, code)
    assert reply["error"]["message"]


def test_a_step_out_of_order_is_refused(client: DrivenClient) -> None:
    ada = client.call("contacts.add", {"name": "Ada"})["result"]["id"]
    ticket = {"contact_id": ada, "subject": "s", "body": "b"}
    opened = client.call("tickets.open", ticket)["result"]["id"]
    assert client.call("tickets.close", {"id": opened})["ok"]
    assert client.call("tickets.close", {"id": opened})["error"]["code"] == "failed_precondition"


def test_what_needs_no_tenant_can_be_called(served: Served, make: Make) -> None:
    for transport in ("fetch", "websocket"):
        with make(url=f"{served.address}/", transport=transport) as stranger:
            assert stranger.call("system.ping")["result"]["pong"] is True


def test_many_calls_are_under_way_at_a_time(client: DrivenClient) -> None:
    calls = [
        client.post("contacts.find", {"limit": 1}) for _ in range(300)
    ]  # a socket takes 256 at a time
    assert all(client.answer(each)["ok"] for each in calls)


def test_an_id_given_twice_has_one_effect(client: DrivenClient) -> None:
    name, id = f"Twice {secrets.token_hex(4)}", secrets.token_hex(16)
    calls = [client.post("contacts.add", {"name": name}, id=id) for _ in range(3)]
    answers = [client.answer(each) for each in calls]
    assert len({each["result"]["id"] for each in answers}) == 1
    assert len(named(client, name)) == 1


def test_the_same_id_for_something_else_is_refused(client: DrivenClient) -> None:
    id = secrets.token_hex(16)
    assert client.call("contacts.add", {"name": "One"}, id=id)["ok"]
    error = client.call("contacts.add", {"name": "Other"}, id=id)["error"]
    assert (error["code"], error["details"][0]["field"]) == ("invalid_argument", "id")


def test_nothing_is_lost_or_doubled_when_the_server_is_killed(
    served: Served, client: DrivenClient
) -> None:
    name = f"Killed {secrets.token_hex(4)}"
    calls = [client.post("contacts.add", {"name": name}) for _ in range(60)]
    client.answer(calls.pop(0))  # some are on disk, some under way, some not begun
    served.kill_server()
    served.start_server()
    assert all(client.answer(each)["ok"] for each in calls)
    assert len(named(client, name)) == 60


def test_nothing_is_lost_or_doubled_when_the_gateway_is_killed(
    served: Served, client: DrivenClient
) -> None:
    name = f"Cut {secrets.token_hex(4)}"
    calls = [client.post("contacts.add", {"name": name}) for _ in range(60)]
    client.answer(calls.pop(0))
    served.kill_gateway()
    late = client.post("contacts.add", {"name": name})
    assert client.wait_until_it_waits()["for"] == "connection"
    served.start_gateway()
    assert all(client.answer(each)["ok"] for each in [*calls, late])
    assert len(named(client, name)) == 61
    assert client.waits[-1] is None


def test_a_call_without_a_gateway_ends_at_its_own_time(make: Make) -> None:
    for transport in ("fetch", "websocket"):
        with make(url="http://127.0.0.1:1", tenant="acme", transport=transport) as client:
            error = client.call("contacts.find", timeoutMs=300)["error"]
            assert error["code"] == "no_answer"
            assert "300 ms" in error["message"]
