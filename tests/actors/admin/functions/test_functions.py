"""The engine's own actions: what each asks of whom, for params as callers send them."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import pytest
from msgspec.structs import replace
from pykka._envelope import Envelope

from actors.admin import messages as asked_for
from actors.admin.connector_messages import ConfigureConnector, ShowConnector
from actors.admin.console.context import AdminContext, command_fingerprint
from actors.admin.functions.audit import FIRST_TO_LAST
from actors.admin.functions.logs import ERROR, MOST_PAGES
from actors.admin.messages import CommandDone, Execute
from actors.errors import ActionError, InvalidArgument, NotFound
from actors.index.parser import built_in_index
from actors.log.lines import MEMBERS
from actors.log.messages import (
    AskActionStats,
    AskHead,
    AskStats,
    AskTenantStats,
    ReadPage,
    SearchLogs,
    Verify,
)
from actors.messages import Principal, Receipt, TenantRecord, Unserved
from actors.registry.shared import Actors
from actors.routing.table import RoutingTable
from actors.runtime.futures import Awaiting, CoroutineDriver, Raised, Returned, resolve
from actors.runtime.mailbox import Mailbox
from transport.message import Refusal

ACTIONS = {
    name: action for name, action in built_in_index().actions.items() if action.channel != "data"
}

ACME = TenantRecord("acme", "a" * 32)
ADA = Principal("t_" + "1" * 16, "acme", "admin owner", person="p_" + "1" * 16)
DEV = Principal("t_" + "2" * 16, None, "developer")
RECEIPT = Receipt(ADA.person, "r1", b"digest", ADA.id)
PERSON = "p_" + "a" * 16
TOKEN = "t_" + "b" * 16
GRANT = "g_" + "c" * 16


class Desk(Mailbox):
    """An actor's mailbox in which no one lives: what is asked is there to be seen."""

    __slots__ = ("asked",)

    def __init__(self, name: str) -> None:
        super().__init__(name, lambda _: None)
        self.asked: list[Envelope[Any]] = []

    def tell(self, message: Any) -> None:
        """Keep it."""
        self.asked.append(message)


class StubIndex(NamedTuple):
    """The part of an index that functions read: it has no actions that are built in."""

    actions: Mapping[str, Any] = MappingProxyType({"contacts.add": None})


class Stub(NamedTuple):
    """The parts of a routing table that functions read."""

    routes: Mapping[str, Any] = MappingProxyType({"contacts.add": None, "tokens.issue": None})
    connectors: Mapping[str, Any] = MappingProxyType({"mail": None})
    described: StubIndex = StubIndex()


class NoConnectors(dict[str, Mailbox]):
    """No one to call."""

    awake: tuple[Mailbox, ...] = ()


def desks() -> Actors:
    """An empty desk in each actor's place."""
    names = [name for name in Actors._fields if name != "connectors"]
    return Actors(**{name: Desk(name) for name in names}, connectors=NoConnectors())


def context(
    actors: Actors, action: str, tenant: TenantRecord | None = ACME, caller: Principal = ADA
) -> AdminContext:
    """What the console would hand to a function."""
    return AdminContext(
        tenant=tenant,
        caller=caller,
        action=action,
        now=datetime.now(UTC),
        trace_id="0" * 32,
        table=cast("RoutingTable", Stub()),
        actors=actors,
        receipt=RECEIPT,
    )


def start(ctx: AdminContext, params: dict[str, Any]) -> tuple[CoroutineDriver, Any]:
    """Run an action's function on params as they came, up to its first wait."""
    action = ACTIONS[ctx.action]
    module, _, name = (action.versions[0].code or "").partition(":")
    function = getattr(importlib.import_module(module), name)
    stepper = CoroutineDriver(function(ctx, action.params.parse(params)))
    return stepper, stepper.step()


def refusal(action: str, params: dict[str, Any], **who: Any) -> ActionError:
    """What a function refuses with by itself, having asked no one."""
    actors = desks()
    _, step = start(context(actors, action, **who), params)
    assert isinstance(step, Raised)
    assert [desk.asked for desk in actors if isinstance(desk, Desk) and desk.asked] == []
    assert isinstance(step.error, ActionError)
    return step.error


