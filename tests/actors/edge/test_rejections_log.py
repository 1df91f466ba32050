"""What a tenant never saw stands in its log: who was refused by the Router, as he was told."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from actors.edge import rejections
from actors.edge.rejections import OTHERS, RejectionLog
from actors.edge.router import INVALID_COUNT, REFUSED_COUNT, UNAUTHENTICATED_COUNT
from actors.log.lines import RequestLogClient
from actors.log.messages import Line
from actors.messages import SUSPENDED, DirectoryChanged, FindTenant, TenantAddress, TenantRecord
from tests.actors.mailbox_harness import Watch
from tests.actors.router_harness import ACME, GLOBEX, Reception, slow_clock, token
from tests.actors.tenant_messages import work
from tests.raw_client import Map, RawClient
from transport.message import PERMISSION_DENIED, Refusal

MARK = {"tenant": "acme", "token": "ann", "action": "marks.add"}
"""Of a member of acme."""

REFUSAL = Refusal(PERMISSION_DENIED, "not for you")


@pytest.fixture
def reception() -> Iterator[Reception]:
    """Where ann is a member of acme, gus of globex, dev a developer."""
    reception = Reception()
    reception.knows(
        token("ann"), token("gus", tenant="globex"), token("dev", "developer admin", tenant=None)
    )
    yield reception
    reception.close()


@pytest.fixture
def raw_client(reception: Reception) -> Iterator[RawClient]:
    """A connection to it."""
    with reception.raw_client() as one:
        yield one


def lines(reception: Reception) -> list[tuple[TenantRecord, Line]]:
    """What has been told by now, and whose it is."""
    reception.settled()
    return [(tenant, line) for tenant, told in reception.log.heard() for line in told]


def counts(reception: Reception) -> Counter[str]:
    """What has been counted by now."""
    reception.settled()
    found: Counter[str] = Counter()
    for name, by in reception.stats.heard():
        found[name] += by
    return found


def fill(reception: Reception, raw_client: RawClient) -> None:
    """Have a mailbox that no one empties hold all it may."""
    reception.limit(ACME, mailbox=1)
    raw_client.post(**MARK)
    reception.place()


def suspend(reception: Reception, _: RawClient) -> None:
    """The Directory has said so."""
    reception.told(DirectoryChanged(tenants=(replace(ACME, status=SUSPENDED),)))


CASES: dict[str, tuple[Any, Map]] = {
    "permission_denied": (None, {"action": "owners.only"}),
    "not_found": (None, {"action": "no.such_action"}),
    "invalid_argument": (None, {"tenant": None}),
    "resource_exhausted": (fill, {}),
    "unavailable": (suspend, {}),
}


@pytest.mark.parametrize("code", CASES)
def test_a_callers_refusal_stands_in_its_tenants_log(
    reception: Reception, raw_client: RawClient, code: str
) -> None:
    """With what it asked for, and what it was told."""
    prepare, fields = CASES[code]
    if prepare is not None:
        prepare(reception, raw_client)
    given = {name: each for name, each in {**MARK, **fields}.items() if each is not None}
    reply = raw_client.ask(**given, params={"text": "one"})
    assert reply["error"]["code"] == code
    ((tenant, line),) = lines(reception)
    assert tenant.id == ACME.id
    assert (line.source, line.action, line.params) == ("router", given["action"], {"text": "one"})
    assert (line.outcome, line.message) == (code, reply["error"]["message"])
    assert (line.caller, line.person, line.role) == ("t_ann", "p_ann", "member")
    assert (line.request_id, line.trace_id) == (reply["id"], reply["meta"]["trace_id"])
    assert line.queued_ms >= 0.0
    assert line.reply_bytes > 0
    assert (line.version is None) == (line.schema is None) == (code == "not_found")
    assert counts(reception) == {}


def test_what_is_handed_on_is_told_by_the_tenant_alone(
    reception: Reception, raw_client: RawClient
) -> None:
    """The Router says nothing about it."""
    raw_client.post(**MARK)
    reception.guest()
    assert raw_client.receive()["ok"]
    assert raw_client.ask(token="ann", action="system.ping")["ok"]
    assert lines(reception) == []
    assert counts(reception) == {}


def test_who_is_not_known_leaves_nothing_in_any_log(
    reception: Reception, raw_client: RawClient
) -> None:
    """Neither where he names a tenant, nor where his token is another tenant's, nor a platform's."""
    for fields in ({"token": "bad"}, {"token": "gus"}, {"tenant": "nobody"}):
        assert raw_client.ask(**{**MARK, **fields})["error"]["code"] == "unauthenticated"
    assert not raw_client.ask(**{**MARK, "token": "dev"})["ok"]
    raw_client.send(b"\x00no request")
    raw_client.post(**{**MARK, "id": "x", "action": "NO ACTION"})
    assert raw_client.receive()["error"]["code"] == "invalid_argument"
    assert lines(reception) == []
    assert counts(reception) == {UNAUTHENTICATED_COUNT: 3, REFUSED_COUNT: 1, INVALID_COUNT: 2}


def test_what_waited_for_a_deleted_tenant_is_in_no_log(
    reception: Reception, raw_client: RawClient
) -> None:
    """Another tenant may have its name by now, and would read of the first one's callers."""
    raw_client.post(**MARK)
    assert isinstance(reception.supervisor.hear(), FindTenant)
    another = TenantRecord("acme", "c" * 32)
    reception.told(DirectoryChanged(forgotten=(ACME,), tenants=(another,), tokens=(token("ann"),)))
    assert raw_client.receive()["error"]["code"] == "unavailable"
    assert lines(reception) == []
    assert counts(reception) == {REFUSED_COUNT: 1}


