"""Tenants: made with a file and an admin owner, suspended, resumed, deleted after a grace."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

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
from tests.actors.admin.directory_harness import DAY, DirectoryHarness
from tests.raw_client import Map


def create(name: str = "acme", *, token: bool = False) -> CreateTenant:
    """With an admin owner."""
    return CreateTenant(name, "Ada", "ada@example.org", token)


def show(directory: DirectoryHarness, name: str = "acme") -> Map:
    """A tenant as its list shows it."""
    tenant = directory.ask(ShowTenant(name))["tenant"]
    assert isinstance(tenant, dict)
    return tenant


def test_a_tenant_is_made_with_a_file_and_an_admin_owner(directory: DirectoryHarness) -> None:
    """Named by an id that no one chose; subscribers are notified of it once."""
    made = directory.execute(create())
    tenant = made["tenant"]
    assert re.fullmatch(r"[0-9a-f]{32}", tenant["id"])
    assert tenant == show(directory) == {
        "name": "acme",
        "id": tenant["id"],
        "status": "active",
        "created_at": "2030-03-17T17:46:40Z",
        "reason": None,
        "delete_after": None,
    }  # fmt: skip
    assert made["owner"]["role"] == "admin owner"
    assert "token" not in made
    assert directory.files == [tenant["id"]]
    assert directory.known.tenants == {"acme": TenantRecord("acme", tenant["id"], "active")}
    assert directory.known.principals == {}


def test_its_admin_owner_gets_a_token_if_wanted(directory: DirectoryHarness) -> None:
    """One message reports both."""
    directory.changes()
    made = directory.execute(create(token=True))
    assert made["token"]["text"].startswith("tnt_")
    (principal,) = directory.known.principals.values()
    assert (principal.id, principal.person) == (made["token"]["id"], made["owner"]["id"])
    assert (principal.tenant, principal.role) == ("acme", "admin owner")


def test_without_its_file_there_is_no_tenant(directory: DirectoryHarness) -> None:
    """Nor people, nor tokens; the name is free for another attempt."""
    directory.changes()
    directory.trouble = DatabaseProblem("the disk is full")
    with pytest.raises(DatabaseProblem, match="disk is full"):
        directory.execute(create(token=True))
    assert directory.changes() == []
    assert directory.ask(ListTenants("", 50, None)) == {"tenants": [], "next": None}
    directory.trouble = None
    directory.execute(create())
    assert len(directory.ask(ListOwners("acme"))["owners"]) == 1


def test_a_file_is_made_only_when_nothing_else_stands_against_it(
    directory: DirectoryHarness,
) -> None:
    """A name that is taken, also by a tenant to be deleted, and one that cannot be."""
    directory.execute(create())
    assert isinstance(directory.refusal(create()), AlreadyExists)
    directory.execute(DeleteTenant("acme", 30, "over"))
    assert isinstance(directory.refusal(create()), AlreadyExists)
    assert isinstance(directory.refusal(create("Acme")), InvalidArgument)
    assert len(directory.files) == 1


@pytest.mark.parametrize("name", ["", "Acme", "-acme", "a b", "../x", "a" * 64, "größe"])
def test_a_name_that_no_request_could_carry_is_refused(
    directory: DirectoryHarness, name: str
) -> None:
    """In the words of the page."""
    error = directory.refusal(create(name))
    assert isinstance(error, InvalidArgument)
    assert "a-z, 0-9 and -" in str(error)


@pytest.mark.parametrize("name", ["a", "0", "a-", "a--b", "9-lives", "a" * 63])
def test_every_name_that_a_request_may_carry_can_be_given(
    directory: DirectoryHarness, name: str
) -> None:
    """Up to 63 characters."""
    assert directory.execute(create(name))["tenant"]["name"] == name


def test_tenants_are_listed_by_name_page_by_page(directory: DirectoryHarness) -> None:
    """All of them, or those of one status."""
    for name in ("globex", "acme", "initech", "umbrella", "hooli"):
        directory.execute(create(name))
    directory.execute(SuspendTenant("initech", "unpaid"))
    directory.execute(SuspendTenant("acme", "unpaid"))
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = directory.ask(ListTenants(after, 2, None))
        found += [tenant["name"] for tenant in page["tenants"]]
        after = page["next"]
    assert found == ["acme", "globex", "hooli", "initech", "umbrella"]
    suspended = directory.ask(ListTenants("", 2, "suspended"))
    assert [tenant["name"] for tenant in suspended["tenants"]] == ["acme", "initech"]
    assert suspended["next"] is None


def test_a_tenant_is_shown_with_what_it_has(directory: DirectoryHarness) -> None:
    """People who are there, tokens and subscriptions that are good, the config's revision."""
    directory.tenant()
    directory.tenant("globex")
    member = directory.member()
    directory.with_token("acme", member.person, days=1)
    for connector in ("mail", "crm"):
        directory.execute(SetSubscription("acme", connector, None, None))
    directory.execute(EndSubscription("acme", "crm"))
    directory.execute(PatchConfig("acme", {"settings": {"a": 1}}, 0))
    figures = {"people": 2, "tokens": 3, "subscriptions": 1, "config_revision": 1}
    assert directory.ask(ShowTenant("acme")) == {"tenant": show(directory), **figures}
    directory.now += DAY
    assert directory.ask(ShowTenant("acme"))["tokens"] == 2
    with pytest.raises(NotFound, match="there is no tenant nowhere"):
        directory.ask(ShowTenant("nowhere"))


