"""What the Router sends the IntentMonitor, and how it slows whom that has named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.admin.directory.repository import LONG_AGO
from actors.intent.suspicions import Suspicion, Suspicions
from tests.actors.router_harness import GLOBEX, Reception, token
from tests.wire import Map, Wire

MARK: Map = {"tenant": "acme", "token": "ann", "action": "marks.add"}


@pytest.fixture
def reception() -> Iterator[Reception]:
    made = Reception()
    made.knows(token("ann"), token("sue", is_suspended=True, expires=LONG_AGO))
    yield made
    made.close()


@pytest.fixture
def wire(reception: Reception) -> Iterator[Wire]:
    with reception.wire() as wire:
        yield wire


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
    reception: Reception, wire: Wire, change: Map, outcome: str
) -> None:
    wire.ask(**{**MARK, **change})
    found = suspicion(reception)
    assert found.outcome == outcome
    assert found.caller.id == ("" if outcome == "wrong_token" else "t_ann")
    assert found.origin is not None
    assert found.origin.address == "127.0.0.1"


def test_what_is_served_and_what_has_no_token_is_no_suspicion(
    reception: Reception, wire: Wire
) -> None:
    wire.post(**MARK)
    reception.guest()
    assert wire.receive()["ok"]
    assert code(wire.ask(tenant="acme", action="marks.add")) == "unauthenticated"
    reception.settled()
    assert reception.monitor.heard() == []


def test_a_slowed_token_waits_as_long_as_it_is_asked_and_no_other_does(
    reception: Reception, wire: Wire
) -> None:
    reception.knows(token("gus", tenant="globex"))
    reception.slowdowns.seconds = 3600.0
    reception.slowdowns.tokens = frozenset({"t_ann"})
    wire.post(**MARK)
    reception.guest()
    assert wire.receive()["ok"]
    refused = wire.ask(**MARK)["error"]
    assert refused["code"] == "resource_exhausted"
    assert 3_590_000 < refused["retry_after_ms"] <= 3_600_000
    assert "one message each 3600 s" in refused["message"]
    wire.post(tenant="globex", token="gus", action="marks.add")
    reception.guest(GLOBEX)
    assert wire.receive()["ok"]
    reception.slowdowns.tokens = frozenset()
    assert wire.ask(**MARK)["ok"]
    assert reception.monitor.heard() == []


def test_wrong_tokens_from_a_slowed_address_wait_and_right_ones_do_not(
    reception: Reception, wire: Wire
) -> None:
    reception.slowdowns.seconds = 3600.0
    reception.slowdowns.addresses = frozenset({"127.0.0.1"})
    codes = [code(wire.ask(**{**MARK, "token": f"guess-{at}"})) for at in range(3)]
    assert codes == ["unauthenticated", "resource_exhausted", "resource_exhausted"]
    wire.post(**MARK)
    reception.guest()
    assert wire.receive()["ok"]


def test_a_suspended_token_is_told_so(reception: Reception, wire: Wire) -> None:
    refused = wire.ask(**{**MARK, "token": "sue"})["error"]
    assert refused["code"] == "permission_denied"
    assert "intent.clear" in refused["message"]
    reception.settled()
    assert reception.monitor.heard() == []