ASKED: list[tuple[str, str, dict[str, Any], Any]] = [
    ("tenants.list", "directory", {}, asked_for.ListTenants("", 50, None)),
    (
        "tenants.list",
        "directory",
        {"after": "a", "limit": 2, "status": "suspended"},
        asked_for.ListTenants("a", 2, "suspended"),
    ),
    ("owners.list", "directory", {}, asked_for.ListOwners("acme")),
    ("members.list", "directory", {"limit": 7}, asked_for.ListMembers("acme", "", 7)),
    (
        "tokens.list",
        "directory",
        {"person": PERSON},
        asked_for.ListTokens("acme", PERSON, "", 50),
    ),
    ("config.show", "directory", {}, asked_for.ShowConfig("acme", None)),
    ("config.show", "directory", {"revision": 0}, asked_for.ShowConfig("acme", 0)),
    ("config.history", "directory", {"before": 9}, asked_for.ListConfigs("acme", 9, 50)),
    ("subscriptions.list", "directory", {}, asked_for.ListSubscriptions("acme")),
    (
        "connectors.settings",
        "directory",
        {"connector": "mail"},
        ShowConnector("acme", "mail"),
    ),
    ("limits.show", "directory", {}, asked_for.ShowLimits("acme")),
    ("functions.testers", "directory", {}, asked_for.ListTesters("acme", None, "", 50)),
    (
        "functions.testers",
        "directory",
        {"function": "gone", "after": "acme a.b", "limit": 200},
        asked_for.ListTesters("acme", "gone", "acme a.b", 200),
    ),
    ("supers.list", "directory", {}, asked_for.ListSupers("acme")),
    ("developers.list", "directory", {}, asked_for.ListDevelopers()),
    ("developers.tokens", "directory", {}, asked_for.ListTokens(None, None, "", 50)),
    (
        "audit.list",
        "audit_reader",
        {"before": 5, "action": "tenants.create", "person": PERSON},
        ReadPage(5, 50, ACME.id, "tenants.create", PERSON),
    ),
    ("audit.verify", "audit_reader", {"head": "f" * 64}, Verify("f" * 64)),
    ("audit.verify", "audit_reader", {}, Verify(None)),
    ("audit.head", "audit_log", {}, AskHead()),
    ("stats.show", "stats", {}, AskStats(ACME.id)),
    ("stats.actions", "stats", {}, AskActionStats(ACME.id, None)),
    ("stats.actions", "stats", {"action": "a.b"}, AskActionStats(ACME.id, "a.b")),
    ("stats.tenants", "stats", {}, AskTenantStats()),
]

