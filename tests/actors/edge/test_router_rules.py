"""What the Router asks of each message before a tenant gets it: scope, channel, status, limits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from actors.edge.channel import Draining, FlushUses
from actors.log.messages import ATTEMPTS, Append
from actors.messages import (
    DELETING,
    SUSPENDED,
    DirectoryChanged,
    FindTenant,
    TenantAddress,
    TenantRecord,
    TokensUsed,
)
from actors.profiles import Config, Profile, deep_freeze
from actors.runtime.mailbox import Crashed
from tests.actors.router_harness import ACME, Reception, digest, token
from tests.raw_client import Map, RawClient, packed

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

MARK = {"tenant": "acme", "token": "ann", "action": "marks.add"}
"""Of a member of acme."""


@pytest.fixture
def reception() -> Iterator[Reception]:
    """Where ann is a member of acme, olga an owner there, gus a member of globex, dev a developer."""
    reception = Reception()
    reception.knows(
        token("ann"),
        token("olga", "owner", areas=frozenset({"members"})),
        token("gus", tenant="globex"),
        token("dev", "developer admin", tenant=None),
    )
    yield reception
    reception.close()


@pytest.fixture
def raw_client(reception: Reception) -> Iterator[RawClient]:
    """A connection to it."""
    with reception.raw_client() as one:
        yield one


def awake(reception: Reception, raw_client: RawClient) -> None:
    """Have a first message find acme's mailbox, and somebody live in there."""
    raw_client.post(**MARK)
    reception.guest()
    assert raw_client.receive()["ok"]


def error(reply: Map) -> Map:
    """Why it was refused."""
    assert not reply["ok"]
    found: Map = reply["error"]
    return found


# ---------------------------------------------------------------- whom no one knows


def strangers() -> dict[str, list[Map]]:
    """Requests without a good token for the tenant they name: all of one kind are alike to the Router."""
    no_good = ("unknown", "revoked", "expired", "an", "ann ", "")
    names: tuple[Map, ...] = ({"tenant": "acme"}, {"tenant": "nobody"}, {})
    actions = ("marks.add", "marks.open", "members.list", "no.such_action")
    return {
        "a token that is no good": [
            {"token": text, "action": action, **name}
            for text in no_good
            for action in actions
            for name in names
        ],
        "a good token of somebody else": [
            {"token": text, "action": action, "tenant": name}
            for text, name in (("gus", "acme"), ("ann", "globex"), ("ann", "nobody"))
            for action in actions
        ],
        "no token, and an action that needs one": [
            {"action": action, **name}
            for action in ("marks.add", "members.list", "no.such_action")
            for name in names
        ],
        "no token, and an action that needs none": [
            {"action": "marks.open", **name} for name in names
        ],
    }


def know_strangers(reception: Reception) -> None:
    """Some tokens have been good."""
    old = token("expired", expires=reception.wall.time - 1)
    reception.knows(old, token("revoked"))
    reception.told(DirectoryChanged(revoked=(digest("revoked"),)))


def test_whoever_is_not_known_gets_the_same_bytes_whatever_the_cause(
    reception: Reception, raw_client: RawClient
) -> None:
    know_strangers(reception)
    answers = set()
    for requests in strangers().values():
        for fields in requests:
            raw_client.send(packed({"id": "same", "traceparent": TRACE, **fields}))
            answers.add(raw_client.socket.recv_multipart()[-1])
    assert len(answers) == 1
    assert b"unauthenticated" in answers.pop()
    assert reception.supervisor.heard() == []


def test_whoever_is_not_known_costs_the_same_work_whatever_the_cause() -> None:
    """Each function that is called, each table that is looked at: time tells no one anything."""
    reception = Reception(started=False)
    try:
        reception.knows(token("ann"), token("gus", tenant="globex"))
        know_strangers(reception)
        for own in ({"token": "ann", "tenant": "acme"}, {"token": "gus", "tenant": "globex"}):
            work_of(
                reception, {"action": "no.such_action", **own}
            )  # each caller's own tenant counts
        for kind, requests in strangers().items():
            paths = {tuple(work_of(reception, fields)) for fields in requests}
            assert len(paths) == 1, kind
    finally:
        reception.close()


