"""An order counts while its giver stands as the channel saw him: others may have been faster."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from actors.access import AREAS
from actors.admin.directory.store import open_directory
from actors.admin.directory.tables import people
from actors.admin.messages import (
    AddDeveloper,
    AddMember,
    ChangeDeveloper,
    Delegate,
    Execute,
    IssueToken,
    ListMembers,
    RemoveDeveloper,
    RemoveMember,
    RevokeToken,
    SuspendTenant,
    TransferOwnership,
    WithdrawOwner,
    WithdrawSuper,
)
from actors.errors import Aborted, NotFound, PermissionDenied
from actors.messages import Principal
from actors.runtime.actor import ask
from tests.actors.admin.directory_harness import CONSOLE, DAY, DirectoryHarness
from tests.actors.mailbox_harness import WAIT

Deed = Callable[[DirectoryHarness, Principal], object]


def end_grants(directory: DirectoryHarness, _: Principal) -> None:
    """Withdraw all there are."""
    for grant in list(directory.known.grants):
        directory.execute(WithdrawSuper("acme", grant))


OWNER_LOST: dict[str, Deed] = {
    "removed": lambda directory, who: directory.execute(RemoveMember("acme", who.person)),
    "withdrawn": lambda directory, who: directory.execute(WithdrawOwner("acme", who.person)),
    "narrowed": lambda directory, who: directory.execute(
        Delegate("acme", who.person, frozenset(AREAS) - {"config"})
    ),
    "made admin owner": lambda directory, who: directory.execute(
        TransferOwnership("acme", who.person)
    ),
    "token revoked": lambda directory, who: directory.execute(RevokeToken("acme", who.id)),
}


@pytest.mark.parametrize("what", OWNER_LOST)
def test_an_owner_s_order_is_aborted_when_he_is_not_who_he_was(
    directory: DirectoryHarness, what: str
) -> None:
    """It was on its way when that happened: nothing of it is done."""
    directory.tenant()
    owner = directory.owner(*AREAS)
    directory.execute(AddMember("acme", "before", None), by=owner)
    OWNER_LOST[what](directory, owner)
    before = directory.ask(ListMembers("acme", "", 200))
    error = directory.refusal(AddMember("acme", "after", None), by=owner)
    assert isinstance(error, Aborted)
    assert "check your role" in str(error)
    assert directory.ask(ListMembers("acme", "", 200)) == before


def test_more_areas_than_he_had_hold_no_other_up(directory: DirectoryHarness) -> None:
    """What he was allowed he still is."""
    directory.tenant()
    owner = directory.owner("members")
    directory.execute(Delegate("acme", owner.person, frozenset(AREAS)))
    directory.execute(AddMember("acme", "Joan", None), by=owner)


def test_a_token_expires_at_its_second(directory: DirectoryHarness) -> None:
    """Whether or not a sweep has seen it."""
    ada = directory.tenant()
    short = directory.with_token("acme", ada.person, days=1)
    directory.now += DAY - 1
    directory.execute(AddMember("acme", "Joan", None), by=short)
    directory.now += 1
    assert isinstance(directory.refusal(AddMember("acme", "Joan", None), by=short), Aborted)


def test_a_token_speaks_for_its_own_person(directory: DirectoryHarness) -> None:
    """Whatever else the caller is said to be."""
    ada, one, other = directory.tenant(), directory.owner("members"), directory.owner("members")
    for forged in (
        replace(one, role="admin owner"),
        replace(one, person=ada.person),
        replace(one, person=other.person),
        replace(one, id=other.id),
    ):
        assert isinstance(directory.refusal(AddMember("acme", "x", None), by=forged), Aborted)


ADMIN_LOST: dict[str, Deed] = {
    "removed": lambda directory, who: directory.execute(RemoveDeveloper(who.person)),
    "demoted": lambda directory, who: directory.execute(ChangeDeveloper(who.person, "developer")),
    "token revoked": lambda directory, who: directory.execute(RevokeToken(None, who.id)),
}


@pytest.mark.parametrize("what", ADMIN_LOST)
def test_a_developer_admin_s_order_is_aborted_when_he_is_none(
    directory: DirectoryHarness, what: str
) -> None:
    """He cannot make himself an heir with his last breath."""
    directory.tenant()
    directory.developer()
    admin = directory.developer()
    ADMIN_LOST[what](directory, admin)
    for command in (
        AddDeveloper("heir", None, "developer admin"),
        IssueToken(None, admin.person, "spare", None, None),
        SuspendTenant("acme", "spite"),
    ):
        assert isinstance(directory.refusal(command, by=admin), Aborted)


SUPER_LOST: dict[str, Deed] = {
    **ADMIN_LOST,
    "grant withdrawn": end_grants,
    "grant over": lambda directory, _: setattr(directory, "now", directory.now + 3600),
}


@pytest.mark.parametrize("what", SUPER_LOST)
def test_a_super_admin_s_order_is_aborted_when_his_grant_is_over(
    directory: DirectoryHarness, what: str
) -> None:
    """To the second, swept or not."""
    directory.tenant()
    directory.developer()
    admin = directory.super_admin()
    directory.execute(AddMember("acme", "before", None), by=admin)
    SUPER_LOST[what](directory, admin)
    assert isinstance(directory.refusal(AddMember("acme", "after", None), by=admin), Aborted)


def test_a_grant_is_worth_nothing_without_the_role(directory: DirectoryHarness) -> None:
    """Were one left over in the file."""
    directory.tenant()
    admin = directory.super_admin()
    with open_directory(directory.path) as connection, connection.begin():
        which = people.c.id == admin.person
        connection.execute(people.update().where(which).values(role="developer"))
    assert isinstance(directory.refusal(AddMember("acme", "x", None), by=admin), Aborted)


def test_a_super_admin_is_one_on_his_tenant(directory: DirectoryHarness) -> None:
    """Elsewhere he is told so, there or not; what is the platform's he does as the developer admin he is."""
    directory.tenant()
    directory.tenant("globex")
    admin = directory.super_admin("acme")
    for tenant in ("globex", "nowhere"):
        error = directory.refusal(AddMember(tenant, "x", None), by=admin)
        assert isinstance(error, PermissionDenied)
    directory.execute(AddDeveloper("Grace", None, "developer"), by=admin)