def test_what_finds_no_room_behind_what_waited_is_told(
    reception: Reception, raw_client: RawClient
) -> None:
    """The mailbox, once it is known, holds less than has come."""
    reception.limit(ACME, mailbox=1)
    for _ in range(3):
        raw_client.post(**MARK)
    assert raw_client.until_ping() == []
    mailbox = reception.harness.mailbox("acme")
    reception.told(TenantAddress(ACME, mailbox))
    assert [raw_client.receive()["ok"] for _ in range(2)] == [False, False]
    assert [line.outcome for _, line in lines(reception)] == ["resource_exhausted"] * 2


def test_a_batch_is_told_once_for_each_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in which callers come."""
    slow_clock(monkeypatch)
    reception = Reception(started=False)
    reception.knows(token("ann"), token("gus", tenant="globex"))
    mail = deque(
        reception.frame(**{**MARK, **of, "action": "owners.only"})
        for of in ({}, {"token": "gus", "tenant": "globex"}) * 3
    )
    assert reception.router is not None
    reception.router.handle(mail)
    told = reception.log.heard()
    assert [(turn.tenant, len(turn.lines)) for turn in told] == [(ACME, 3), (GLOBEX, 3)]
    reception.close()


def test_no_caller_fills_the_disk_with_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past so many in a minute they are counted, each tenant's apart; and one line says how many."""
    monkeypatch.setattr(rejections, "MOST_LINES", 5)
    log, outlet = Watch(), Watch()
    rejection_log = RejectionLog(RequestLogClient(log))
    for number in range(12):
        rejection_log.add(ACME, work(f"r{number}", outlet), REFUSAL, None, 100)
    rejection_log.add(GLOBEX, work("other", outlet), REFUSAL, None, 100)
    rejection_log.summarise()
    acme, globex, last = log.heard()
    assert (acme.tenant, len(acme.lines)) == (ACME, 5)
    assert (globex.tenant, len(globex.lines)) == (GLOBEX, 1)
    (line,) = last.lines
    assert (last.tenant, line.action) == (ACME, OTHERS)
    assert (line.message or "").startswith("7 more messages")
    assert time.time() - line.at < 60.0
    rejection_log.add(ACME, work("again", outlet), REFUSAL, None, 100)
    rejection_log.summarise()
    assert [len(turn.lines) for turn in log.heard()] == [1]


def test_nothing_is_counted_twice() -> None:
    """Told is told."""
    log = Watch()
    rejection_log = RejectionLog(RequestLogClient(log))
    rejection_log.add(ACME, work("r", Watch()), REFUSAL, None, 100)
    rejection_log.write()
    rejection_log.write()
    rejection_log.summarise()
    assert len(log.heard()) == 1