ORDERED: list[tuple[str, dict[str, Any], Any]] = [
    (
        "tenants.create",
        {"name": "new", "owner": {"name": "Ada"}},
        asked_for.CreateTenant("new", "Ada", None, True),
    ),
    (
        "tenants.create",
        {"name": "new", "owner": {"name": "Ada", "email": "ada@example.org"}, "token": False},
        asked_for.CreateTenant("new", "Ada", "ada@example.org", False),
    ),
    ("tenants.suspend", {"reason": "unpaid"}, asked_for.SuspendTenant("acme", "unpaid")),
    ("tenants.resume", {}, asked_for.ResumeTenant("acme")),
    ("tenants.delete", {"reason": "left"}, asked_for.DeleteTenant("acme", 30, "left")),
    (
        "owners.delegate",
        {"person": PERSON, "areas": ["tokens", "config"]},
        asked_for.Delegate("acme", PERSON, frozenset({"tokens", "config"})),
    ),
    ("owners.withdraw", {"person": PERSON}, asked_for.WithdrawOwner("acme", PERSON)),
    ("owners.transfer", {"to": PERSON}, asked_for.TransferOwnership("acme", PERSON)),
    ("members.add", {"name": "Bob"}, asked_for.AddMember("acme", "Bob", None)),
    (
        "members.change",
        {"person": PERSON, "email": "bob@example.org"},
        asked_for.ChangeMember("acme", PERSON, None, "bob@example.org"),
    ),
    ("members.remove", {"person": PERSON}, asked_for.RemoveMember("acme", PERSON)),
    (
        "tokens.issue",
        {"person": PERSON, "label": "phone"},
        asked_for.IssueToken("acme", PERSON, "phone", None, None),
    ),
    (
        "tokens.issue",
        {
            "person": PERSON,
            "label": "phone",
            "scope": ["contacts.add", "system.whoami"],
            "days": 1.5,
        },
        asked_for.IssueToken(
            "acme", PERSON, "phone", frozenset({"contacts.add", "system.whoami"}), 1.5
        ),
    ),
    ("tokens.revoke", {"token": TOKEN}, asked_for.RevokeToken("acme", TOKEN)),
    (
        "config.patch",
        {"patch": {"settings": {"deep": {"er": [1, None]}}}, "revision": 3},
        asked_for.PatchConfig("acme", {"settings": {"deep": {"er": [1, None]}}}, 3),
    ),
    ("config.revert", {"to": 0, "revision": 3}, asked_for.RevertConfig("acme", 0, 3)),
    (
        "subscriptions.set",
        {"connector": "mail", "since": "2026-01-01T00:00:00Z"},
        asked_for.SetSubscription("acme", "mail", 1767225600.0, None),
    ),
    ("subscriptions.end", {"connector": "gone"}, asked_for.EndSubscription("acme", "gone")),
    (
        "connectors.configure",
        {"connector": "mail", "settings": {"host": "h", "password": None}},
        ConfigureConnector("acme", "mail", {"host": "h", "password": None}),
    ),
    (
        "connectors.configure",
        {"connector": "mail", "settings": None},
        ConfigureConnector("acme", "mail", None),
    ),
    (
        "limits.set",
        {"mailbox": 5, "burst": None},
        asked_for.SetLimits("acme", {"mailbox": 5, "burst": None}),
    ),
    (
        "functions.enrol",
        {"function": "contacts.add"},
        asked_for.EnrolTester("acme", "contacts.add"),
    ),
    ("functions.withdraw", {"function": "gone"}, asked_for.WithdrawTester("acme", "gone")),
    (
        "supers.grant",
        {"person": PERSON, "minutes": 30, "reason": "outage"},
        asked_for.GrantSuper("acme", PERSON, 30, "outage"),
    ),
    ("supers.withdraw", {"grant": GRANT}, asked_for.WithdrawSuper("acme", GRANT)),
    ("developers.add", {"name": "Eve"}, asked_for.AddDeveloper("Eve", None, "developer")),
    (
        "developers.change",
        {"person": PERSON, "role": "developer admin"},
        asked_for.ChangeDeveloper(PERSON, "developer admin"),
    ),
    ("developers.remove", {"person": PERSON}, asked_for.RemoveDeveloper(PERSON)),
    (
        "developers.issue",
        {"person": PERSON, "label": "laptop", "scope": ["contacts.add"]},
        asked_for.IssueToken(None, PERSON, "laptop", frozenset({"contacts.add"}), None),
    ),
    ("developers.revoke", {"token": TOKEN}, asked_for.RevokeToken(None, TOKEN)),
]


YEAR = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T01:00:00+01:00"}
CREATED = {"tenant": {"created_at": "2026-02-01T00:00:00Z"}}
CREATED_SECONDS = 1769904000.0