def test_a_grant_on_one_tenant_is_none_on_another(directory: DirectoryHarness) -> None:
    """Whatever tenant he is said to act on."""
    directory.tenant()
    directory.tenant("globex")
    admin = directory.super_admin("globex")
    error = directory.refusal(AddMember("acme", "x", None), by=replace(admin, tenant="acme"))
    assert isinstance(error, Aborted)


def test_an_order_is_for_the_tenant_that_was_meant(directory: DirectoryHarness) -> None:
    """It was on its way while that one was deleted, and another one came by its name."""
    directory.tenant()
    id_ = directory.known.tenants["acme"].id
    for command in (AddMember("acme", "x", None), SuspendTenant("acme", "unpaid")):
        with pytest.raises(
            Aborted, match="tenant acme was deleted and another tenant has its name now"
        ):
            ask(directory.mailbox, Execute(command, CONSOLE, None, "f" * 32), WAIT)
    with pytest.raises(NotFound, match="nowhere"):
        ask(directory.mailbox, Execute(AddMember("nowhere", "x", None), CONSOLE, None, id_), WAIT)
    ask(directory.mailbox, Execute(AddMember("acme", "Joan", None), CONSOLE, None, id_), WAIT)
    ask(
        directory.mailbox,
        Execute(AddDeveloper("x", None, "developer"), CONSOLE, None, "f" * 32),
        WAIT,
    )
    assert {each["name"] for each in directory.ask(ListMembers("acme", "", 50))["members"]} == {
        "Ada",
        "Joan",
    }
    assert directory.known.tenants["acme"].status == "active"


def test_a_tenant_s_people_order_nothing_elsewhere(directory: DirectoryHarness) -> None:
    """No channel lets such an order through; were there one, it would end here."""
    ada = directory.tenant()
    directory.tenant("globex")
    for command in (
        AddMember("globex", "x", None),
        AddDeveloper("x", None, "developer admin"),
        IssueToken(None, ada.person, "x", None, None),
    ):
        assert isinstance(directory.refusal(command, by=ada), PermissionDenied)
