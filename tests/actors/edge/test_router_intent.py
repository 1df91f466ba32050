"""What the Router sends the IntentMonitor, and how it slows whom that has named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.admin.directory.repository import LONG_AGO
from actors.intent.suspicions import Suspicion, Suspicions
from tests.actors.router_harness import GLOBEX, Reception, token
from tests.raw_client import Map, RawClient

MARK: Map = {"tenant": "acme", "token": "ann", "action": "marks.add"}


@pytest.fixture
def reception() -> Iterator[Reception]:
    made = Reception()
    made.knows(token("ann"), token("sue", is_suspended=True, expires=LONG_AGO))
    yield made
    made.close()


@pytest.fixture
def raw_client(reception: Reception) -> Iterator[RawClient]:
    with reception.raw_client() as raw_client:
        yield raw_client


def suspicion(reception: Reception) -> Suspicion:
    """The only one of the next batch."""
    batch = reception.monitor.hear()
    assert isinstance(batch, Suspicions)
    (found,) = batch.suspicions
    return found


def code(reply: Map) -> str:
    return "ok" if reply["ok"] else str(reply["error"]["code"])


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"action": "no.such"}, "unknown_action"),
        ({"tenant": "globex"}, "other_tenant"),
        ({"action": "tenants.list"}, "permission_denied"),
        ({"token": "wrong"}, "wrong_token"),
    ],
)
def test_a_refusal_is_a_suspicion_by_what_it_shows(
    reception: Reception, raw_client: RawClient, change: Map, outcome: str
) -> None:
    raw_client.ask(**{**MARK, **change})
    found = suspicion(reception)
    assert found.outcome == outcome
    assert found.caller.id == ("" if outcome == "wrong_token" else "t_ann")
    assert found.origin is not None
    assert found.origin.address == "127.0.0.1"


def test_what_is_served_and_what_has_no_token_is_no_suspicion(
    reception: Reception, raw_client: RawClient
) -> None:
    raw_client.post(**MARK)
    reception.guest()
    assert raw_client.receive()["ok"]
    assert code(raw_client.ask(tenant="acme", action="marks.add")) == "unauthenticated"
    reception.settled()
    assert reception.monitor.heard() == []


def test_a_slowed_token_waits_as_long_as_it_is_asked_and_no_other_does(
    reception: Reception, raw_client: RawClient
) -> None:
    reception.knows(token("gus", tenant="globex"))
    reception.slowdowns.seconds = 3600.0
    reception.slowdowns.tokens = frozenset({"t_ann"})
    raw_client.post(**MARK)
    reception.guest()
    assert raw_client.receive()["ok"]
    refused = raw_client.ask(**MARK)["error"]
    assert refused["code"] == "resource_exhausted"
    assert 3_590_000 < refused["retry_after_ms"] <= 3_600_000
    assert "one message each 3600 s" in refused["message"]
    raw_client.post(tenant="globex", token="gus", action="marks.add")
    reception.guest(GLOBEX)
    assert raw_client.receive()["ok"]
    reception.slowdowns.tokens = frozenset()
    assert raw_client.ask(**MARK)["ok"]
    assert reception.monitor.heard() == []


def test_wrong_tokens_from_a_slowed_address_wait_and_right_ones_do_not(
    reception: Reception, raw_client: RawClient
) -> None:
    reception.slowdowns.seconds = 3600.0
    reception.slowdowns.addresses = frozenset({"127.0.0.1"})
    codes = [code(raw_client.ask(**{**MARK, "token": f"guess-{at}"})) for at in range(3)]
    assert codes == ["unauthenticated", "resource_exhausted", "resource_exhausted"]
    raw_client.post(**MARK)
    reception.guest()
    assert raw_client.receive()["ok"]


def test_a_suspended_token_is_told_so(reception: Reception, raw_client: RawClient) -> None:
    refused = raw_client.ask(**{**MARK, "token": "sue"})["error"]
    assert refused["code"] == "permission_denied"
    assert "intent.clear" in refused["message"]
    reception.settled()
    assert reception.monitor.heard() == []