SEARCHED: list[tuple[str, dict[str, Any], SearchLogs]] = [
    ("logs.tenant", {}, SearchLogs("tenant", ACME.id, tenant="acme", limit=50)),
    (
        "logs.tenant",
        {**YEAR, "action": "a.b", "outcome": "ok", "trace_id": "f", "text": "x", "before": "c"},
        SearchLogs("tenant", ACME.id, 1767225600.0, 1798761600.0, "a.b", "ok", "f", "x", before="c")
        ._replace(tenant="acme", limit=50),
    ),
    (
        "logs.audit",
        {"after": "c", "limit": 7},
        SearchLogs("audit", ACME.id, after="c", limit=7, tenant="acme"),
    ),
    (
        "logs.audit",
        {"after": "c", "wait_ms": 10, "outcome": "aborted"},
        SearchLogs("audit", ACME.id, after="c", limit=50, wait_ms=10, tenant="acme")
        ._replace(outcome="aborted", omit="logs.audit"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("action", "params", "question"), SEARCHED)
def test_a_page_of_a_log_is_searched_for_by_the_tenants_id(
    action: str, params: dict[str, Any], question: SearchLogs
) -> None:
    """Lines come back with all members that there are, no matter who wrote them; cursors as they are."""
    actors = desks()
    stepper, step = start(context(actors, action), params)
    desk = cast("Desk", actors.log_reader)

    assert [envelope.message for envelope in desk.asked] == [question]
    assert isinstance(step, Awaiting)
    resolve(step.awaited, {"lines": [{"at": "t", "new": 1}], "next": "c", "newest": "d"})
    step = stepper.step(step.awaited)
    assert isinstance(step, Returned)
    (line,) = step.value.pop("lines")
    assert line.keys() == set(MEMBERS if action == "logs.tenant" else FIRST_TO_LAST)
    assert (line["at"], line["trace_id"]) == ("t", None)
    assert step.value == {"next": "c", "newest": "d"}


@pytest.mark.parametrize(
    ("role", "params", "since", "only"),
    [
        ("owner", {}, CREATED_SECONDS, ERROR),
        ("admin owner", {"since": "2026-01-01T00:00:00Z"}, CREATED_SECONDS, ERROR),
        ("super admin", {"since": "2026-02-01T00:00:01Z"}, CREATED_SECONDS + 1, None),
    ],
)
def test_errors_of_a_tenant_are_none_from_before_it_was_there(
    role: str, params: dict[str, Any], since: float, only: Any
) -> None:
    """Its name can have been another one's. Its people are notified that something failed, not where."""
    actors = desks()
    stepper, step = start(context(actors, "logs.errors", caller=replace(ADA, role=role)), params)
    assert isinstance(step, Awaiting)
    resolve(step.awaited, CREATED)
    stepper.step(step.awaited)

    desk = cast("Desk", actors.log_reader)
    (envelope,) = desk.asked
    wanted = SearchLogs("errors", ACME.id, since=since, tenant="acme", only=only, limit=50)
    assert envelope.message == wanted


@pytest.mark.parametrize("action", ["logs.tenant", "logs.errors", "logs.audit"])
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"before": "a", "after": "b"}, "params.before"),
        ({"wait_ms": 1}, "params.wait_ms"),
        ({"wait_ms": 1, "before": "a"}, "params.wait_ms"),
    ],
)
def test_a_page_goes_one_way_and_only_what_is_to_come_is_waited_for(
    action: str, params: dict[str, Any], field: str
) -> None:
    """Rather than that one of the two is left out unsaid."""
    error = refusal(action, params)
    assert isinstance(error, InvalidArgument)
    assert [each.field for each in error.refusal.details] == [field]


READERS = [
    (ADA, ACME, ["errors", "tenant", "audit"]),
    (replace(ADA, role="super admin"), ACME, ["errors", "tenant", "audit"]),
    (replace(ADA, role="developer"), ACME, ["errors", "audit"]),
    (replace(ADA, role="developer admin"), None, ["errors", "audit"]),
]


@pytest.mark.parametrize(("caller", "tenant", "logs"), READERS)
def test_a_request_is_told_from_every_log_that_the_caller_may_read(
    caller: Principal, tenant: TenantRecord | None, logs: list[str]
) -> None:
    """In the order of time, whatever the offset that it is written in, page after page."""
    actors = desks()
    stepper, step = start(context(actors, "logs.trace", tenant, caller), {"trace_id": "f"})
    desk, times = cast("Desk", actors.log_reader), iter("12345678")
    asked: list[SearchLogs] = []
    while isinstance(step, Awaiting):
        if len(desk.asked) == len(asked):
            resolve(step.awaited, CREATED)
        else:
            asked.append(desk.asked[-1].message)
            line = {"at": f"2026-11-24T0{next(times)}:00:00+0{len(asked)}:00"}
            cursor = None if len(asked) % 2 == 0 else "next"
            resolve(step.awaited, {"lines": [line], "next": cursor, "newest": "n"})
        step = stepper.step(step.awaited)

    assert isinstance(step, Returned)
    assert [find.log for find in asked[::2]] == [find.log for find in asked[1::2]] == logs
    assert [find.after for find in asked] == ["0000-00.0", "next"] * len(logs)
    assert {find.tenant_id for find in asked} == {tenant and tenant.id}
    assert {find.trace_id for find in asked} == {"f"}
    assert step.value["complete"]
    times_told = [each["at"] for each in step.value["lines"]]
    assert len(times_told) == 2 * len(logs)
    assert times_told == sorted(times_told, key=datetime.fromisoformat)


