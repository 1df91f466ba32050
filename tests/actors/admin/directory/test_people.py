"""People of a tenant: one admin owner at every moment, owners with what is delegated to them, members."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from actors.access import AREAS, MEMBER, OWNER
from actors.admin.directory.store import open_directory
from actors.admin.directory.tables import people
from actors.admin.messages import (
    AddMember,
    ChangeMember,
    Delegate,
    DeleteTenant,
    Execute,
    IssueToken,
    ListMembers,
    ListOwners,
    ListTokens,
    RemoveDeveloper,
    RemoveMember,
    TransferOwnership,
    WithdrawOwner,
)
from actors.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from actors.messages import Principal
from actors.runtime.actor import ask
from tests.actors.admin.directory_harness import CONSOLE, TownHall
from tests.actors.mailbox_harness import WAIT

NOBODY = "p_" + "0" * 16


def admin_owners_in(town: TownHall) -> list[str]:
    """As another reader of the file sees them at this moment."""
    with closing(sqlite3.connect(f"file:{town.path}?mode=ro", uri=True)) as reader:
        return [
            row[0] for row in reader.execute("SELECT id FROM people WHERE role = 'admin owner'")
        ]


def test_a_tenant_begins_with_its_admin_owner(town: TownHall) -> None:
    """Who has every area without anybody having said so."""
    ada = town.tenant()
    (owner,) = town.ask(ListOwners("acme"))["owners"]
    assert (owner["id"], owner["name"], owner["email"]) == (ada.person, "Ada", "ada@example.org")
    assert (owner["role"], owner["areas"]) == ("admin owner", list(AREAS))
    assert owner["created_at"] == "2030-03-17T17:46:40Z"


def test_a_member_is_added_without_a_token(town: TownHall) -> None:
    """Nobody has to hear of him."""
    town.tenant()
    town.changes()
    member = town.order(AddMember("acme", "Joan", "joan@example.org"))["member"]
    assert re.fullmatch(r"p_[0-9a-f]{16}", member["id"])
    assert (member["role"], member["areas"]) == (MEMBER, [])
    assert town.changes() == []
    assert town.ask(ListTokens("acme", member["id"], "", 50))["tokens"] == []


def test_people_are_listed_page_by_page(town: TownHall) -> None:
    """Each once, by id, the admin owner among them; nobody of another tenant."""
    everybody = {town.tenant().person} | {town.member().person for _ in range(6)}
    town.tenant("globex")
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = town.ask(ListMembers("acme", after, 3))
        assert len(page["members"]) <= 3
        found += [member["id"] for member in page["members"]]
        after = page["next"]
    assert found == sorted(everybody)


def test_a_page_ends_before_it_is_a_large_reply(town: TownHall) -> None:
    """200 people with the longest names of signs that JSON spells in six."""
    town.tenant()
    for _ in range(130):
        town.order(AddMember("acme", "ß" * 200, "x" * 242 + "@example.org"))
    page = town.ask(ListMembers("acme", "", 200))
    assert 50 < len(page["members"]) < 130
    rest = town.ask(ListMembers("acme", page["next"], 200))
    assert len(page["members"]) + len(rest["members"]) == 131


def test_areas_are_delegated_narrowed_and_widened(town: TownHall) -> None:
    """What is given is the whole list, and all of the person's tokens say so from then on."""
    town.tenant()
    joan = town.member()
    second = town.with_token("acme", joan.person)
    for areas in ({"members", "tokens"}, {"members"}, set(), set(AREAS)):
        town.changes()
        owner = town.order(Delegate("acme", joan.person, frozenset(areas)))["owner"]
        assert (owner["role"], set(owner["areas"])) == (OWNER, areas)
        for token in (joan.id, second.id):
            assert town.principal(token).areas == areas
            assert town.principal(token).role == OWNER


def test_an_area_that_there_is_not_is_refused(town: TownHall) -> None:
    """With those there are."""
    town.tenant()
    joan = town.member()
    error = town.refusal(Delegate("acme", joan.person, frozenset({"everything"})))
    assert isinstance(error, InvalidArgument)
    assert "'everything': use members, config" in str(error)