def work_of(reception: Reception, fields: Map) -> list[str]:
    """What is called while the Router deals with one message, from its token on until it is refused."""
    frame = reception.frame(traceparent=TRACE, **fields)
    calls: list[str] = []

    def note(at: FrameType, event: str, called: Any) -> None:
        if event == "call":
            calls.append(at.f_code.co_qualname)
        elif event == "c_call":
            calls.append(called.__qualname__)

    assert reception.router is not None
    sys.setprofile(note)
    try:
        reception.router.on_receive(frame)
    finally:
        sys.setprofile(None)
    return calls[calls.index("Authenticator.authenticate") : calls.index("Router._refuse")]


def test_a_token_that_expires_is_no_good_from_then_on_though_the_clock_jumps_back(
    reception: Reception, raw_client: RawClient
) -> None:
    awake(reception, raw_client)
    end = reception.wall.time + 60
    reception.knows(token("eve", expires=end))
    eve = {**MARK, "token": "eve"}
    assert raw_client.ask(**eve)["ok"]
    reception.wall.time = end
    assert error(raw_client.ask(**eve))["code"] == "unauthenticated"
    assert error(raw_client.ask(token="eve", action="system.whoami"))["code"] == "unauthenticated"
    reception.wall.time = end - 3600
    assert error(raw_client.ask(**eve))["code"] == "unauthenticated"
    assert raw_client.ask(**MARK)["ok"]


def test_a_token_that_is_revoked_is_no_good_for_the_next_message(
    reception: Reception, raw_client: RawClient
) -> None:
    awake(reception, raw_client)
    reception.told(DirectoryChanged(revoked=(digest("ann"),)))
    assert error(raw_client.ask(**MARK))["code"] == "unauthenticated"


# ---------------------------------------------------------------- who may not


def test_administration_is_refused_here_whoever_asks(
    reception: Reception, raw_client: RawClient
) -> None:
    """And says where it is answered; no one is woken."""
    callers = (("ann", "acme"), ("olga", "acme"), ("ann", None), ("dev", "acme"), ("dev", None))
    for text, tenant in callers:
        for action in ("members.add", "tenants.list"):
            refused = error(raw_client.ask(tenant=tenant, token=text, action=action))
            assert refused["code"] == "permission_denied"
            assert "answered on the admin channel" in refused["message"]
    assert reception.supervisor.heard() == []


def test_an_action_for_others_says_for_whom(reception: Reception, raw_client: RawClient) -> None:
    refused = error(raw_client.ask(**{**MARK, "action": "owners.only"}))
    assert refused["code"] == "permission_denied"
    assert refused["message"] == "owners.only is for owner, and this token is a member's"


def test_people_of_the_platform_have_no_tenant_on_this_channel(
    reception: Reception, raw_client: RawClient
) -> None:
    """Whether the tenant is there or not."""
    told = [
        error(raw_client.ask(tenant=tenant, token="dev", action="marks.add", traceparent=TRACE))
        for tenant in ("acme", "nobody", None)
    ]
    assert told[0]["code"] == "permission_denied"
    assert told[1:] == told[:1] * 2


def test_a_token_is_good_for_the_actions_of_its_scope_and_to_ask_about_itself(
    reception: Reception, raw_client: RawClient
) -> None:
    awake(reception, raw_client)
    reception.knows(token("eve", scope=frozenset({"marks.count"})))
    eve = {**MARK, "token": "eve"}
    assert raw_client.ask(**{**eve, "action": "marks.count"})["ok"]
    refused = error(raw_client.ask(**eve))
    assert refused["code"] == "permission_denied"
    assert "it is good for marks.count only" in refused["message"]
    for action in ("system.ping", "system.whoami", "system.describe"):
        assert raw_client.ask(**{**eve, "action": action})["ok"]


# ---------------------------------------------------------------- attempts


