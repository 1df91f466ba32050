"""The AdminConsole over a real socket: who may, what is recorded when, and what waits for what."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
import pytest
from msgspec.structs import replace

from actors.admin.console import audit, in_flight, throttle
from actors.admin.console.actor import FinishCalls, RetryBacklog
from actors.admin.console.in_flight import CallOverdue
from actors.admin.console.throttle import MAX_RECORDED, FlushAttempts
from actors.admin.messages import CommandDone, RemoveMember
from actors.edge.channel import Draining, FlushUses
from actors.errors import (
    ActionError,
    AlreadyExists,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from actors.log.messages import ACTION, ATTEMPTS, INTENT, OUTCOME
from actors.messages import DirectoryChanged, Replies, TenantRequest
from actors.profiles import Config, Profile
from actors.replies import encode_result
from actors.runtime.actor import stop
from actors.runtime.futures import ReplyFuture
from actors.runtime.mailbox import Crashed
from tests.actors.admin.console_harness import (
    ACME,
    LIMITS,
    PEOPLE,
    PERSON,
    REMOVED,
    ConsoleHarness,
    fields,
)
from tests.actors.mailbox_harness import WAIT
from tests.raw_client import Encoding, Map, RawClient


def refuses(_: Any) -> Any:
    """In the Directory's place."""
    raise AlreadyExists("tnt_abcdef was made and shown", user_message="Schon da.")


def code(reply: Map) -> str:
    """What came of it, as the log calls it."""
    return "ok" if reply["ok"] else str(reply["error"]["code"])


# ---------------------------------------------------------------- who may, in which capacity

PARAMS: dict[str, Map] = {"members.remove": {"person": PERSON}, "limits.set": {"mailbox": 5}}
"""Of actions that need any."""

ALLOWED = [
    ("owner", "limits.show", "acme", "owner"),
    ("admin owner", "limits.show", "acme", "admin owner"),
    ("developer", "limits.show", "acme", "developer"),
    ("developer", "limits.show", "asleep", "developer"),
    ("owner of members", "members.remove", "acme", "owner"),
    ("developer", "limits.set", "globex", "developer"),
    ("developer admin", "limits.set", "acme", "developer admin"),
    ("super admin", "members.remove", "acme", "super admin until "),
    ("super admin", "limits.show", "acme", "super admin until "),
    ("super admin", "limits.set", "globex", "developer admin"),
    ("scoped", "limits.show", "acme", "admin owner"),
]

REFUSED = [
    ("member", "limits.show", "acme", "permission_denied", "a member's"),
    ("owner", "members.remove", "acme", "permission_denied", "'members'"),
    ("owner", "limits.set", "acme", "permission_denied", "for developer"),
    ("owner", "limits.show", "globex", "unauthenticated", "no valid token"),
    ("owner", "limits.show", "nowhere", "unauthenticated", "no valid token"),
    ("owner", "limits.show", None, "invalid_argument", "tenant"),
    ("owner", "tenants.list", None, "permission_denied", "for developer"),
    ("owner", "notes.add", "acme", "permission_denied", "data channel"),
    ("scoped", "members.list", "acme", "permission_denied", "limits.show"),
    ("developer", "limits.show", "nowhere", "not_found", "'nowhere'"),
    ("developer", "limits.show", None, "invalid_argument", "tenant"),
    ("developer", "members.remove", "acme", "permission_denied", "super admin on acme"),
    ("developer admin", "notes.add", "acme", "permission_denied", "supers.grant"),
    ("super admin", "notes.add", "globex", "permission_denied", "super admin on globex"),
    ("super admin", "notes.add", "asleep", "permission_denied", "super admin on asleep"),
    ("developer", "tenants.create", None, "permission_denied", "developer admin"),
    ("developer", "limits.shwo", "acme", "not_found", "limits.show"),
]


