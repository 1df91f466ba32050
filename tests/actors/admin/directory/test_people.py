"""People of a tenant: one admin owner at every moment, owners with what is delegated to them, members."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace
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
from tests.actors.admin.directory_harness import CONSOLE, DirectoryHarness
from tests.actors.mailbox_harness import WAIT

NOBODY = "p_" + "0" * 16


def admin_owners_in(directory: DirectoryHarness) -> list[str]:
    """As another reader of the file sees them at this moment."""
    with closing(sqlite3.connect(f"file:{directory.path}?mode=ro", uri=True)) as reader:
        return [
            row[0] for row in reader.execute("SELECT id FROM people WHERE role = 'admin owner'")
        ]


def test_a_tenant_begins_with_its_admin_owner(directory: DirectoryHarness) -> None:
    """Who has every area without anybody having said so."""
    ada = directory.tenant()
    (owner,) = directory.ask(ListOwners("acme"))["owners"]
    assert (owner["id"], owner["name"], owner["email"]) == (ada.person, "Ada", "ada@example.org")
    assert (owner["role"], owner["areas"]) == ("admin owner", list(AREAS))
    assert owner["created_at"] == "2030-03-17T17:46:40Z"


def test_a_member_is_added_without_a_token(directory: DirectoryHarness) -> None:
    """No one has to be notified of him."""
    directory.tenant()
    directory.changes()
    member = directory.execute(AddMember("acme", "Joan", "joan@example.org"))["member"]
    assert re.fullmatch(r"p_[0-9a-f]{16}", member["id"])
    assert (member["role"], member["areas"]) == (MEMBER, [])
    assert directory.changes() == []
    assert directory.ask(ListTokens("acme", member["id"], "", 50))["tokens"] == []


def test_people_are_listed_page_by_page(directory: DirectoryHarness) -> None:
    """Each once, by id, the admin owner among them; no one of another tenant."""
    everybody = {directory.tenant().person} | {directory.member().person for _ in range(6)}
    directory.tenant("globex")
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = directory.ask(ListMembers("acme", after, 3))
        assert len(page["members"]) <= 3
        found += [member["id"] for member in page["members"]]
        after = page["next"]
    assert found == sorted(everybody)


def test_a_page_ends_before_it_is_a_large_reply(directory: DirectoryHarness) -> None:
    """200 people with the longest names of signs that JSON spells in six."""
    directory.tenant()
    for _ in range(130):
        directory.execute(AddMember("acme", "ß" * 200, "x" * 242 + "@example.org"))
    page = directory.ask(ListMembers("acme", "", 200))
    assert 50 < len(page["members"]) < 130
    rest = directory.ask(ListMembers("acme", page["next"], 200))
    assert len(page["members"]) + len(rest["members"]) == 131


def test_areas_are_delegated_narrowed_and_widened(directory: DirectoryHarness) -> None:
    """What is given is the whole list, and all of the person's tokens say so from then on."""
    directory.tenant()
    joan = directory.member()
    second = directory.with_token("acme", joan.person)
    for areas in ({"members", "tokens"}, {"members"}, set(), set(AREAS)):
        directory.changes()
        owner = directory.execute(Delegate("acme", joan.person, frozenset(areas)))["owner"]
        assert (owner["role"], set(owner["areas"])) == (OWNER, areas)
        for token in (joan.id, second.id):
            assert directory.principal(token).areas == areas
            assert directory.principal(token).role == OWNER


def test_an_area_that_there_is_not_is_refused(directory: DirectoryHarness) -> None:
    """With those there are."""
    directory.tenant()
    joan = directory.member()
    error = directory.refusal(Delegate("acme", joan.person, frozenset({"everything"})))
    assert isinstance(error, InvalidArgument)
    assert "'everything': use members, config" in str(error)


def test_a_withdrawn_owner_is_a_member_and_what_he_made_works_on(
    directory: DirectoryHarness,
) -> None:
    """The people he added, and the tokens he issued."""
    directory.tenant()
    owner = directory.owner("members", "tokens")
    made = directory.execute(AddMember("acme", "Mary", None), by=owner)["member"]["id"]
    wanted = IssueToken("acme", made, "shop", None, None)
    issued = directory.execute(wanted, by=owner)["token"]["id"]
    member = directory.execute(WithdrawOwner("acme", owner.person))["member"]
    assert (member["role"], member["areas"]) == (MEMBER, [])
    assert directory.principal(owner.id) == replace(owner, role=MEMBER, areas=frozenset())
    assert directory.principal(issued).person == made
    directory.execute(RemoveMember("acme", owner.person))
    assert directory.principal(issued).person == made


