"""Tenants: made with a file and an admin owner, suspended, resumed, deleted after a grace."""

from __future__ import annotations

import re

import pytest

from actors.admin.messages import (
    CreateTenant,
    DeleteTenant,
    EndSubscription,
    ListOwners,
    ListTenants,
    PatchConfig,
    ResumeTenant,
    SetSubscription,
    ShowTenant,
    SuspendTenant,
)
from actors.errors import (
    AlreadyExists,
    DatabaseProblem,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from actors.messages import DirectoryChanged, TenantRecord
from tests.actors.admin.directory_harness import DAY, TownHall
from tests.wire import Map


def create(name: str = "acme", *, token: bool = False) -> CreateTenant:
    """With an admin owner."""
    return CreateTenant(name, "Ada", "ada@example.org", token)


def show(town: TownHall, name: str = "acme") -> Map:
    """A tenant as its list shows it."""
    tenant = town.ask(ShowTenant(name))["tenant"]
    assert isinstance(tenant, dict)
    return tenant


def test_a_tenant_is_made_with_a_file_and_an_admin_owner(town: TownHall) -> None:
    """Named by an id that nobody chose; subscribers hear of it once."""
    made = town.order(create())
    tenant = made["tenant"]
    assert re.fullmatch(r"[0-9a-f]{32}", tenant["id"])
    assert tenant == show(town) == {
        "name": "acme",
        "id": tenant["id"],
        "status": "active",
        "created_at": "2030-03-17T17:46:40Z",
        "reason": None,
        "delete_after": None,
    }  # fmt: skip
    assert made["owner"]["role"] == "admin owner"
    assert "token" not in made
    assert town.files == [tenant["id"]]
    assert town.known.tenants == {"acme": TenantRecord("acme", tenant["id"], "active")}
    assert town.known.principals == {}


def test_its_admin_owner_gets_a_token_if_wanted(town: TownHall) -> None:
    """One message tells of both."""
    town.changes()
    made = town.order(create(token=True))
    assert made["token"]["text"].startswith("tnt_")
    (principal,) = town.known.principals.values()
    assert (principal.id, principal.person) == (made["token"]["id"], made["owner"]["id"])
    assert (principal.tenant, principal.role) == ("acme", "admin owner")


def test_without_its_file_there_is_no_tenant(town: TownHall) -> None:
    """Nor people, nor tokens; the name is free for another attempt."""
    town.changes()
    town.trouble = DatabaseProblem("the disk is full")
    with pytest.raises(DatabaseProblem, match="disk is full"):
        town.order(create(token=True))
    assert town.changes() == []
    assert town.ask(ListTenants("", 50, None)) == {"tenants": [], "next": None}
    town.trouble = None
    town.order(create())
    assert len(town.ask(ListOwners("acme"))["owners"]) == 1


def test_a_file_is_made_only_when_nothing_else_stands_against_it(town: TownHall) -> None:
    """A name that is taken, also by a tenant to be deleted, and one that cannot be."""
    town.order(create())
    assert isinstance(town.refusal(create()), AlreadyExists)
    town.order(DeleteTenant("acme", 30, "over"))
    assert isinstance(town.refusal(create()), AlreadyExists)
    assert isinstance(town.refusal(create("Acme")), InvalidArgument)
    assert len(town.files) == 1


@pytest.mark.parametrize("name", ["", "Acme", "-acme", "a b", "../x", "a" * 64, "größe"])
def test_a_name_that_no_request_could_carry_is_refused(town: TownHall, name: str) -> None:
    """In the words of the page."""
    error = town.refusal(create(name))
    assert isinstance(error, InvalidArgument)
    assert "a-z, 0-9 and -" in str(error)


@pytest.mark.parametrize("name", ["a", "0", "a-", "a--b", "9-lives", "a" * 63])
def test_every_name_that_a_request_may_carry_can_be_given(town: TownHall, name: str) -> None:
    """Up to 63 characters."""
    assert town.order(create(name))["tenant"]["name"] == name


def test_tenants_are_listed_by_name_page_by_page(town: TownHall) -> None:
    """All of them, or those of one status."""
    for name in ("globex", "acme", "initech", "umbrella", "hooli"):
        town.order(create(name))
    town.order(SuspendTenant("initech", "unpaid"))
    town.order(SuspendTenant("acme", "unpaid"))
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = town.ask(ListTenants(after, 2, None))
        found += [tenant["name"] for tenant in page["tenants"]]
        after = page["next"]
    assert found == ["acme", "globex", "hooli", "initech", "umbrella"]
    suspended = town.ask(ListTenants("", 2, "suspended"))
    assert [tenant["name"] for tenant in suspended["tenants"]] == ["acme", "initech"]
    assert suspended["next"] is None


def test_a_tenant_is_shown_with_what_it_has(town: TownHall) -> None:
    """People who are there, tokens and subscriptions that are good, the config's revision."""
    town.tenant()
    town.tenant("globex")
    member = town.member()
    town.with_token("acme", member.person, days=1)
    for connector in ("mail", "crm"):
        town.order(SetSubscription("acme", connector, None, None))
    town.order(EndSubscription("acme", "crm"))
    town.order(PatchConfig("acme", {"settings": {"a": 1}}, 0))
    figures = {"people": 2, "tokens": 3, "subscriptions": 1, "config_revision": 1}
    assert town.ask(ShowTenant("acme")) == {"tenant": show(town), **figures}
    town.now += DAY
    assert town.ask(ShowTenant("acme"))["tokens"] == 2
    with pytest.raises(NotFound, match="there is no tenant nowhere"):
        town.ask(ShowTenant("nowhere"))


def test_a_suspended_tenant_is_resumed(town: TownHall) -> None:
    """Subscribers hear each; the reason is shown as long as it holds."""
    town.order(create())
    suspended = town.order(SuspendTenant("acme", "invoice 4711"))["tenant"]
    assert (suspended["status"], suspended["reason"]) == ("suspended", "invoice 4711")
    assert town.known.tenants["acme"].status == "suspended"
    assert isinstance(town.refusal(SuspendTenant("acme", "again")), FailedPrecondition)
    resumed = town.order(ResumeTenant("acme"))["tenant"]
    assert (resumed["status"], resumed["reason"]) == ("active", None)
    assert town.known.tenants["acme"].status == "active"
    assert isinstance(town.refusal(ResumeTenant("acme")), FailedPrecondition)


def test_a_tenant_that_there_is_not_is_not_found(town: TownHall) -> None:
    """Whatever is done to it."""
    for command in (
        SuspendTenant("nowhere", "x"),
        ResumeTenant("nowhere"),
        DeleteTenant("nowhere", 1, "x"),
    ):
        assert isinstance(town.refusal(command), NotFound)


@pytest.mark.parametrize("was_suspended", [False, True])
def test_a_deleted_tenant_can_be_resumed_until_its_grace_is_over(
    town: TownHall, *, was_suspended: bool
) -> None:
    """It is active then, whatever it was before, and stays so when its last day comes."""
    town.order(create())
    if was_suspended:
        town.order(SuspendTenant("acme", "unpaid"))
    deleted = town.order(DeleteTenant("acme", 30, "contract ended"))["tenant"]
    assert (deleted["status"], deleted["reason"]) == ("deleting", "contract ended")
    assert deleted["delete_after"] == "2030-04-16T17:46:40Z"
    assert town.known.tenants["acme"].status == "deleting"
    for command in (SuspendTenant("acme", "x"), DeleteTenant("acme", 1, "x")):
        assert isinstance(town.refusal(command), FailedPrecondition)
    town.now += 30 * DAY - 1
    town.sweep()
    resumed = town.order(ResumeTenant("acme"))["tenant"]
    assert (resumed["status"], resumed["delete_after"], resumed["reason"]) == ("active", None, None)
    town.now += DAY
    town.sweep()
    assert town.supervisor.heard() == []
    assert town.known.tenants["acme"].status == "active"


def test_what_is_told_is_what_is_there(town: TownHall) -> None:
    """One change for one order."""
    town.order(create())
    town.changes()
    record = town.known.tenants["acme"]
    town.done(SuspendTenant("acme", "x"), town.developer(), None)
    assert town.known.tenants["acme"] == record._replace(status="suspended")
    assert DirectoryChanged() not in town.changes()