def test_a_suspended_tenant_is_resumed(directory: DirectoryHarness) -> None:
    """Subscribers receive each; the reason is shown as long as it holds."""
    directory.execute(create())
    suspended = directory.execute(SuspendTenant("acme", "invoice 4711"))["tenant"]
    assert (suspended["status"], suspended["reason"]) == ("suspended", "invoice 4711")
    assert directory.known.tenants["acme"].status == "suspended"
    assert isinstance(directory.refusal(SuspendTenant("acme", "again")), FailedPrecondition)
    resumed = directory.execute(ResumeTenant("acme"))["tenant"]
    assert (resumed["status"], resumed["reason"]) == ("active", None)
    assert directory.known.tenants["acme"].status == "active"
    assert isinstance(directory.refusal(ResumeTenant("acme")), FailedPrecondition)


def test_a_tenant_that_there_is_not_is_not_found(directory: DirectoryHarness) -> None:
    """Whatever is done to it."""
    for command in (
        SuspendTenant("nowhere", "x"),
        ResumeTenant("nowhere"),
        DeleteTenant("nowhere", 1, "x"),
    ):
        assert isinstance(directory.refusal(command), NotFound)


@pytest.mark.parametrize("was_suspended", [False, True])
def test_a_deleted_tenant_can_be_resumed_until_its_grace_is_over(
    directory: DirectoryHarness, *, was_suspended: bool
) -> None:
    """It is active then, whatever it was before, and stays so when its last day comes."""
    directory.execute(create())
    if was_suspended:
        directory.execute(SuspendTenant("acme", "unpaid"))
    deleted = directory.execute(DeleteTenant("acme", 30, "contract ended"))["tenant"]
    assert (deleted["status"], deleted["reason"]) == ("deleting", "contract ended")
    assert deleted["delete_after"] == "2030-04-16T17:46:40Z"
    assert directory.known.tenants["acme"].status == "deleting"
    for command in (SuspendTenant("acme", "x"), DeleteTenant("acme", 1, "x")):
        assert isinstance(directory.refusal(command), FailedPrecondition)
    directory.now += 30 * DAY - 1
    directory.sweep()
    resumed = directory.execute(ResumeTenant("acme"))["tenant"]
    assert (resumed["status"], resumed["delete_after"], resumed["reason"]) == ("active", None, None)
    directory.now += DAY
    directory.sweep()
    assert directory.supervisor.heard() == []
    assert directory.known.tenants["acme"].status == "active"


def test_what_is_told_is_what_is_there(directory: DirectoryHarness) -> None:
    """One change for one order."""
    directory.execute(create())
    directory.changes()
    record = directory.known.tenants["acme"]
    directory.done(SuspendTenant("acme", "x"), directory.developer(), None)
    assert directory.known.tenants["acme"] == replace(record, status="suspended")
    assert DirectoryChanged() not in directory.changes()
