"""An order counts while its giver stands as the channel saw him: others may have been faster."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
from tests.actors.admin.directory_harness import CONSOLE, DAY, TownHall
from tests.actors.mailbox_harness import WAIT

Deed = Callable[[TownHall, Principal], object]


def end_grants(town: TownHall, _: Principal) -> None:
    """Withdraw all there are."""
    for grant in list(town.known.grants):
        town.order(WithdrawSuper("acme", grant))


OWNER_LOST: dict[str, Deed] = {
    "removed": lambda town, who: town.order(RemoveMember("acme", who.person)),
    "withdrawn": lambda town, who: town.order(WithdrawOwner("acme", who.person)),
    "narrowed": lambda town, who: town.order(
        Delegate("acme", who.person, frozenset(AREAS) - {"config"})
    ),
    "made admin owner": lambda town, who: town.order(TransferOwnership("acme", who.person)),
    "token revoked": lambda town, who: town.order(RevokeToken("acme", who.id)),
}


@pytest.mark.parametrize("what", OWNER_LOST)
def test_an_owner_s_order_is_aborted_when_he_is_not_who_he_was(town: TownHall, what: str) -> None:
    """It was on its way when that happened: nothing of it is done."""
    town.tenant()
    owner = town.owner(*AREAS)
    town.order(AddMember("acme", "before", None), by=owner)
    OWNER_LOST[what](town, owner)
    before = town.ask(ListMembers("acme", "", 200))
    error = town.refusal(AddMember("acme", "after", None), by=owner)
    assert isinstance(error, Aborted)
    assert "look again" in str(error)
    assert town.ask(ListMembers("acme", "", 200)) == before


def test_more_areas_than_he_had_hold_nobody_up(town: TownHall) -> None:
    """What he was allowed he still is."""
    town.tenant()
    owner = town.owner("members")
    town.order(Delegate("acme", owner.person, frozenset(AREAS)))
    town.order(AddMember("acme", "Joan", None), by=owner)


def test_a_token_expires_at_its_second(town: TownHall) -> None:
    """Whether or not a sweep has seen it."""
    ada = town.tenant()
    short = town.with_token("acme", ada.person, days=1)
    town.now += DAY - 1
    town.order(AddMember("acme", "Joan", None), by=short)
    town.now += 1
    assert isinstance(town.refusal(AddMember("acme", "Joan", None), by=short), Aborted)


def test_a_token_speaks_for_its_own_person(town: TownHall) -> None:
    """Whatever else the caller is said to be."""
    ada, one, other = town.tenant(), town.owner("members"), town.owner("members")
    for forged in (
        one._replace(role="admin owner"),
        one._replace(person=ada.person),
        one._replace(person=other.person),
        one._replace(id=other.id),
    ):
        assert isinstance(town.refusal(AddMember("acme", "x", None), by=forged), Aborted)


ADMIN_LOST: dict[str, Deed] = {
    "removed": lambda town, who: town.order(RemoveDeveloper(who.person)),
    "demoted": lambda town, who: town.order(ChangeDeveloper(who.person, "developer")),
    "token revoked": lambda town, who: town.order(RevokeToken(None, who.id)),
}


@pytest.mark.parametrize("what", ADMIN_LOST)
def test_a_developer_admin_s_order_is_aborted_when_he_is_none(town: TownHall, what: str) -> None:
    """He cannot make himself an heir with his last breath."""
    town.tenant()
    town.developer()
    admin = town.developer()
    ADMIN_LOST[what](town, admin)
    for command in (
        AddDeveloper("heir", None, "developer admin"),
        IssueToken(None, admin.person, "spare", None, None),
        SuspendTenant("acme", "spite"),
    ):
        assert isinstance(town.refusal(command, by=admin), Aborted)


SUPER_LOST: dict[str, Deed] = {
    **ADMIN_LOST,
    "grant withdrawn": end_grants,
    "grant over": lambda town, _: setattr(town, "now", town.now + 3600),
}


@pytest.mark.parametrize("what", SUPER_LOST)
def test_a_super_admin_s_order_is_aborted_when_his_grant_is_over(town: TownHall, what: str) -> None:
    """To the second, swept or not."""
    town.tenant()
    town.developer()
    admin = town.super_admin()
    town.order(AddMember("acme", "before", None), by=admin)
    SUPER_LOST[what](town, admin)
    assert isinstance(town.refusal(AddMember("acme", "after", None), by=admin), Aborted)


def test_a_grant_is_worth_nothing_without_the_role(town: TownHall) -> None:
    """Were one left over in the file."""
    town.tenant()
    admin = town.super_admin()
    with open_directory(town.path) as connection, connection.begin():
        which = people.c.id == admin.person
        connection.execute(people.update().where(which).values(role="developer"))
    assert isinstance(town.refusal(AddMember("acme", "x", None), by=admin), Aborted)


def test_a_super_admin_is_one_on_his_tenant(town: TownHall) -> None:
    """Elsewhere he is told so, there or not; what is the platform's he does as the developer admin he is."""
    town.tenant()
    town.tenant("globex")
    admin = town.super_admin("acme")
    for tenant in ("globex", "nowhere"):
        error = town.refusal(AddMember(tenant, "x", None), by=admin)
        assert isinstance(error, PermissionDenied)
    town.order(AddDeveloper("Grace", None, "developer"), by=admin)


def test_a_grant_on_one_tenant_is_none_on_another(town: TownHall) -> None:
    """Whatever tenant he is said to act on."""
    town.tenant()
    town.tenant("globex")
    admin = town.super_admin("globex")
    error = town.refusal(AddMember("acme", "x", None), by=admin._replace(tenant="acme"))
    assert isinstance(error, Aborted)


def test_an_order_is_for_the_tenant_that_was_meant(town: TownHall) -> None:
    """It was on its way while that one was deleted, and another one came by its name."""
    town.tenant()
    id_ = town.known.tenants["acme"].id
    for command in (AddMember("acme", "x", None), SuspendTenant("acme", "unpaid")):
        with pytest.raises(Aborted, match="tenant acme is another one"):
            ask(town.mailbox, Execute(command, CONSOLE, None, "f" * 32), WAIT)
    with pytest.raises(NotFound, match="nowhere"):
        ask(town.mailbox, Execute(AddMember("nowhere", "x", None), CONSOLE, None, id_), WAIT)
    ask(town.mailbox, Execute(AddMember("acme", "Joan", None), CONSOLE, None, id_), WAIT)
    ask(town.mailbox, Execute(AddDeveloper("x", None, "developer"), CONSOLE, None, "f" * 32), WAIT)
    assert {each["name"] for each in town.ask(ListMembers("acme", "", 50))["members"]} == {
        "Ada",
        "Joan",
    }
    assert town.known.tenants["acme"].status == "active"


def test_a_tenant_s_people_order_nothing_elsewhere(town: TownHall) -> None:
    """No channel lets such an order through; were there one, it would end here."""
    ada = town.tenant()
    town.tenant("globex")
    for command in (
        AddMember("globex", "x", None),
        AddDeveloper("x", None, "developer admin"),
        IssueToken(None, ada.person, "x", None, None),
    ):
        assert isinstance(town.refusal(command, by=ada), PermissionDenied)