def test_a_request_that_did_more_than_can_be_shown_is_said_to_be_incomplete() -> None:
    """Rather than that its end is missing unsaid."""
    actors = desks()
    dev = Principal("t_" + "2" * 16, None, "developer")
    stepper, step = start(context(actors, "logs.trace", None, dev), {"trace_id": "f"})
    while isinstance(step, Awaiting):
        resolve(
            step.awaited, {"lines": [{"at": "2026-11-24T00:00:00Z"}], "next": "c", "newest": "n"}
        )
        step = stepper.step(step.awaited)

    assert isinstance(step, Returned)
    assert not step.value["complete"]
    assert len(step.value["lines"]) == 2 * MOST_PAGES


@pytest.mark.parametrize(("action", "whom", "params", "question"), ASKED)
def test_a_question_goes_to_whoever_knows_and_the_answer_back_as_it_is(
    action: str, whom: str, params: dict[str, Any], question: Any
) -> None:
    """Nothing is added on the way."""
    actors = desks()
    stepper, step = start(context(actors, action), params)
    desk = cast("Desk", getattr(actors, whom))

    assert [envelope.message for envelope in desk.asked] == [question]
    assert isinstance(step, Awaiting)
    resolve(step.awaited, {"known": True, "records": []})
    assert stepper.step(step.awaited) == Returned({"known": True, "records": []})


def test_a_record_begins_with_what_happened_and_ends_with_what_proves_it() -> None:
    """As people read it, whatever order it was written in."""
    record = {name: index for index, name in enumerate(sorted(FIRST_TO_LAST))}
    stepper, step = start(context(desks(), "audit.list"), {})
    assert isinstance(step, Awaiting)
    resolve(step.awaited, {"records": [record], "next": None})
    step = stepper.step(step.awaited)
    assert isinstance(step, Returned)
    assert step.value["records"] == [record]
    assert list(step.value["records"][0]) == list(FIRST_TO_LAST)


@pytest.mark.parametrize(("action", "params", "command"), ORDERED)
def test_a_change_is_ordered_from_the_directory_by_name_and_with_its_receipt(
    action: str, params: dict[str, Any], command: Any
) -> None:
    """So that the Directory knows whose order it is, and that it was given before."""
    actors = desks()
    ctx = context(actors, action)
    stepper, step = start(ctx, params)
    desk = cast("Desk", actors.directory)

    assert [envelope.message for envelope in desk.asked] == [
        Execute(command, ADA, RECEIPT, ACME.id)
    ]
    assert isinstance(step, Awaiting)
    resolve(step.awaited, CommandDone({"done": True}, replayed=True))
    assert stepper.step(step.awaited) == Returned({"done": True})
    assert ctx.replayed


ON_TESTERS = {"functions.testers", "functions.enrol", "functions.withdraw"}


def out(name: str, tenant_id: str) -> Unserved:
    """A tenant that cannot be served for half a minute."""
    refusal = Refusal("unavailable", "operators find the cause")
    return Unserved(TenantRecord(name, tenant_id), refusal, "damaged", time.monotonic() + 30)