def test_a_withdrawn_owner_is_a_member_and_what_he_made_works_on(town: TownHall) -> None:
    """The people he added, and the tokens he issued."""
    town.tenant()
    owner = town.owner("members", "tokens")
    made = town.order(AddMember("acme", "Mary", None), by=owner)["member"]["id"]
    wanted = IssueToken("acme", made, "shop", None, None)
    issued = town.order(wanted, by=owner)["token"]["id"]
    member = town.order(WithdrawOwner("acme", owner.person))["member"]
    assert (member["role"], member["areas"]) == (MEMBER, [])
    assert town.principal(owner.id) == owner._replace(role=MEMBER, areas=frozenset())
    assert town.principal(issued).person == made
    town.order(RemoveMember("acme", owner.person))
    assert town.principal(issued).person == made


def test_a_transfer_leaves_an_owner_with_every_area(town: TownHall) -> None:
    """One change tells of both."""
    ada, joan = town.tenant(), town.member()
    town.changes()
    result = town.order(TransferOwnership("acme", joan.person), by=ada)
    assert (result["admin_owner"]["id"], result["owner"]["id"]) == (joan.person, ada.person)
    assert result["owner"]["areas"] == list(AREAS)
    assert town.principal(joan.id).role == "admin owner"
    assert town.principal(ada.id) == ada._replace(role=OWNER, areas=frozenset(AREAS))
    assert town.admin_owners() == [joan.person]
    town.order(TransferOwnership("acme", ada.person), by=town.principal(joan.id))
    assert town.admin_owners() == [ada.person]


def test_both_sides_of_a_transfer_are_told_at_once(town: TownHall) -> None:
    """There is no moment at which a subscriber knows two admin owners, or none."""
    ada, joan = town.tenant(), town.member()
    town.changes()
    ask(town.mailbox, Execute(TransferOwnership("acme", joan.person), ada, None), WAIT)
    (change,) = town.changes()
    assert {token.principal.id for token in change.tokens} == {ada.id, joan.id}


def test_of_two_transfers_at_once_the_second_is_aborted(town: TownHall) -> None:
    """Both were allowed when their channel looked; the file never shows but one admin owner."""
    ada, joan, mary = town.tenant(), town.member(), town.member()
    town.order(TransferOwnership("acme", joan.person), by=ada)
    assert admin_owners_in(town) == [joan.person]
    error = town.refusal(TransferOwnership("acme", mary.person), by=ada)
    assert isinstance(error, Aborted)
    assert "no longer admin owner" in str(error)
    assert admin_owners_in(town) == town.admin_owners() == [joan.person]


@pytest.mark.parametrize("who", ["console", "super admin"])
def test_a_tenant_can_be_handed_on_without_its_admin_owner(town: TownHall, who: str) -> None:
    """He may have left."""
    ada, joan = town.tenant(), town.member()
    by = CONSOLE if who == "console" else town.super_admin()
    town.order(TransferOwnership("acme", joan.person), by=by)
    assert town.admin_owners() == [joan.person]
    assert town.principal(ada.id).role == OWNER


def test_the_file_itself_takes_no_second_admin_owner(town: TownHall) -> None:
    """Whatever code has a defect."""
    town.tenant()
    joan = town.member()
    with open_directory(town.path) as connection, pytest.raises(IntegrityError), connection.begin():
        connection.execute(
            people.update().where(people.c.id == joan.person).values(role="admin owner")
        )


@pytest.mark.parametrize("command", [WithdrawOwner, RemoveMember, TransferOwnership])
def test_the_admin_owner_cannot_be_made_to_go_without_another(town: TownHall, command: Any) -> None:
    """Not by himself, not by the console: there would be none."""
    ada = town.tenant()
    for by in (ada, CONSOLE):
        error = town.refusal(command("acme", ada.person), by=by)
        assert isinstance(error, FailedPrecondition)
        assert ada.person in str(error)


def test_what_an_admin_owner_has_cannot_be_narrowed(town: TownHall) -> None:
    """Nor what a member has be withdrawn."""
    ada, joan = town.tenant(), town.member()
    for command in (
        Delegate("acme", ada.person, frozenset({"config"})),
        WithdrawOwner("acme", joan.person),
    ):
        assert isinstance(town.refusal(command), FailedPrecondition)


