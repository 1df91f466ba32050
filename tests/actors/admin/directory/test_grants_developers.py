"""The people of the platform, of whom one developer admin is always left."""

from __future__ import annotations

import pytest

from actors.admin.messages import (
    AddDeveloper,
    ChangeDeveloper,
    ListDevelopers,
    RemoveDeveloper,
)
from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.actors.admin.directory_harness import CONSOLE, TownHall


def test_at_first_there_is_nobody(town: TownHall) -> None:
    """The first developer admin is made by whoever starts the server."""
    assert town.ask(ListDevelopers()) == {"developers": []}


def test_developers_are_listed_in_the_order_they_came(town: TownHall) -> None:
    """With name, address and role; a tenant's people are not among them."""
    town.tenant()
    first = town.order(AddDeveloper("Grace", "grace@example.org", "developer"))["developer"]
    town.now += 1
    second = town.order(AddDeveloper("Edsger", None, "developer admin"))["developer"]
    assert town.ask(ListDevelopers())["developers"] == [first, second]
    assert (first["name"], first["email"], first["role"]) == (
        "Grace",
        "grace@example.org",
        "developer",
    )


def test_a_change_of_role_is_told_for_every_token(town: TownHall) -> None:
    """Up and down; the same role again is no change."""
    town.developer()
    admin = town.developer()
    second = town.with_token(None, admin.person)
    for role in ("developer", "developer admin"):
        assert town.order(ChangeDeveloper(admin.person, role))["developer"]["role"] == role
        assert town.principal(admin.id).role == town.principal(second.id).role == role
    town.changes()
    town.order(ChangeDeveloper(admin.person, "developer admin"))
    assert town.changes() == []


def test_a_removed_developer_is_gone_with_his_tokens(town: TownHall) -> None:
    """How many is in the result."""
    kept, gone = town.developer(), town.developer()
    town.with_token(None, gone.person)
    assert town.order(RemoveDeveloper(gone.person)) == {"removed": gone.person, "revoked": 2}
    assert list(town.known.principals.values()) == [kept]
    assert [each["id"] for each in town.ask(ListDevelopers())["developers"]] == [kept.person]
    assert isinstance(town.refusal(RemoveDeveloper(gone.person)), NotFound)


def test_the_last_developer_admin_stays(town: TownHall) -> None:
    """Not by himself, not by the console: nobody could administer the platform then."""
    town.developer("developer")
    last = town.developer()
    for command in (RemoveDeveloper(last.person), ChangeDeveloper(last.person, "developer")):
        for by in (last, CONSOLE):
            error = town.refusal(command, by=by)
            assert isinstance(error, FailedPrecondition)
            assert "last developer admin" in str(error)
    town.order(ChangeDeveloper(last.person, "developer admin"), by=last)
    another = town.developer()
    town.order(RemoveDeveloper(last.person), by=last)
    assert isinstance(town.refusal(RemoveDeveloper(another.person)), FailedPrecondition)


def test_a_tenant_s_people_are_not_the_platform_s(town: TownHall) -> None:
    """They are as absent as nobody."""
    ada = town.tenant()
    for command in (RemoveDeveloper(ada.person), ChangeDeveloper(ada.person, "developer admin")):
        assert isinstance(town.refusal(command), NotFound)


@pytest.mark.parametrize("role", ["member", "admin owner", "super admin", "public", "Developer"])
def test_other_roles_are_not_the_platform_s(town: TownHall, role: str) -> None:
    """Super admin least of all: that is granted, on one tenant and for a time."""
    developer = town.developer("developer").person
    for command in (AddDeveloper("Grace", None, role), ChangeDeveloper(developer, role)):
        assert isinstance(town.refusal(command), InvalidArgument)


def test_there_are_two_hundred_at_most(town: TownHall) -> None:
    """All of them fit one reply."""
    for number in range(200):
        town.order(AddDeveloper(f"number {number}", None, "developer"))
    error = town.refusal(AddDeveloper("one too many", None, "developer admin"))
    assert isinstance(error, FailedPrecondition)
    assert "200" in str(error)
    assert len(town.ask(ListDevelopers())["developers"]) == 200
