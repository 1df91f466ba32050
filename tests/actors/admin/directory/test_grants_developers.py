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
from tests.actors.admin.directory_harness import CONSOLE, DirectoryHarness


def test_at_first_there_is_nobody(directory: DirectoryHarness) -> None:
    """The first developer admin is made by the one who starts the server."""
    assert directory.ask(ListDevelopers()) == {"developers": []}


def test_developers_are_listed_in_the_order_they_came(directory: DirectoryHarness) -> None:
    """With name, address and role; a tenant's people are not among them."""
    directory.tenant()
    first = directory.execute(AddDeveloper("Grace", "grace@example.org", "developer"))["developer"]
    directory.now += 1
    second = directory.execute(AddDeveloper("Edsger", None, "developer admin"))["developer"]
    assert directory.ask(ListDevelopers())["developers"] == [first, second]
    assert (first["name"], first["email"], first["role"]) == (
        "Grace",
        "grace@example.org",
        "developer",
    )


def test_a_change_of_role_is_told_for_every_token(directory: DirectoryHarness) -> None:
    """Up and down; the same role again is no change."""
    directory.developer()
    admin = directory.developer()
    second = directory.with_token(None, admin.person)
    for role in ("developer", "developer admin"):
        assert directory.execute(ChangeDeveloper(admin.person, role))["developer"]["role"] == role
        assert directory.principal(admin.id).role == directory.principal(second.id).role == role
    directory.changes()
    directory.execute(ChangeDeveloper(admin.person, "developer admin"))
    assert directory.changes() == []


def test_a_removed_developer_is_gone_with_his_tokens(directory: DirectoryHarness) -> None:
    """How many is in the result."""
    kept, gone = directory.developer(), directory.developer()
    directory.with_token(None, gone.person)
    assert directory.execute(RemoveDeveloper(gone.person)) == {"removed": gone.person, "revoked": 2}
    assert list(directory.known.principals.values()) == [kept]
    assert [each["id"] for each in directory.ask(ListDevelopers())["developers"]] == [kept.person]
    assert isinstance(directory.refusal(RemoveDeveloper(gone.person)), NotFound)


def test_the_last_developer_admin_stays(directory: DirectoryHarness) -> None:
    """Not by himself, not by the console: no one could administer the platform then."""
    directory.developer("developer")
    last = directory.developer()
    for command in (RemoveDeveloper(last.person), ChangeDeveloper(last.person, "developer")):
        for by in (last, CONSOLE):
            error = directory.refusal(command, by=by)
            assert isinstance(error, FailedPrecondition)
            assert "last developer admin" in str(error)
    directory.execute(ChangeDeveloper(last.person, "developer admin"), by=last)
    another = directory.developer()
    directory.execute(RemoveDeveloper(last.person), by=last)
    assert isinstance(directory.refusal(RemoveDeveloper(another.person)), FailedPrecondition)


def test_a_tenant_s_people_are_not_the_platform_s(directory: DirectoryHarness) -> None:
    """They are as absent as no one."""
    ada = directory.tenant()
    for command in (RemoveDeveloper(ada.person), ChangeDeveloper(ada.person, "developer admin")):
        assert isinstance(directory.refusal(command), NotFound)


@pytest.mark.parametrize("role", ["member", "admin owner", "super admin", "public", "Developer"])
def test_other_roles_are_not_the_platform_s(directory: DirectoryHarness, role: str) -> None:
    """Super admin least of all: that is granted, on one tenant and for a time."""
    developer = directory.developer("developer").person
    for command in (AddDeveloper("Grace", None, role), ChangeDeveloper(developer, role)):
        assert isinstance(directory.refusal(command), InvalidArgument)


def test_there_are_two_hundred_at_most(directory: DirectoryHarness) -> None:
    """All of them fit one reply."""
    for number in range(200):
        directory.execute(AddDeveloper(f"number {number}", None, "developer"))
    error = directory.refusal(AddDeveloper("one too many", None, "developer admin"))
    assert isinstance(error, FailedPrecondition)
    assert "200" in str(error)
    assert len(directory.ask(ListDevelopers())["developers"]) == 200