def test_a_removed_person_is_gone_with_his_tokens(town: TownHall) -> None:
    """How many is in the result; nobody finds him any more."""
    town.tenant()
    joan = town.member()
    second = town.with_token("acme", joan.person)
    result = town.order(RemoveMember("acme", joan.person))
    assert result == {"removed": joan.person, "revoked": 2}
    assert {joan.id, second.id}.isdisjoint(each.id for each in town.known.principals.values())
    assert joan.person not in [
        each["id"] for each in town.ask(ListMembers("acme", "", 200))["members"]
    ]
    listed = town.ask(ListTokens("acme", joan.person, "", 50))["tokens"]
    assert [token["revoked_at"] for token in listed] == ["2030-03-17T17:46:40Z"] * 2
    assert isinstance(town.refusal(RemoveMember("acme", joan.person)), NotFound)


def test_of_a_removed_person_nothing_stays_but_the_id(town: TownHall) -> None:
    """Neither name nor address is in the file any more."""
    town.tenant()
    joan = town.order(AddMember("acme", "Joan Clarke", "joan@example.org"))["member"]
    town.order(RemoveMember("acme", joan["id"]))
    with closing(sqlite3.connect(town.path)) as file:
        left = file.execute("SELECT name, email FROM people WHERE id = ?", [joan["id"]]).fetchall()
    assert left == [("", None)]


def test_a_name_and_an_address_are_changed(town: TownHall) -> None:
    """What is None stays."""
    town.tenant()
    joan = town.order(AddMember("acme", "Joan", "joan@example.org"))["member"]
    changed = town.order(ChangeMember("acme", joan["id"], "Joan Murray", None))["member"]
    assert changed == {**joan, "name": "Joan Murray"}
    changed = town.order(ChangeMember("acme", joan["id"], None, "jm@example.org"))["member"]
    assert changed == {**joan, "name": "Joan Murray", "email": "jm@example.org"}
    assert town.order(ChangeMember("acme", joan["id"], None, None))["member"] == changed


@pytest.mark.parametrize("whom", ["admin owner", "owner", "member", "himself"])
@pytest.mark.parametrize("what", ["change", "remove", "issue"])
def test_an_owner_administers_members_and_himself(town: TownHall, whom: str, what: str) -> None:
    """Neither the admin owner nor other owners, who might otherwise be had through a token of theirs."""
    ada, owner = town.tenant(), town.owner(*AREAS)
    others: dict[str, Callable[[], Principal]] = {
        "admin owner": lambda: ada,
        "owner": lambda: town.owner("members"),
        "member": town.member,
        "himself": lambda: owner,
    }
    other = others[whom]().person
    command = {
        "change": ChangeMember("acme", other, "Someone", None),
        "remove": RemoveMember("acme", other),
        "issue": IssueToken("acme", other, "mine", None, None),
    }[what]
    if whom in ("member", "himself"):
        town.order(command, by=owner)
        return
    error = town.refusal(command, by=owner)
    # That there is always an admin owner is said first.
    expected = FailedPrecondition if (whom, what) == ("admin owner", "remove") else PermissionDenied
    assert isinstance(error, expected)


@pytest.mark.parametrize("who", ["admin owner", "super admin", "console"])
def test_owners_are_administered_from_above(town: TownHall, who: str) -> None:
    """Changed, given a token, removed."""
    ada, owner = town.tenant(), town.owner("members")
    givers: dict[str, Callable[[], Principal]] = {
        "admin owner": lambda: ada,
        "super admin": town.super_admin,
        "console": lambda: CONSOLE,
    }
    by = givers[who]()
    town.order(ChangeMember("acme", owner.person, "Someone", None), by=by)
    town.order(IssueToken("acme", owner.person, "spare", None, None), by=by)
    town.order(RemoveMember("acme", owner.person), by=by)


def commands_about(tenant: str, person: str) -> list[Any]:
    """All that name somebody."""
    return [
        Delegate(tenant, person, frozenset()),
        WithdrawOwner(tenant, person),
        TransferOwnership(tenant, person),
        ChangeMember(tenant, person, "x", None),
        RemoveMember(tenant, person),
        IssueToken(tenant, person, "x", None, None),
    ]


def test_somebody_of_another_tenant_is_not_there(town: TownHall) -> None:
    """In the same words as somebody who is nowhere, and as somebody of the platform."""
    town.tenant()
    other, developer = town.tenant("globex").person, town.developer().person
    for person in (other, developer):
        absent = commands_about("acme", NOBODY)
        for command, about_nobody in zip(commands_about("acme", person), absent, strict=True):
            error, same = town.refusal(command), town.refusal(about_nobody)
            assert isinstance(error, NotFound)
            assert str(error) == str(same).replace(NOBODY, person)