@pytest.mark.parametrize(("who", "action", "tenant", "capacity"), ALLOWED)
def test_a_caller_acts_in_the_capacity_that_his_token_and_the_tenant_give_him(
    console: ConsoleHarness,
    raw_client: RawClient,
    who: str,
    action: str,
    tenant: str,
    capacity: str,
) -> None:
    """And the log has it, with whom, where, and how it came out."""
    params = PARAMS.get(action, {})
    reply = raw_client.ask(**fields(who, action, tenant, **params))

    assert reply["result"] == (REMOVED if action == "members.remove" else LIMITS)
    entry = console.entries[-1]
    assert entry.capacity.startswith(capacity)
    assert (entry.person, entry.token) == (PEOPLE[who].person, PEOPLE[who].id)
    assert (entry.action, entry.tenant, entry.params) == (action, tenant, params)
    assert (entry.outcome, entry.message) == ("ok", None)
    assert (entry.request_id, entry.trace_id) == (reply["id"], reply["meta"]["trace_id"])


@pytest.mark.parametrize(("who", "action", "tenant", "refusal", "said"), REFUSED)
def test_whoever_may_not_is_told_why_and_is_recorded(
    console: ConsoleHarness,
    raw_client: RawClient,
    who: str,
    action: str,
    tenant: str | None,
    refusal: str,
    said: str,
) -> None:
    """One record for each refusal, counted to the tenant of a tenant's caller."""
    params = PARAMS.get(action, {})
    reply = raw_client.ask(**fields(who, action, tenant, **params))

    assert code(reply) == refusal
    assert said in reply["error"]["message"]
    (entry,) = console.entries
    assert (entry.kind, entry.outcome) == (ACTION, refusal)
    assert reply["error"]["message"] in str(entry.message)
    known = {"acme", "asleep", "globex"} & {str(tenant)}
    assert entry.tenant == (PEOPLE[who].tenant or (known.pop() if known else None))
    assert console.ordered() == []