def test_who_tries_to_administer_here_is_recorded_once_for_many_tries(
    reception: Reception, raw_client: RawClient
) -> None:
    """The first at once, what follows together, at the latest with what is told each minute."""
    for _ in range(4):
        raw_client.ask(
            tenant="acme", token="ann", action="members.list", params={"after": "secret"}
        )
    raw_client.ask(tenant=None, token="dev", action="members.list")
    reception.told(FlushUses())
    first, second, third = [append.entry for append in reception.audit.heard()]
    assert isinstance(reception.directory.hear(), TokensUsed)
    for entry in (first, second):
        assert (entry.kind, entry.action, entry.capacity) == (ATTEMPTS, "members.list", "member")
        assert (entry.person, entry.token, entry.tenant) == ("p_ann", "t_ann", "acme")
        assert (entry.tenant_id, entry.outcome) == (ACME.id, "permission_denied")
        assert entry.params is None
    assert "once" in (first.message or "")
    assert "3 times" in (second.message or "")
    assert (third.token, third.capacity, third.tenant) == ("t_dev", "developer admin", None)


def test_what_is_no_attempt_at_administration_is_not_recorded(
    reception: Reception, raw_client: RawClient
) -> None:
    """Nor is that of a stranger: he could fill the log."""
    awake(reception, raw_client)
    raw_client.ask(**{**MARK, "action": "owners.only"})
    raw_client.ask(tenant="acme", action="members.list")
    raw_client.ask(tenant="acme", token="wrong", action="members.list")
    raw_client.ask(tenant="globex", token="ann", action="members.list")
    reception.told(FlushUses())
    assert reception.audit.heard() == []


def test_attempts_are_recorded_before_the_server_stops(
    reception: Reception, raw_client: RawClient
) -> None:
    for _ in range(2):
        raw_client.ask(tenant="acme", token="ann", action="members.list")
    reception.told(Draining())
    records = reception.audit.heard()
    assert [type(each) for each in records] == [Append, Append]


# ---------------------------------------------------------------- status


@pytest.mark.parametrize(("status", "retry_after_ms"), [(SUSPENDED, 60_000), (DELETING, None)])
def test_a_tenant_that_is_not_active_is_unavailable_to_its_people_and_not_there_for_others(
    reception: Reception, raw_client: RawClient, status: str, retry_after_ms: int | None
) -> None:
    """Though it be awake still; and it is served again when it is resumed."""
    awake(reception, raw_client)
    stranger = {"tenant": "acme", "action": "marks.open"}
    assert raw_client.ask(**stranger)["ok"]
    reception.told(DirectoryChanged(tenants=(replace(ACME, status=status),)))
    refused = error(raw_client.ask(**MARK))
    assert refused["code"] == "unavailable"
    assert refused["message"].startswith("tenant acme is ")
    assert refused.get("retry_after_ms") == retry_after_ms
    nowhere = error(raw_client.ask(**{**stranger, "tenant": "nobody"}))
    assert error(raw_client.ask(**stranger)) == nowhere
    assert error(raw_client.ask(**{**MARK, "token": "gus"})) == nowhere
    assert raw_client.ask(token="ann", action="system.whoami")["ok"]
    reception.told(DirectoryChanged(tenants=(ACME,)))
    assert raw_client.ask(**MARK)["ok"]


def test_of_a_deleted_tenant_nothing_is_left(reception: Reception, raw_client: RawClient) -> None:
    """What waited for it is answered; the next of its name has another mailbox and no token of the last."""
    waits = raw_client.post(**MARK)
    assert isinstance(reception.supervisor.hear(), FindTenant)
    another = TenantRecord("acme", "c" * 32)
    reception.told(DirectoryChanged(forgotten=(ACME,), tenants=(another,)))
    refused = raw_client.receive()
    assert refused["id"] == waits
    assert (error(refused)["code"], "deleted" in error(refused)["message"]) == ("unavailable", True)
    reception.told(TenantAddress(ACME, reception.harness.mailbox("late")))
    assert error(raw_client.ask(**MARK))["code"] == "unauthenticated"
    reception.knows(token("new"), tenants=())
    raw_client.post(**{**MARK, "token": "new"})
    reception.guest(another)
    assert raw_client.receive()["ok"]
    assert list(reception.mailbox.admissions) == [another.id]


def test_a_tenant_that_is_not_in_the_whole_directory_is_forgotten_too(
    reception: Reception, raw_client: RawClient
) -> None:
    """The message that would have said so may have been lost."""
    awake(reception, raw_client)
    reception.told(DirectoryChanged(complete=True))
    assert reception.mailbox.admissions == {}


# ---------------------------------------------------------------- limits