def test_a_tenant_that_there_is_not_is_not_found(town: TownHall) -> None:
    """Whatever is asked of it, and whoever is named."""
    for command in (*commands_about("nowhere", NOBODY), AddMember("nowhere", "x", None)):
        assert isinstance(town.refusal(command), NotFound)
    for question in (ListOwners("nowhere"), ListMembers("nowhere", "", 50)):
        with pytest.raises(NotFound, match="nowhere"):
            town.ask(question)


def test_people_of_a_tenant_to_be_deleted_stay_as_they_are(town: TownHall) -> None:
    """Until the deletion is called off; they can still be looked at."""
    town.tenant()
    joan = town.member()
    town.order(DeleteTenant("acme", 30, "over"))
    for command in (*commands_about("acme", joan.person), AddMember("acme", "x", None)):
        error = town.refusal(command)
        assert isinstance(error, FailedPrecondition)
        assert "tenants.resume" in str(error)
    assert len(town.ask(ListMembers("acme", "", 50))["members"]) == 2


def fill_with_owners(town: TownHall) -> str:
    """A tenant with as many owners as may be, and a member; the member."""
    town.tenant()
    for _ in range(99):
        person = town.order(AddMember("acme", "owner", None))["member"]["id"]
        town.order(Delegate("acme", person, frozenset({"config"})))
    return str(town.order(AddMember("acme", "Joan", None))["member"]["id"])


def test_a_tenant_has_a_hundred_owners_at_most(town: TownHall) -> None:
    """Delegation is refused, and a transfer that would leave one more; those there are still change."""
    joan = fill_with_owners(town)
    for command in (Delegate("acme", joan, frozenset()), TransferOwnership("acme", joan)):
        error = town.refusal(command)
        assert isinstance(error, FailedPrecondition)
        assert "100 owners" in str(error)
    owners = town.ask(ListOwners("acme"))["owners"]
    assert len(owners) == 100
    town.order(Delegate("acme", owners[1]["id"], frozenset({"tokens"})))
    town.order(TransferOwnership("acme", owners[1]["id"]))
    town.order(WithdrawOwner("acme", owners[0]["id"]))
    town.order(Delegate("acme", joan, frozenset()))


def fill_with_people(town: TownHall) -> list[str]:
    """A tenant with as many people as may be, and more who were removed; the members' ids."""
    ada = town.tenant()
    with open_directory(town.path) as connection, connection.begin():
        (owner,) = connection.execute(people.select().where(people.c.id == ada.person)).mappings()
        member = {**owner, "role": MEMBER}
        rows = [{**member, "id": f"p_{number:016x}"} for number in range(9_999)]
        gone = [
            {**member, "id": f"p_f{number:015x}", "removed_at": owner["created_at"]}
            for number in range(5)
        ]
        connection.execute(people.insert(), rows + gone)
    return [str(row["id"]) for row in rows]


def test_a_tenant_has_ten_thousand_people_at_most(town: TownHall) -> None:
    """The message says what to do, and that is enough; other tenants have their own."""
    members = fill_with_people(town)
    error = town.refusal(AddMember("acme", "Joan", None))
    assert isinstance(error, FailedPrecondition)
    assert "10,000 people, which is the most: members.remove" in str(error)
    town.tenant("globex")
    town.order(AddMember("globex", "Joan", None))
    town.order(RemoveMember("acme", members[0]))
    town.order(AddMember("acme", "Joan", None))
    assert isinstance(town.refusal(AddMember("acme", "Mary", None)), FailedPrecondition)


def test_who_is_not_there_is_to_be_looked_for_in_the_list(town: TownHall) -> None:
    """A tenant's people in one, the platform's in the other."""
    town.tenant()
    assert "members.list shows" in str(town.refusal(RemoveMember("acme", NOBODY)))
    assert "developers.list shows" in str(town.refusal(RemoveDeveloper(NOBODY)))


def test_hostile_text_is_only_text(town: TownHall) -> None:
    """In a name, an address, the id of a person, the name of a tenant."""
    town.tenant()
    hostile = "'; DROP TABLE people; --"
    assert town.order(AddMember("acme", hostile, hostile))["member"]["name"] == hostile
    assert isinstance(town.refusal(RemoveMember("acme", hostile)), NotFound)
    assert isinstance(town.refusal(RemoveMember(hostile, hostile)), NotFound)
    assert town.ask(ListMembers("acme", hostile, 50))["next"] is None