def test_a_super_admins_grant_makes_the_order_his_as_super_admin(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """The Directory goes by the role acted in."""
    raw_client.ask(**fields("super admin", "members.remove", person=PERSON))
    (order,) = console.ordered()
    assert order.command == RemoveMember("acme", PERSON)
    assert order.by == replace(PEOPLE["super admin"], role="super admin", tenant="acme")


def test_a_grant_is_good_for_a_developer_admin_alone(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Anyone who is one no longer is not helped by a grant that is still about."""
    console.promote(PEOPLE["developer"].person, "acme")
    reply = raw_client.ask(**fields("developer", "members.remove", person=PERSON))
    assert code(reply) == "permission_denied"
    assert console.entries[-1].capacity == "developer"


def test_what_a_tenant_of_anothers_was_asked_for_stands_in_the_record(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """His own owners see it; the other tenant's are not notified of it."""
    raw_client.ask(**fields("owner", "limits.show", "globex"))
    (entry,) = console.entries
    assert (entry.tenant, entry.tenant_id) == ("acme", "a" * 32)
    assert "'globex'" in str(entry.message)


def test_a_tenants_people_are_refused_in_their_tenants_words(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """As on the data channel; developers are not."""
    texts = {"texts": {"permission_denied": "Ask {product_name}."}, "product_name": "Acme"}
    console.profiles.publish("a" * 32, Profile(Config(1, {}, texts)))
    theirs = raw_client.ask(**fields("member", "limits.show"))
    ours = raw_client.ask(**fields("developer", "members.remove", person=PERSON))
    assert theirs["error"]["user_message"] == "Ask Acme."
    assert code(ours) == "permission_denied"
    assert "user_message" not in ours["error"]


def test_system_actions_are_answered_and_not_recorded(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """They administer nothing."""
    assert raw_client.ask(action="system.ping")["ok"]
    assert raw_client.ask(**fields("owner", "system.whoami"))["result"]["role"] == "owner"
    assert console.entries == []


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_both_encodings_are_spoken(
    console: ConsoleHarness, raw_client: RawClient, encoding: Encoding
) -> None:
    """The reply is in the request's."""
    assert raw_client.ask(encoding, **fields("owner", "limits.show"))["result"] == LIMITS


def test_secrets_in_params_stay_out_of_the_log(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Also where the action does not exist, and so has no schema."""
    raw_client.ask(**fields("owner", "no.such", password="hunter2", text="my tnt_abcdef"))
    raw_client.ask(**fields("owner", "limits.show", api_key="hunter2"))
    assert [entry.outcome for entry in console.entries] == [
        "not_found",
        "invalid_argument",
    ]
    assert "hunter2" not in repr(console.log)
    assert "tnt_abcdef" not in repr(console.log)


# ---------------------------------------------------------------- strangers


def test_strangers_hear_the_same_whatever_they_try(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Neither tenants nor actions nor tokens can be found by trying, and nothing is asked of anybody."""
    tries: list[Map] = [
        {"action": "limits.show", "tenant": "acme"},
        {"action": "limits.show", "tenant": "nowhere"},
        {"action": "no.such"},
        {"action": "desk.door", "tenant": "acme"},
        fields("unknown", "limits.show"),
        fields("unknown", "limits.show", "nowhere"),
        fields("unknown", "desk.door"),
        fields("owne", "limits.show"),
        fields("", "limits.show"),
    ]
    replies = [raw_client.ask(**each) for each in tries]
    assert {reply["error"]["code"] for reply in replies} == {"unauthenticated"}
    assert len({reply["error"]["message"] for reply in replies}) == 1
    assert {name for name, _ in console.log} <= {"audit_log", "clock"}


def test_strangers_do_not_fill_the_log(console: ConsoleHarness, raw_client: RawClient) -> None:
    """A few of each minute have records of their own, with no word of theirs but the names they used."""
    for _ in range(3 * MAX_RECORDED):
        raw_client.ask(**fields("unknown", "limits.show", filler="x" * 1000))
    console.settled()
    assert [entry.kind for entry in console.entries] == [ACTION] * MAX_RECORDED
    assert {entry.outcome for entry in console.entries} == {"unauthenticated"}
    assert {entry.params for entry in console.entries} == {None}

    console.due(FlushAttempts)
    console.settled()
    assert console.entries[-1].kind == ATTEMPTS
    assert str(console.entries[-1].message).startswith(f"{2 * MAX_RECORDED} more")


# ---------------------------------------------------------------- what is recorded when


def test_a_super_admins_action_stands_in_the_log_before_it_happens(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Intent, effect, outcome; both records of one trace, and the reply comes last."""
    console.stubs["audit_log"].holding = True
    raw_client.post(**fields("super admin", "members.remove", person=PERSON))

    intent = console.stubs["audit_log"].asked()
    console.settled()
    assert console.order() == [INTENT]
    console.stubs["audit_log"].settle(intent)
    outcome = console.stubs["audit_log"].asked()
    assert console.order() == [INTENT, "RemoveMember", OUTCOME]
    assert raw_client.until_ping() == []
    console.stubs["audit_log"].settle(outcome)

    assert raw_client.receive()["result"] == REMOVED
    first, second = console.entries
    assert (first.outcome, second.outcome) == (None, "ok")
    assert first.trace_id == second.trace_id
    assert first.params == second.params == {"person": PERSON}


@pytest.mark.parametrize("action", ["members.remove", "limits.show", "notes.add"])
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (DirectoryChanged(ended=("g_" + "1" * 16,)), "aborted"),
        (DirectoryChanged(revoked=(sha256(b"super admin").digest(),)), "unauthenticated"),
    ],
)
def test_a_grant_or_token_that_ends_while_the_intent_is_written_is_not_used(
    console: ConsoleHarness,
    raw_client: RawClient,
    action: str,
    change: DirectoryChanged,
    refusal: str,
) -> None:
    """However long the disk takes; the log says that nothing came of it."""
    log = console.stubs["audit_log"]
    log.holding = True
    params = {"person": PERSON} if action == "members.remove" else {}
    raw_client.post(**fields("super admin", action, **params))
    intent = log.asked()
    console.mailbox.tell(change)
    console.settled()
    log.holding = False
    log.settle(intent)

    assert code(raw_client.receive()) == refusal
    assert [(entry.kind, entry.outcome) for entry in console.entries] == [
        (INTENT, None),
        (OUTCOME, refusal),
    ]
    assert [name for name, _ in console.log if name in ("directory", "supervisor")] == []


@pytest.mark.parametrize("action", ["members.remove", "limits.show", "notes.add"])
def test_what_a_super_admin_wants_is_not_done_where_it_cannot_be_recorded(
    console: ConsoleHarness, raw_client: RawClient, action: str
) -> None:
    """Whatever it is: a change, a look, or work of the tenant's own."""
    console.is_full = True
    params = {"person": PERSON} if action == "members.remove" else {}
    reply = raw_client.ask(**fields("super admin", action, **params))

    assert code(reply) == "unavailable"
    assert "nothing was done" in reply["error"]["message"]
    assert reply["error"]["retry_after_ms"] > 0
    assert {name for name, _ in console.log} <= {"audit_log", "clock"}
    assert console.tenant.is_idle()


def test_everybody_elses_reply_waits_for_the_record(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """What a caller knows to be done is in the log."""
    console.stubs["audit_log"].holding = True
    raw_client.post(**fields("developer", "limits.set", mailbox=5))
    record = console.stubs["audit_log"].asked()

    assert console.order() == ["SetLimits", ACTION]
    assert raw_client.until_ping() == []
    console.stubs["audit_log"].settle(record)
    assert raw_client.receive()["ok"]


def test_what_is_done_is_confirmed_once_it_is_recorded(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Until then nothing more is changed; looking is allowed."""
    console.is_full = True
    done = raw_client.ask(**fields("developer", "limits.set", "acme", mailbox=5))
    refused = raw_client.ask(**fields("developer", "limits.set", "globex", mailbox=6))
    seen = raw_client.ask(**fields("developer", "limits.show", "acme"))

    assert [code(done), code(refused), code(seen)] == ["unavailable", "unavailable", "ok"]
    assert "it is not confirmed yet" in done["error"]["message"]
    assert "send it again with the same id" in done["error"]["message"]
    assert done["error"]["retry_after_ms"]
    assert "nothing was done" in refused["error"]["message"]
    assert len(console.ordered()) == 1
    assert console.entries == []

    console.is_full = False
    assert raw_client.ask(**fields("developer", "limits.set", "globex", mailbox=7))["ok"]
    assert [(entry.action, entry.outcome) for entry in console.entries] == [
        ("limits.set", "ok"),
        ("limits.set", "unavailable"),
        ("limits.show", "ok"),
        ("limits.set", "ok"),
    ]


def test_what_was_kept_is_recorded_also_where_nobody_calls(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """The Clock reminds of it, again and again, once at a time."""
    console.is_full = True
    raw_client.ask(**fields("developer", "limits.show"))
    raw_client.ask(**fields("developer", "limits.show"))
    assert console.due(RetryBacklog) > 0
    console.settled()
    console.is_full = False
    console.due(RetryBacklog)
    console.settled()

    assert len(console.entries) == 2
    with pytest.raises(AssertionError, match="nobody asked"):
        console.due(RetryBacklog)


def test_with_too_much_unrecorded_nothing_is_done_at_all(
    console: ConsoleHarness, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is not the place for a log; refusals are then left out, and said so in the error log."""
    monkeypatch.setattr(audit, "MAX_BACKLOG", 2)
    console.is_full = True
    replies = [raw_client.ask(**fields("developer", "limits.show")) for _ in range(4)]

    assert [code(reply) for reply in replies] == ["ok", "ok", "unavailable", "unavailable"]
    assert len(console.mailbox.backlog) == 2


def test_a_defect_is_recorded_as_one(console: ConsoleHarness, raw_client: RawClient) -> None:
    """The caller gets the trace id, never the error; the console goes on."""

    def fails(message: Any) -> Any:
        raise ZeroDivisionError("a secret of the engine")

    console.stubs["directory"].answer = fails
    reply = raw_client.ask(**fields("developer", "limits.show"))
    assert code(reply) == "internal"
    assert "secret" not in str(reply)
    assert console.entries[-1].outcome == "internal"
    assert raw_client.ask(action="system.ping")["ok"]


def test_what_the_directory_refuses_is_refused_in_its_words(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Code, message and all; but no token of ours gets into the log."""
    console.stubs["directory"].answer = refuses
    reply = raw_client.ask(**fields("developer", "limits.set", mailbox=1))
    assert reply["error"] == {
        "code": "already_exists",
        "message": "tnt_abcdef was made and shown",
        "user_message": "Schon da.",
    }
    assert console.entries[-1].outcome == "already_exists"
    assert "tnt_abcdef" not in str(console.entries[-1].message)


def test_a_result_that_does_not_fit_is_a_defect(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """What is promised in the index is what callers get, or they are notified that something is wrong."""
    console.stubs["directory"].answer = lambda _: {"limits": "none"}
    assert code(raw_client.ask(**fields("developer", "limits.show"))) == "internal"
    assert console.entries[-1].outcome == "internal"


# ---------------------------------------------------------------- once for each id


def test_an_order_carries_what_makes_it_safe_to_repeat(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """The same for the same content; another for another tenant or other params."""
    same = fields("developer", "limits.set", "acme", mailbox=5, burst=6)
    again = fields("developer", "limits.set", "acme", burst=6, mailbox=5)
    others = [
        fields("developer", "limits.set", "globex", mailbox=5, burst=6),
        fields("developer", "limits.set", "acme", mailbox=5),
    ]
    for each in (same, again, *others):
        raw_client.ask(**each, id="r1")

    receipts = [order.receipt for order in console.ordered()]
    assert [(each.caller, each.id) for each in receipts if each] == [
        (PEOPLE["developer"].person, "r1")
    ] * 4
    digests = [each.digest for each in receipts if each]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_same_order_on_another_tenant_of_that_name_is_another_order(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """What was done for one that is deleted is not taken as done for the one that has its name now."""
    wanted = fields("developer", "limits.set", "acme", mailbox=5)
    raw_client.ask(**wanted, id="r1")
    console.mailbox.tell(DirectoryChanged(forgotten=(ACME,)))
    console.mailbox.tell(DirectoryChanged((replace(ACME, id="9" * 32),)))
    raw_client.ask(**wanted, id="r1")

    first, second = (order.receipt for order in console.ordered())
    assert first is not None
    assert second is not None
    assert first.digest != second.digest


def test_a_repeated_order_says_so_to_its_caller_and_to_the_log(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Nothing was done twice."""
    console.stubs["directory"].answer = lambda _: CommandDone(LIMITS, replayed=True)
    reply = raw_client.ask(**fields("developer", "limits.set", mailbox=5))
    assert reply["meta"]["replayed"] is True
    assert (console.entries[-1].outcome, console.entries[-1].message) == ("ok", "replayed")
    assert "replayed" not in raw_client.ask(**fields("developer", "limits.show"))["meta"]


# ---------------------------------------------------------------- waiting


def test_a_call_that_waits_holds_up_nobody(console: ConsoleHarness, raw_client: RawClient) -> None:
    """Neither others, nor the same caller's next one."""
    directory = console.stubs["directory"]
    directory.holding = True
    slow = raw_client.post(**fields("developer", "limits.show"))
    waiting = directory.asked()
    directory.holding = False

    assert raw_client.ask(**fields("owner", "limits.show"))["ok"]
    directory.settle(waiting)
    assert raw_client.receive()["id"] == slow


def test_a_change_whose_end_does_not_come_in_time_is_unknown_to_its_caller(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """What comes late is still recorded, and answered to no one."""
    console.stubs["directory"].holding = True
    raw_client.post(**fields("developer", "limits.set", mailbox=5), timeout_ms=7000)
    late = console.stubs["directory"].asked()
    assert 0 < console.due(CallOverdue) <= 7
    reply = raw_client.receive()

    assert code(reply) == "unavailable"
    assert "not known" in reply["error"]["message"]
    assert "same id" in reply["error"]["message"]
    console.stubs["directory"].settle(late)
    console.settled()
    assert raw_client.until_ping() == []
    assert [(entry.kind, entry.outcome) for entry in console.entries] == [(ACTION, "ok")]


def test_a_look_that_comes_too_late_has_changed_nothing(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """And its caller is told that."""
    console.stubs["directory"].holding = True
    raw_client.post(**fields("developer", "limits.show"))
    late = console.stubs["directory"].asked()
    console.due(CallOverdue)
    reply = raw_client.receive()
    assert code(reply) == "deadline_exceeded"
    assert "nothing was changed" in reply["error"]["message"]

    console.stubs["directory"].answer = refuses
    console.stubs["directory"].settle(late)
    console.settled()
    assert raw_client.until_ping() == []
    assert console.entries[-1].outcome == "already_exists"


def test_what_is_not_begun_in_time_is_not_begun(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """A super admin's intent may take longer than he waits: then it stays one."""
    console.stubs["audit_log"].holding = True
    raw_client.post(**fields("super admin", "members.remove", person=PERSON))
    intent = console.stubs["audit_log"].asked()
    console.settled()  # the call is handed on before the clock is asked
    console.due(CallOverdue)
    reply = raw_client.receive()
    assert (code(reply), "nothing was done" in reply["error"]["message"]) == (
        "deadline_exceeded",
        True,
    )

    console.stubs["audit_log"].holding = False
    console.stubs["audit_log"].settle(intent)
    console.settled()
    assert console.order() == [INTENT, OUTCOME]
    assert console.entries[-1].outcome == "deadline_exceeded"


def test_only_so_many_calls_are_under_way(
    console: ConsoleHarness, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes on top is refused at once, before anything is looked at."""
    monkeypatch.setattr(in_flight, "MAX_CALLS", 2)
    directory = console.stubs["directory"]
    directory.holding = True
    for _ in range(2):
        raw_client.post(**fields("developer", "limits.show"))
    waiting = [directory.asked(), directory.asked()]
    reply = raw_client.ask(**fields("developer", "limits.show"))
    assert code(reply) == "resource_exhausted"
    assert reply["error"]["retry_after_ms"] > 0

    for each in waiting:
        directory.settle(each)
    assert [raw_client.receive()["ok"], raw_client.receive()["ok"]] == [True, True]
    directory.holding = False
    assert raw_client.ask(**fields("developer", "limits.show"))["ok"]


def test_one_tenants_calls_leave_room_for_those_of_others(
    console: ConsoleHarness, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anyone who keeps his own tenant busy cannot keep an operator from suspending it."""
    monkeypatch.setattr(in_flight, "MAX_CALLS_PER_PARTY", 2)
    directory = console.stubs["directory"]
    directory.holding = True
    for who in ("owner", "admin owner"):
        raw_client.post(**fields(who, "limits.show"))
    waiting = [directory.asked(), directory.asked()]
    reply = raw_client.ask(**fields("owner of members", "limits.show"))
    assert code(reply) == "resource_exhausted"
    assert "of acme" in reply["error"]["message"]

    directory.holding = False
    assert raw_client.ask(**fields("developer", "limits.show"))["ok"]
    for each in waiting:
        directory.settle(each)
    assert len(raw_client.replies(2)) == 2


def test_who_asks_too_fast_fills_no_log(
    console: ConsoleHarness, raw_client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record for each call up to a rate, also for those that are refused; one that counts the others."""
    monkeypatch.setattr(throttle, "BURST", 3.0)
    monkeypatch.setattr(throttle, "RATE", 0.001)
    replies = [raw_client.ask(**fields("member", "limits.show")) for _ in range(6)]
    assert [code(each) for each in replies] == ["permission_denied"] * 3 + [
        "resource_exhausted"
    ] * 3
    assert replies[-1]["error"]["retry_after_ms"] > 0
    assert raw_client.ask(**fields("developer", "limits.show"))["ok"]
    console.mailbox.tell(FlushUses())
    console.settled()

    attempts = [entry for entry in console.entries if entry.kind == ATTEMPTS]
    assert [(each.person, each.tenant, each.outcome) for each in attempts] == [
        (PEOPLE["member"].person, "acme", "resource_exhausted")
    ] * 2
    assert str(attempts[0].message) == "once faster than one person may"
    assert str(attempts[1].message).startswith("2 times in ")
    assert len(console.entries) == 3 + 1 + len(attempts)


def test_a_console_that_fails_leaves_nobody_without_a_reply(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """What was under way may have been done: its callers are told that no one knows."""
    console.stubs["directory"].holding = True
    raw_client.post(**fields("developer", "limits.set", mailbox=5))
    console.stubs["directory"].asked()
    local = console.locally("limits.show", "acme")
    console.stubs["directory"].asked()
    done = ReplyFuture()
    console.mailbox.tell(FinishCalls(done))
    console.mailbox.tell("a message of no kind")

    reply = raw_client.receive()
    assert code(reply) == "unavailable"
    assert "not known" in reply["error"]["message"]
    with pytest.raises(Unavailable):
        local.get(timeout=WAIT)
    assert done.get(timeout=WAIT)
    assert isinstance(console.supervisor.hear(), Crashed)
    console.mailbox.socket.close()


@pytest.mark.parametrize("who", ["admin owner", "super admin"])
def test_what_a_console_that_fails_had_begun_is_recorded_by_the_next(
    console: ConsoleHarness, raw_client: RawClient, who: str
) -> None:
    """The Directory may have done it: no action goes without a record because another message was wrong."""
    console.stubs["directory"].holding = True
    raw_client.post(**fields(who, "members.remove", person=PERSON))
    console.stubs["directory"].asked()
    begun = len(console.entries)
    console.fail()
    assert raw_client.receive()["error"]["code"] == "unavailable"
    console.due(RetryBacklog)
    console.settled()

    (entry,) = console.entries[begun:]
    assert entry.kind == (OUTCOME if who == "super admin" else ACTION)
    assert (entry.action, entry.params) == ("members.remove", {"person": PERSON})
    assert (entry.person, entry.outcome) == (PEOPLE[who].person, "unavailable")
    assert "not known whether it was done" in str(entry.message)


def test_what_came_of_a_call_is_recorded_where_the_console_fails_over_the_record(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """As it was, rather twice than not at all."""
    console.stubs["audit_log"].holding = True
    raw_client.post(**fields("admin owner", "members.remove", person=PERSON))
    console.stubs["audit_log"].asked()
    console.fail()
    console.stubs["audit_log"].holding = False
    console.due(RetryBacklog)
    console.settled()
    assert [(entry.action, entry.outcome) for entry in console.entries] == [
        ("members.remove", "ok")
    ]


# ---------------------------------------------------------------- what is the tenant's own


def answered(work: TenantRequest, console: ConsoleHarness, result: Map) -> None:
    """Do a tenant's work."""
    route = console.table.routes[work.request.action]
    work.outlet.tell(Replies([(work.peer, encode_result(work, route, result))]))


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_super_admin_reaches_the_tenants_own_actions(
    console: ConsoleHarness, raw_client: RawClient, encoding: Encoding
) -> None:
    """The tenant does the work in its database and answers; the log has it before and after."""
    id_ = raw_client.post(encoding, **fields("super admin", "notes.add", text="by the book"))
    work = console.tenant.work()
    assert console.order() == [INTENT]
    assert (work.principal.role, work.principal.tenant) == ("super admin", "acme")
    assert work.request.params == {"text": "by the book"}
    answered(work, console, {"id": 7})

    reply = raw_client.receive()
    assert (reply["id"], reply["result"]) == (id_, {"id": 7})
    assert [entry.kind for entry in console.entries] == [INTENT, OUTCOME]
    assert console.entries[-1].outcome == "ok"
    assert console.entries[-1].params == {"text": "by the book"}


def test_an_owner_reaches_what_his_index_puts_on_the_admin_channel(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """As himself, and recorded like all administration."""
    raw_client.post(**fields("owner", "desk.open"))
    work = console.tenant.work()
    assert work.principal == PEOPLE["owner"]
    answered(work, console, {})
    assert raw_client.receive()["ok"]
    assert [(entry.kind, entry.capacity) for entry in console.entries] == [(ACTION, "owner")]


def test_what_a_tenant_refuses_is_recorded_with_its_code(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """The reply goes on as it came."""
    raw_client.post(**fields("super admin", "notes.add"))
    work = console.tenant.work()
    refusal = {"v": 1, "id": work.request.id, "ok": False, "meta": {"trace_id": work.trace_id}}
    refusal["error"] = {"code": "aborted", "message": "a revision moved"}
    work.outlet.tell(Replies([(work.peer, msgpack.packb(refusal))]))

    assert raw_client.receive()["error"]["message"] == "a revision moved"
    assert (console.entries[-1].outcome, console.entries[-1].message) == (
        "aborted",
        "a revision moved",
    )


def test_a_tenant_with_a_full_mailbox_refuses_at_once(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """As on the data channel."""
    console.tenant.is_full = True
    reply = raw_client.ask(**fields("super admin", "notes.add"))
    assert code(reply) == "resource_exhausted"
    assert reply["error"]["retry_after_ms"] > 0


def test_a_suspended_tenant_is_administered_and_does_not_work(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Its own actions wait for better days."""
    grant = PEOPLE["super admin"].person
    assert code(raw_client.ask(**fields("developer", "limits.show", "asleep"))) == "ok"
    console.promote(grant, "asleep")
    reply = raw_client.ask(**fields("super admin", "notes.add", "asleep"))
    assert code(reply) == "unavailable"
    assert "suspended" in reply["error"]["message"]


# ---------------------------------------------------------------- from within


def test_the_process_itself_asks_in_capacity_console(console: ConsoleHarness) -> None:
    """No rule is asked; the log has it all the same, and no receipt is needed."""
    result = console.locally("members.remove", "acme", person=PERSON).get(timeout=WAIT)
    assert result == REMOVED
    (order,) = console.ordered()
    assert (order.by.id, order.by.role, order.by.person, order.receipt) == (
        "console",
        "console",
        "",
        None,
    )
    (entry,) = console.entries
    assert (entry.capacity, entry.person, entry.token) == ("console", None, None)
    assert (entry.tenant, entry.outcome) == ("acme", "ok")


@pytest.mark.parametrize(
    ("action", "tenant", "params", "error"),
    [
        ("limits.show", "nowhere", {}, NotFound),
        ("limits.show", None, {}, InvalidArgument),
        ("no.such", None, {}, NotFound),
        ("notes.add", "acme", {}, InvalidArgument),
        ("members.remove", "acme", {"person": "Bob"}, InvalidArgument),
    ],
)
def test_what_is_refused_from_within_is_raised(
    console: ConsoleHarness, action: str, tenant: str | None, params: Map, error: type[ActionError]
) -> None:
    """As the error that it is; and recorded."""
    with pytest.raises(error):
        console.locally(action, tenant, **params).get(timeout=WAIT)
    assert console.entries[-1].outcome == error.code


def test_the_wiring_may_ask_before_the_directory_has_spoken(tmp_path: Path) -> None:
    """The first developer admin is made while everything starts; callers on the socket wait a little."""
    console = ConsoleHarness(tmp_path, informed=False)
    with console.raw_client() as raw_client:
        early = console.locally("limits.show", "acme")
        console.settled()
        assert not early.done()
        assert code(raw_client.ask(**fields("owner", "limits.show"))) == "unavailable"
        console.inform()
        assert early.get(timeout=WAIT) == LIMITS
    console.close()


# ---------------------------------------------------------------- stopping


def test_a_stopping_console_refuses_the_new_and_finishes_the_old(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Its end is told once all that was accepted is answered."""
    directory = console.stubs["directory"]
    directory.holding = True
    old = raw_client.post(**fields("developer", "limits.show"))
    waiting = directory.asked()
    console.mailbox.tell(Draining())
    done = ReplyFuture()
    console.mailbox.tell(FinishCalls(done))

    refused = raw_client.ask(**fields("developer", "limits.show"))
    assert code(refused) == "unavailable"
    with pytest.raises(Unavailable):
        console.locally("limits.show", "acme").get(timeout=WAIT)
    assert not done.done()
    directory.settle(waiting)
    assert raw_client.receive()["id"] == old
    assert done.get(timeout=WAIT)


def test_an_idle_console_is_finished_at_once(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """Having counted the strangers that have no record."""
    for _ in range(MAX_RECORDED + 1):
        raw_client.ask(action="limits.show")
    done = ReplyFuture()
    console.mailbox.tell(FinishCalls(done))
    assert done.get(timeout=WAIT)
    assert console.entries[-1].kind == ATTEMPTS


def test_what_a_console_leaves_when_it_stops_is_told_to_the_log(
    console: ConsoleHarness, raw_client: RawClient
) -> None:
    """What it kept, and what did not end in time: the log is there for a little longer."""
    console.is_full = True
    assert raw_client.ask(**fields("developer", "limits.show"))["ok"]
    console.is_full = False
    console.stubs["directory"].holding = True
    raw_client.post(**fields("developer", "limits.show"))
    console.stubs["directory"].asked()
    stop(console.mailbox, WAIT)

    assert code(raw_client.receive()) == "unavailable"
    assert [entry.outcome for entry in console.entries] == ["ok", "unavailable"]
    assert str(console.entries[-1].message) == "the server stopped; nothing was done"