def test_a_transfer_leaves_an_owner_with_every_area(directory: DirectoryHarness) -> None:
    """One change reports both."""
    ada, joan = directory.tenant(), directory.member()
    directory.changes()
    result = directory.execute(TransferOwnership("acme", joan.person), by=ada)
    assert (result["admin_owner"]["id"], result["owner"]["id"]) == (joan.person, ada.person)
    assert result["owner"]["areas"] == list(AREAS)
    assert directory.principal(joan.id).role == "admin owner"
    assert directory.principal(ada.id) == replace(ada, role=OWNER, areas=frozenset(AREAS))
    assert directory.admin_owners() == [joan.person]
    directory.execute(TransferOwnership("acme", ada.person), by=directory.principal(joan.id))
    assert directory.admin_owners() == [ada.person]


def test_both_sides_of_a_transfer_are_told_at_once(directory: DirectoryHarness) -> None:
    """There is no moment at which a subscriber knows two admin owners, or none."""
    ada, joan = directory.tenant(), directory.member()
    directory.changes()
    ask(directory.mailbox, Execute(TransferOwnership("acme", joan.person), ada, None), WAIT)
    (change,) = directory.changes()
    assert {token.principal.id for token in change.tokens} == {ada.id, joan.id}


def test_of_two_transfers_at_once_the_second_is_aborted(directory: DirectoryHarness) -> None:
    """Both were allowed when their channel looked; the file never shows but one admin owner."""
    ada, joan, mary = directory.tenant(), directory.member(), directory.member()
    directory.execute(TransferOwnership("acme", joan.person), by=ada)
    assert admin_owners_in(directory) == [joan.person]
    error = directory.refusal(TransferOwnership("acme", mary.person), by=ada)
    assert isinstance(error, Aborted)
    assert "no longer admin owner" in str(error)
    assert admin_owners_in(directory) == directory.admin_owners() == [joan.person]


@pytest.mark.parametrize("who", ["console", "super admin"])
def test_a_tenant_can_be_handed_on_without_its_admin_owner(
    directory: DirectoryHarness, who: str
) -> None:
    """He may have left."""
    ada, joan = directory.tenant(), directory.member()
    by = CONSOLE if who == "console" else directory.super_admin()
    directory.execute(TransferOwnership("acme", joan.person), by=by)
    assert directory.admin_owners() == [joan.person]
    assert directory.principal(ada.id).role == OWNER


def test_the_file_itself_takes_no_second_admin_owner(directory: DirectoryHarness) -> None:
    """Whatever code has a defect."""
    directory.tenant()
    joan = directory.member()
    with (
        open_directory(directory.path) as connection,
        pytest.raises(IntegrityError),
        connection.begin(),
    ):
        connection.execute(
            people.update().where(people.c.id == joan.person).values(role="admin owner")
        )


@pytest.mark.parametrize("command", [WithdrawOwner, RemoveMember, TransferOwnership])
def test_the_admin_owner_cannot_be_made_to_go_without_another(
    directory: DirectoryHarness, command: Any
) -> None:
    """Not by himself, not by the console: there would be none."""
    ada = directory.tenant()
    for by in (ada, CONSOLE):
        error = directory.refusal(command("acme", ada.person), by=by)
        assert isinstance(error, FailedPrecondition)
        assert ada.person in str(error)


def test_what_an_admin_owner_has_cannot_be_narrowed(directory: DirectoryHarness) -> None:
    """Nor what a member has be withdrawn."""
    ada, joan = directory.tenant(), directory.member()
    for command in (
        Delegate("acme", ada.person, frozenset({"config"})),
        WithdrawOwner("acme", joan.person),
    ):
        assert isinstance(directory.refusal(command), FailedPrecondition)