@pytest.mark.parametrize(("caller", "why"), [(ADA, "operators find the cause"), (DEV, "damaged")])
def test_whether_a_tenant_can_be_served_is_said_with_what_it_has(
    caller: Principal, why: str
) -> None:
    """Why, too: its own people are told no more than its callers."""
    actors = desks()
    shown = {"tenant": {"id": ACME.id}, "people": 1}
    stepper, step = start(context(actors, "tenants.show", caller=caller), {})
    for answer in (shown, (out("other", "1" * 32), out(ACME.name, ACME.id))):
        assert isinstance(step, Awaiting)
        resolve(step.awaited, answer)
        step = stepper.step(step.awaited)
    assert isinstance(step, Returned)
    assert {**step.value, "unserved": step.value["unserved"]["why"]} == {**shown, "unserved": why}


def test_of_very_many_tenants_that_cannot_be_served_the_rest_is_counted() -> None:
    """A reply has an end."""
    actors = desks()
    stepper, step = start(context(actors, "tenants.unserved", tenant=None, caller=DEV), {})
    assert isinstance(step, Awaiting)
    resolve(step.awaited, tuple(out(f"t{number}", f"{number:032x}") for number in range(230)))
    step = stepper.step(step.awaited)
    assert isinstance(step, Returned)
    assert len(step.value["tenants"]) == 200
    assert step.value["more"] == 30


ON_SETTINGS = {"connectors.configure", "connectors.settings"}


def test_the_schemas_of_a_config_are_those_of_the_index() -> None:
    actors = desks()
    ctx = context(actors, "config.schema")
    ctx.table = RoutingTable.build(built_in_index(), "local-dev")
    _, step = start(ctx, {})
    assert isinstance(step, Returned)
    assert step.value["settings"]["type"] == "object"
    assert "product_name" in step.value["whitelabel"]["properties"]


OF_A_SERVER = (
    *(
        "functions.",
        "connectors.",
        "actors.",
        "requests.",
        "intent.",
        "migrations.",
        "releases.",
        "changes.",
    ),
)

ON_A_SERVER = {
    name
    for name in ACTIONS
    if name.startswith(OF_A_SERVER) and name not in ON_TESTERS | ON_SETTINGS
}
"""Tried where they have an index and its file to work on, a tenant to ask, or actors to look at."""


def test_what_works_on_the_index_is_tried_on_a_server() -> None:
    """By name."""
    rooms = (
        "end_to_end/test_function_states.py",
        "end_to_end/test_guidance.py",
        "end_to_end/test_delivery.py",
        "end_to_end/test_requests.py",
        "end_to_end/test_connectors.py",
        "end_to_end/test_intent.py",
        "end_to_end/test_expectations.py",
        "actors/supervision/test_inspection.py",
        "actors/admin/rollout/test_dry_run.py",
        "actors/admin/rollout/test_apply.py",
        "actors/admin/rollout/test_restore.py",
        "scripts/releasing/test_deploy.py",
    )
    tests = "".join((Path(__file__).parents[3] / each).read_text() for each in rooms)
    assert [name for name in ON_A_SERVER if f'"{name}"' not in tests] == []


def test_every_other_action_of_the_admin_channel_is_tried_here() -> None:
    """One that is added later has to say what it asks for."""
    tried = {action for action, *_ in ASKED} | {action for action, *_ in ORDERED}
    tried |= {"tenants.show", "tenants.unserved", "config.schema"}
    searched = {action for action, *_ in SEARCHED} | {"logs.errors", "logs.trace"}
    here = set(ACTIONS) - ON_A_SERVER
    assert tried | searched == here
    writes = {action for action, *_ in ORDERED}
    assert writes == {name for name in here if ACTIONS[name].effect == "write"}


OF_PLATFORM = ("tenants.list", "tenants.create", "developers.", "audit.", "stats.tenants")


@pytest.mark.parametrize(
    ("action", "params"),
    [("tenants.show", {})]
    + [(action, params) for action, _, params, _ in ASKED]
    + [(action, params) for action, params, _ in ORDERED],
)
def test_what_is_about_one_tenant_has_to_name_it(action: str, params: dict[str, Any]) -> None:
    """A platform's person may leave the tenant out, but not here."""
    if action.startswith(OF_PLATFORM):
        return
    error = refusal(action, params, tenant=None)
    assert isinstance(error, InvalidArgument)
    assert error.refusal.details[0].field == "tenant"