HOURLY = 1 / 3600
"""Requests a second: none comes in while a test runs."""


def test_past_its_rate_a_tenant_is_refused_and_its_neighbour_is_not(
    reception: Reception, raw_client: RawClient
) -> None:
    """No matter who asks, with a token or without, and what becomes of it."""
    awake(reception, raw_client)
    reception.limit(ACME, requests_per_second=HOURLY, burst=4)
    assert raw_client.ask(**MARK)["ok"]
    assert not raw_client.ask(**{**MARK, "action": "owners.only"})["ok"]
    assert raw_client.ask(tenant="acme", action="marks.open")["ok"]
    assert raw_client.ask(**{**MARK, "token": "olga"})["ok"]
    for fields in (MARK, {"tenant": "acme", "action": "marks.open"}):
        refused = error(raw_client.ask(**fields))
        assert refused["code"] == "resource_exhausted"
        assert 3_500_000 < refused["retry_after_ms"] <= 3_600_000
        assert "tenant acme" in refused["message"]
    assert raw_client.ask(action="system.ping")["ok"]
    raw_client.post(tenant="globex", token="gus", action="marks.add")
    reception.guest(TenantRecord("globex", "b" * 32))
    assert raw_client.receive()["ok"]
    reception.profiles.forget(ACME.id)
    assert raw_client.ask(**MARK)["ok"]


def test_a_rate_holds_while_the_mailbox_is_asked_for_and_after_the_router_failed(
    reception: Reception, raw_client: RawClient
) -> None:
    reception.limit(ACME, requests_per_second=HOURLY, burst=2)
    waiting = {raw_client.post(**MARK) for _ in range(2)}
    assert error(raw_client.ask(**MARK))["code"] == "resource_exhausted"
    fail(reception)
    assert error(raw_client.ask(**MARK))["code"] == "resource_exhausted"
    reception.guest()
    assert set(raw_client.replies(2)) == waiting


def fail(reception: Reception) -> None:
    """Have the Router fail, and let another live in its mailbox, who is told everything."""
    known = DirectoryChanged(tenants=(ACME,), tokens=(token("ann"),), complete=True)
    reception.mailbox.tell("no handler for this")
    kept = [reception.supervisor.hear()]
    while not isinstance(kept[-1], Crashed):
        kept.append(reception.supervisor.hear())
    reception.mailbox.tell(known)
    reception.start()
    failed = reception.supervisor.hear()  # the message is tried twice
    assert isinstance(failed, Crashed)
    reception.start()
    reception.told(known)
    for message in kept[:-1]:
        reception.supervisor.tell(message)


def test_a_tenants_mailbox_holds_as_many_as_the_tenant_may_have(
    reception: Reception, raw_client: RawClient
) -> None:
    reception.limit(ACME, mailbox=3)
    raw_client.post(**MARK)
    place = reception.place()
    raw_client.post(**MARK)
    raw_client.post(**MARK)
    refused = error(raw_client.ask(**MARK))
    assert refused["code"] == "resource_exhausted"
    assert refused["message"].startswith("3 messages wait for tenant acme")
    reception.limit(ACME, mailbox=4)
    raw_client.post(**MARK)
    assert raw_client.until_ping() == []
    assert len(place) == 4


# ---------------------------------------------------------------- words


def test_refusals_speak_the_words_of_the_callers_tenant_and_of_no_other(
    reception: Reception, raw_client: RawClient
) -> None:
    texts = {"permission_denied": "{product_name} says no", "unauthenticated": "who are you"}
    whitelabel = deep_freeze({"product_name": "Acme CRM", "texts": texts})
    reception.profiles.publish(ACME.id, Profile(config=Config(1, {}, whitelabel)))
    ann = {**MARK, "action": "owners.only"}
    assert error(raw_client.ask(**ann))["user_message"] == "Acme CRM says no"
    gus = {"tenant": "globex", "token": "gus", "action": "owners.only"}
    assert "user_message" not in error(raw_client.ask(**gus))
    stranger = {"tenant": "acme", "action": "marks.add"}
    for fields in ({**gus, "tenant": "acme"}, {**ann, "tenant": "globex"}, stranger):
        assert "user_message" not in error(raw_client.ask(**fields))