def test_a_removed_person_is_gone_with_his_tokens(directory: DirectoryHarness) -> None:
    """How many is in the result; no one finds him any more."""
    directory.tenant()
    joan = directory.member()
    second = directory.with_token("acme", joan.person)
    result = directory.execute(RemoveMember("acme", joan.person))
    assert result == {"removed": joan.person, "revoked": 2}
    assert {joan.id, second.id}.isdisjoint(each.id for each in directory.known.principals.values())
    assert joan.person not in [
        each["id"] for each in directory.ask(ListMembers("acme", "", 200))["members"]
    ]
    listed = directory.ask(ListTokens("acme", joan.person, "", 50))["tokens"]
    assert [token["revoked_at"] for token in listed] == ["2030-03-17T17:46:40Z"] * 2
    assert isinstance(directory.refusal(RemoveMember("acme", joan.person)), NotFound)


def test_of_a_removed_person_nothing_stays_but_the_id(directory: DirectoryHarness) -> None:
    """Neither name nor address is in the file any more."""
    directory.tenant()
    joan = directory.execute(AddMember("acme", "Joan Clarke", "joan@example.org"))["member"]
    directory.execute(RemoveMember("acme", joan["id"]))
    with closing(sqlite3.connect(directory.path)) as file:
        left = file.execute("SELECT name, email FROM people WHERE id = ?", [joan["id"]]).fetchall()
    assert left == [("", None)]


def test_a_name_and_an_address_are_changed(directory: DirectoryHarness) -> None:
    """What is None stays."""
    directory.tenant()
    joan = directory.execute(AddMember("acme", "Joan", "joan@example.org"))["member"]
    changed = directory.execute(ChangeMember("acme", joan["id"], "Joan Murray", None))["member"]
    assert changed == {**joan, "name": "Joan Murray"}
    changed = directory.execute(ChangeMember("acme", joan["id"], None, "jm@example.org"))["member"]
    assert changed == {**joan, "name": "Joan Murray", "email": "jm@example.org"}
    assert directory.execute(ChangeMember("acme", joan["id"], None, None))["member"] == changed


@pytest.mark.parametrize("whom", ["admin owner", "owner", "member", "himself"])
@pytest.mark.parametrize("what", ["change", "remove", "issue"])
def test_an_owner_administers_members_and_himself(
    directory: DirectoryHarness, whom: str, what: str
) -> None:
    """Neither the admin owner nor other owners, who might otherwise be had through a token of theirs."""
    ada, owner = directory.tenant(), directory.owner(*AREAS)
    others: dict[str, Callable[[], Principal]] = {
        "admin owner": lambda: ada,
        "owner": lambda: directory.owner("members"),
        "member": directory.member,
        "himself": lambda: owner,
    }
    other = others[whom]().person
    command = {
        "change": ChangeMember("acme", other, "Someone", None),
        "remove": RemoveMember("acme", other),
        "issue": IssueToken("acme", other, "mine", None, None),
    }[what]
    if whom in ("member", "himself"):
        directory.execute(command, by=owner)
        return
    error = directory.refusal(command, by=owner)
    # That there is always an admin owner is said first.
    expected = FailedPrecondition if (whom, what) == ("admin owner", "remove") else PermissionDenied
    assert isinstance(error, expected)


@pytest.mark.parametrize("who", ["admin owner", "super admin", "console"])
def test_owners_are_administered_from_above(directory: DirectoryHarness, who: str) -> None:
    """Changed, given a token, removed."""
    ada, owner = directory.tenant(), directory.owner("members")
    givers: dict[str, Callable[[], Principal]] = {
        "admin owner": lambda: ada,
        "super admin": directory.super_admin,
        "console": lambda: CONSOLE,
    }
    by = givers[who]()
    directory.execute(ChangeMember("acme", owner.person, "Someone", None), by=by)
    directory.execute(IssueToken("acme", owner.person, "spare", None, None), by=by)
    directory.execute(RemoveMember("acme", owner.person), by=by)


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


def test_somebody_of_another_tenant_is_not_there(directory: DirectoryHarness) -> None:
    """In the same words as somebody who is nowhere, and as somebody of the platform."""
    directory.tenant()
    other, developer = directory.tenant("globex").person, directory.developer().person
    for person in (other, developer):
        absent = commands_about("acme", NOBODY)
        for command, about_nobody in zip(commands_about("acme", person), absent, strict=True):
            error, same = directory.refusal(command), directory.refusal(about_nobody)
            assert isinstance(error, NotFound)
            assert str(error) == str(same).replace(NOBODY, person)


def test_a_tenant_that_there_is_not_is_not_found(directory: DirectoryHarness) -> None:
    """Whatever is asked of it, and no matter who is named."""
    for command in (*commands_about("nowhere", NOBODY), AddMember("nowhere", "x", None)):
        assert isinstance(directory.refusal(command), NotFound)
    for question in (ListOwners("nowhere"), ListMembers("nowhere", "", 50)):
        with pytest.raises(NotFound, match="nowhere"):
            directory.ask(question)


