"""The IntentMonitor alone: what it counts, the steps it takes, and whom it sends what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from actors.access import MACHINE
from actors.admin.intent_messages import (
    ClearStanding,
    ListStandings,
    SuspendToken,
    Sweep,
    TokenSuspended,
)
from actors.admin.intent_monitor import IntentMonitor, IntentPeers
from actors.intent.suspicions import LogStep, Origin, Slowdowns, Suspicion, Suspicions
from actors.log.messages import ALERT, Append, AuditEntry
from actors.messages import ANYONE, Principal
from actors.runtime.actor import ask
from actors.runtime.mailbox import Mailbox
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.actors.router_harness import ACME, SNAPSHOT
from transport.request.model import Request

ANN = Principal("t_ann", "acme", "member", person="p_ann")

HERE = Origin("ab", "192.0.2.7", "laptop")


class Post:
    """The monitor, whose clock the test sets; peers that only listen."""

    def __init__(self) -> None:
        self.harness = MailboxHarness()
        self.directory, self.audit, self.router = Watch(), Watch(), Watch()
        self.slowdowns = Slowdowns()
        self.now = 1000.0
        self.mailbox: Mailbox = self.harness.mailbox("intent monitor")
        IntentMonitor.start(
            self.mailbox,
            IntentPeers(self.directory, self.audit, self.router),
            SNAPSHOT,
            self.slowdowns,
            lambda: self.now,
            lambda: 1_800_000_000.0 + self.now,
        )

    def send(self, outcome: str, count: int = 1, start: int = 0, **fields: Any) -> None:
        """So many messages with ids of their own, counted before this returns."""
        caller = fields.get("caller", ANN)
        tenant = None if caller.tenant is None else ACME
        origin = fields.get("origin", HERE)
        found = []
        for at in range(start, start + count):
            token = fields.get("token") and f"{fields['token']}-{at}"
            params = {"id": 7 if fields.get("same") else at}
            action = fields.get("action", "marks.get")
            request = Request(id=f"r-{at}", action=action, params=params, token=token)
            found.append(Suspicion(outcome, request, caller, tenant, f"{at:032x}", b"c", origin))
        ask(self.mailbox, Suspicions(tuple(found)), WAIT)

    def listed(self, tenant_id: str | None = ACME.id) -> list[dict[str, Any]]:
        """As `intent.list` asks for it."""
        found: list[dict[str, Any]] = ask(self.mailbox, ListStandings(tenant_id, 10), WAIT)
        return found

    def records(self) -> list[AuditEntry]:
        """What has come to the admin log since the last call."""
        appended = self.audit.heard()
        assert all(isinstance(each, Append) for each in appended)
        return [each.entry for each in appended]


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.harness.empty()


def test_the_steps_are_logged_slowed_and_suspended_one_record_each(post: Post) -> None:
    post.send("not_found", 63)
    assert [entry.action for entry in post.records()] == [
        "intent.log",
        "intent.slow",
        "intent.suspend",
    ]
    (order,) = post.directory.heard()
    assert isinstance(order, SuspendToken)
    assert (order.token, order.why.partition(":")[0]) == ("t_ann", "enumeration")
    assert post.slowdowns.tokens == {"t_ann"}
    assert [each["step"] for each in post.listed()] == ["suspend"]


def test_a_record_says_of_whom_and_what_and_from_where(post: Post) -> None:
    post.send("not_found", 21)
    (entry,) = post.records()
    assert entry == AuditEntry(
        kind=ALERT,
        action="intent.log",
        capacity="machine",
        person="p_ann",
        token="t_ann",
        tenant="acme",
        tenant_id=ACME.id,
        outcome="ok",
        message=(
            "token t_ann: enumeration: more than 20 different ids that do not exist, beside one each 10 s "
            "(from 192.0.2.7, with the key laptop)"
        ),
        trace_id=f"{20:032x}",
    )


def test_the_same_id_again_and_one_now_and_then_are_nothing(post: Post) -> None:
    post.send("not_found", 500, same=True)
    for at in range(60):
        post.now += 10.0
        post.send("not_found", start=1000 + at)
    assert post.records() == []
    assert post.listed() == []


def test_steps_decay_and_slowness_ends(post: Post) -> None:
    post.send("not_found", 42)
    assert post.slowdowns.tokens == {"t_ann"}
    assert post.listed()[0]["decays_at"] == "2027-01-15T08:26:40Z"
    post.now += 600.0
    ask(post.mailbox, Sweep(), WAIT)
    assert post.slowdowns.tokens == frozenset()
    assert [each["step"] for each in post.listed()] == ["log"]
    post.now += 600.0
    ask(post.mailbox, Sweep(), WAIT)
    assert post.listed() == []


def test_a_suspension_is_ordered_until_the_directory_confirms_it(post: Post) -> None:
    post.send("not_found", 63)
    ask(post.mailbox, Sweep(), WAIT)
    assert len(post.directory.heard()) == 2
    ask(post.mailbox, TokenSuspended("t_ann"), WAIT)
    ask(post.mailbox, Sweep(), WAIT)
    assert post.directory.heard() == []


def test_what_is_cleared_begins_anew(post: Post) -> None:
    post.send("not_found", 63)
    assert ask(post.mailbox, ClearStanding("t_ann"), WAIT) is True
    assert ask(post.mailbox, ClearStanding("t_ann"), WAIT) is False
    assert post.slowdowns.tokens == frozenset()
    post.send("not_found", 20, start=900)
    assert post.listed() == []


def test_a_tenant_is_reported_and_neither_slowed_nor_suspended(post: Post) -> None:
    for number in range(8):
        member = replace(ANN, id=f"t_{number}", person=f"p_{number}")
        post.send("rejected", 40, start=100 * number, caller=member)
    of_tenant = [each for each in post.records() if each.token is None]
    assert [(each.action, each.tenant) for each in of_tenant] == [("intent.log", "acme")]
    assert {each["step"] for each in post.listed() if each["kind"] == "tenant"} == {"log"}
    assert ACME.id not in post.slowdowns.tokens


def test_wrong_tokens_count_by_address(post: Post) -> None:
    post.send("wrong_token", 80, caller=ANYONE, token="guess")
    assert [(each.action, each.tenant) for each in post.records()] == [
        ("intent.log", None),
        ("intent.slow", None),
    ]
    assert post.slowdowns.addresses == {"192.0.2.7"}
    assert post.listed() == []
    assert [each["id"] for each in post.listed(None)] == ["192.0.2.7"]


def test_the_router_logs_the_address_of_what_a_tenant_has_reported(post: Post) -> None:
    post.send("not_found", 21, origin=None)
    (logged,) = post.router.heard()
    assert isinstance(logged, LogStep)
    assert (logged.connection, logged.fields["step"]) == (b"c", "log")


def test_what_goes_on_is_logged_once_a_minute_and_recorded_once(post: Post) -> None:
    post.send("not_found", 105, origin=None)
    assert len(post.router.heard()) == 3
    post.now += 60.0
    post.send("not_found", 84, start=900, origin=None)
    (again,) = post.router.heard()
    assert again.fields["step"] == "suspend"
    assert len(post.records()) == 3


def test_what_the_server_does_for_itself_is_counted_against_no_token(post: Post) -> None:
    post.send("ok", 400, caller=Principal("outbox", None, MACHINE), action="marks.remove")
    assert post.records() == []


def test_a_signal_about_actions_counts_no_other(post: Post) -> None:
    post.send("ok", 400, action="marks.add")
    assert post.records() == []
    post.send("ok", 60, action="marks.remove")
    assert [entry.action for entry in post.records()] == ["intent.log"]
