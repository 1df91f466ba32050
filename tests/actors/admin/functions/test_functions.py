"""The engine's own actions: what each asks of whom, for params as callers send them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import pytest
from pykka._envelope import Envelope

from actors.admin import messages as asked_for
from actors.admin.context import Actors, AdminContext, order_digest
from actors.admin.functions.audit import FIRST_TO_LAST
from actors.admin.messages import Done, Order, Receipt
from actors.errors import ActionError, InvalidArgument, NotFound
from actors.future import settle
from actors.index.reader import built_in_index
from actors.log.messages import AskHead, ReadPage, Verify
from actors.mailbox import Mailbox
from actors.messages import Principal, TenantRecord
from actors.routing import RoutingTable
from actors.stepper import Awaiting, Raised, Returned, Stepper

ACTIONS = {
    name: action for name, action in built_in_index().actions.items() if action.channel == "admin"
}

ACME = TenantRecord("acme", "a" * 32)
ADA = Principal("t_" + "1" * 16, "acme", "admin owner", person="p_" + "1" * 16)
RECEIPT = Receipt(ADA.id, "r1", b"digest")
PERSON = "p_" + "a" * 16
TOKEN = "t_" + "b" * 16
GRANT = "g_" + "c" * 16


class Desk(Mailbox):
    """An actor's mailbox in which nobody lives: what is asked is there to be seen."""

    __slots__ = ("asked",)

    def __init__(self, name: str) -> None:
        super().__init__(name, lambda _: None)
        self.asked: list[Envelope[Any]] = []

    def tell(self, message: Any) -> None:
        """Keep it."""
        self.asked.append(message)


class Stub(NamedTuple):
    """The parts of a routing table that functions read."""

    routes: Mapping[str, Any] = MappingProxyType({"contacts.add": None})
    connectors: Mapping[str, Any] = MappingProxyType({"mail": None})


def desks() -> Actors:
    """An empty desk in each actor's place."""
    return Actors(*(Desk(name) for name in Actors._fields))


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


def start(ctx: AdminContext, params: dict[str, Any]) -> tuple[Stepper, Any]:
    """Run an action's function on params as they came, up to its first wait."""
    action = ACTIONS[ctx.action]
    module, _, name = (action.versions[0].code or "").partition(":")
    function = getattr(importlib.import_module(module), name)
    stepper = Stepper(function(ctx, action.params.parse(params)))
    return stepper, stepper.step()


def refusal(action: str, params: dict[str, Any], **who: Any) -> ActionError:
    """What a function refuses with by itself, having asked nobody."""
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
    ("tenants.show", "directory", {}, asked_for.ShowTenant("acme")),
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
    ("limits.show", "directory", {}, asked_for.ShowLimits("acme")),
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
        "limits.set",
        {"mailbox": 5, "burst": None},
        asked_for.SetLimits("acme", {"mailbox": 5, "burst": None}),
    ),
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
    settle(step.answer, {"known": True, "records": []})
    assert stepper.step(step.answer) == Returned({"known": True, "records": []})


def test_a_record_begins_with_what_happened_and_ends_with_what_proves_it() -> None:
    """As people read it, whatever order it was written in."""
    record = {name: index for index, name in enumerate(sorted(FIRST_TO_LAST))}
    stepper, step = start(context(desks(), "audit.list"), {})
    assert isinstance(step, Awaiting)
    settle(step.answer, {"records": [record], "next": None})
    step = stepper.step(step.answer)
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

    assert [envelope.message for envelope in desk.asked] == [Order(command, ADA, RECEIPT, ACME.id)]
    assert isinstance(step, Awaiting)
    settle(step.answer, Done({"done": True}, replayed=True))
    assert stepper.step(step.answer) == Returned({"done": True})
    assert ctx.replayed


def test_every_action_of_the_admin_channel_is_tried_here() -> None:
    """One that is added later has to say what it asks for."""
    tried = {action for action, *_ in ASKED} | {action for action, *_ in ORDERED}
    assert tried == set(ACTIONS)
    writes = {action for action, *_ in ORDERED}
    assert writes == {name for name, action in ACTIONS.items() if action.effect == "write"}


OF_PLATFORM = ("tenants.list", "tenants.create", "developers.", "audit.")


@pytest.mark.parametrize(
    ("action", "params"),
    [(action, params) for action, _, params, _ in ASKED]
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
    """The tenant's id is what the reader goes by; nobody of a tenant gets past without one."""
    actors = desks()
    dev = Principal("t_" + "2" * 16, None, "developer")
    start(context(actors, "audit.list", tenant=None, caller=dev), {})
    desk = cast("Desk", actors.audit_reader)
    assert desk.asked[0].message == ReadPage(None, 50, None, None, None)

    assert isinstance(refusal("audit.list", {}, tenant=None), InvalidArgument)


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


@pytest.mark.parametrize(
    ("action", "params"), [("limits.set", {}), ("members.change", {"person": PERSON})]
)
def test_a_change_of_nothing_is_refused(action: str, params: dict[str, Any]) -> None:
    """The message says what could be changed."""
    assert isinstance(refusal(action, params), InvalidArgument)


def test_orders_are_the_same_whatever_the_order_of_keys_and_not_for_anything_else() -> None:
    """What a receipt tells apart: action, tenant and params."""
    digest = order_digest("a.b", "acme", {"x": {"p": 1, "q": [2]}, "y": "é\ud800"})
    assert digest == order_digest("a.b", "acme", {"y": "é\ud800", "x": {"q": [2], "p": 1}})
    others = {
        order_digest("a.c", "acme", {"x": 1}),
        order_digest("a.b", "acme", {"x": 1}),
        order_digest("a.b", "globex", {"x": 1}),
        order_digest("a.b", None, {"x": 1}),
        order_digest("a.b", "acme", {"x": "1"}),
        order_digest("a.b", "acme", {}),
    }
    assert len(others) == 6