def test_people_of_a_tenant_to_be_deleted_stay_as_they_are(directory: DirectoryHarness) -> None:
    """Until the deletion is called off; they can still be looked at."""
    directory.tenant()
    joan = directory.member()
    directory.execute(DeleteTenant("acme", 30, "over"))
    for command in (*commands_about("acme", joan.person), AddMember("acme", "x", None)):
        error = directory.refusal(command)
        assert isinstance(error, FailedPrecondition)
        assert "tenants.resume" in str(error)
    assert len(directory.ask(ListMembers("acme", "", 50))["members"]) == 2


def fill_with_owners(directory: DirectoryHarness) -> str:
    """A tenant with as many owners as may be, and a member; the member."""
    directory.tenant()
    for _ in range(99):
        person = directory.execute(AddMember("acme", "owner", None))["member"]["id"]
        directory.execute(Delegate("acme", person, frozenset({"config"})))
    return str(directory.execute(AddMember("acme", "Joan", None))["member"]["id"])


def test_a_tenant_has_a_hundred_owners_at_most(directory: DirectoryHarness) -> None:
    """Delegation is refused, and a transfer that would leave one more; those there are still change."""
    joan = fill_with_owners(directory)
    for command in (Delegate("acme", joan, frozenset()), TransferOwnership("acme", joan)):
        error = directory.refusal(command)
        assert isinstance(error, FailedPrecondition)
        assert "100 owners" in str(error)
    owners = directory.ask(ListOwners("acme"))["owners"]
    assert len(owners) == 100
    directory.execute(Delegate("acme", owners[1]["id"], frozenset({"tokens"})))
    directory.execute(TransferOwnership("acme", owners[1]["id"]))
    directory.execute(WithdrawOwner("acme", owners[0]["id"]))
    directory.execute(Delegate("acme", joan, frozenset()))


def fill_with_people(directory: DirectoryHarness) -> list[str]:
    """A tenant with as many people as may be, and more who were removed; the members' ids."""
    ada = directory.tenant()
    with open_directory(directory.path) as connection, connection.begin():
        (owner,) = connection.execute(people.select().where(people.c.id == ada.person)).mappings()
        member = {**owner, "role": MEMBER}
        rows = [{**member, "id": f"p_{number:016x}"} for number in range(9_999)]
        gone = [
            {**member, "id": f"p_f{number:015x}", "removed_at": owner["created_at"]}
            for number in range(5)
        ]
        connection.execute(people.insert(), rows + gone)
    return [str(row["id"]) for row in rows]


def test_a_tenant_has_ten_thousand_people_at_most(directory: DirectoryHarness) -> None:
    """The message says what to do, and that is enough; other tenants have their own."""
    members = fill_with_people(directory)
    error = directory.refusal(AddMember("acme", "Joan", None))
    assert isinstance(error, FailedPrecondition)
    assert "10,000 people, which is the most: members.remove" in str(error)
    directory.tenant("globex")
    directory.execute(AddMember("globex", "Joan", None))
    directory.execute(RemoveMember("acme", members[0]))
    directory.execute(AddMember("acme", "Joan", None))
    assert isinstance(directory.refusal(AddMember("acme", "Mary", None)), FailedPrecondition)


def test_who_is_not_there_is_to_be_looked_for_in_the_list(directory: DirectoryHarness) -> None:
    """A tenant's people in one, the platform's in the other."""
    directory.tenant()
    assert "members.list lists" in str(directory.refusal(RemoveMember("acme", NOBODY)))
    assert "developers.list lists" in str(directory.refusal(RemoveDeveloper(NOBODY)))


def test_hostile_text_is_only_text(directory: DirectoryHarness) -> None:
    """In a name, an address, the id of a person, the name of a tenant."""
    directory.tenant()
    hostile = "'; DROP TABLE people; --"
    assert directory.execute(AddMember("acme", hostile, hostile))["member"]["name"] == hostile
    assert isinstance(directory.refusal(RemoveMember("acme", hostile)), NotFound)
    assert isinstance(directory.refusal(RemoveMember(hostile, hostile)), NotFound)
    assert directory.ask(ListMembers("acme", hostile, 50))["next"] is None