def test_developers_read_the_records_of_all_tenants_and_a_tenants_people_never_do() -> None:
    """The tenant's id is what the reader goes by; no one of a tenant gets past without one."""
    actors = desks()
    dev = Principal("t_" + "2" * 16, None, "developer")
    start(context(actors, "audit.list", tenant=None, caller=dev), {})
    desk = cast("Desk", actors.audit_reader)
    assert desk.asked[0].message == ReadPage(None, 50, None, None, None)

    assert isinstance(refusal("audit.list", {}, tenant=None), InvalidArgument)


@pytest.mark.parametrize("role", ["developer", "developer admin"])
def test_developers_read_who_tests_on_all_tenants_together(role: str) -> None:
    """Of one function or of all; a tenant's people never do."""
    actors = desks()
    dev = Principal("t_" + "2" * 16, None, role)
    start(context(actors, "functions.testers", tenant=None, caller=dev), {"function": "a.b"})
    desk = cast("Desk", actors.directory)
    assert desk.asked[0].message == asked_for.ListTesters(None, "a.b", "", 50)

    assert isinstance(refusal("functions.testers", {}, tenant=None), InvalidArgument)


@pytest.mark.parametrize(
    ("action", "of_all"),
    [("stats.show", AskStats(None)), ("stats.actions", AskActionStats(None, None))],
)
def test_developers_are_told_the_figures_of_all_tenants_together(action: str, of_all: Any) -> None:
    """Where they name none; where they name one, its alone."""
    dev = Principal("t_" + "2" * 16, None, "developer")
    for tenant, question in ((None, of_all), (ACME, of_all._replace(tenant_id=ACME.id))):
        actors = desks()
        start(context(actors, action, tenant=tenant, caller=dev), {})
        assert cast("Desk", actors.stats).asked[0].message == question


@pytest.mark.parametrize("action", ["tokens.issue", "developers.issue"])
def test_a_scope_that_names_no_action_is_refused_with_the_name_that_was_meant(action: str) -> None:
    """A token for a misspelt action would be good for nothing."""
    params = {"person": PERSON, "label": "x", "scope": ["system.ping", "contacts.ad"]}
    error = refusal(action, params)
    assert isinstance(error, InvalidArgument)
    ((field, problem),) = error.refusal.details
    assert field == "params.scope.1"
    assert "contacts.add" in problem


def test_a_subscription_needs_a_connector_that_is_there() -> None:
    """The name that was meant is in the message."""
    error = refusal("subscriptions.set", {"connector": "mial"})
    assert isinstance(error, NotFound)
    assert "mail" in error.refusal.message


def test_a_tester_is_one_of_a_function_of_the_index() -> None:
    """The name that was meant is in the message; of what is built in there is nothing to test."""
    error = refusal("functions.enrol", {"function": "contacts.ad"})
    assert isinstance(error, NotFound)
    assert "'contacts.ad'; did you mean contacts.add?" in error.refusal.message
    assert isinstance(refusal("functions.enrol", {"function": "tokens.issue"}), NotFound)


@pytest.mark.parametrize(
    ("action", "params"), [("limits.set", {}), ("members.change", {"person": PERSON})]
)
def test_a_change_of_nothing_is_refused(action: str, params: dict[str, Any]) -> None:
    """The message says what could be changed."""
    assert isinstance(refusal(action, params), InvalidArgument)


def test_orders_are_the_same_whatever_the_order_of_keys_and_not_for_anything_else() -> None:
    """What a receipt tells apart: action, tenant and params."""
    digest = command_fingerprint("a.b", "acme", {"x": {"p": 1, "q": [2]}, "y": "é\ud800"})
    assert digest == command_fingerprint("a.b", "acme", {"y": "é\ud800", "x": {"q": [2], "p": 1}})
    others = {
        command_fingerprint("a.c", "acme", {"x": 1}),
        command_fingerprint("a.b", "acme", {"x": 1}),
        command_fingerprint("a.b", "globex", {"x": 1}),
        command_fingerprint("a.b", None, {"x": 1}),
        command_fingerprint("a.b", "acme", {"x": "1"}),
        command_fingerprint("a.b", "acme", {}),
    }
    assert len(others) == 6
