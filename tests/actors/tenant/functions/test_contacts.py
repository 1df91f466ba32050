"""The address book, one contact at a time."""

from __future__ import annotations

import re

import pytest

from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.actors.tenant.functions.desk import HOSTILE, INDEX, Desk

ADA = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+44 20 7946 0101",
    "company": "Analytical Engines",
}


def test_a_contact_comes_back_as_it_was_added(desk: Desk) -> None:
    """Every field, and the moment of the message in UTC."""
    added = desk("contacts.add", **ADA)

    assert desk("contacts.get", id=added["id"]) == {
        "id": added["id"],
        **ADA,
        "created_at": "2026-03-14T09:26:54.000Z",
        "updated_at": "2026-03-14T09:26:54.000Z",
    }


def test_what_is_not_known_is_null(desk: Desk) -> None:
    """Only the name is needed."""
    contact = desk("contacts.get", **desk("contacts.add", name="Hypatia"))

    assert (contact["email"], contact["phone"], contact["company"]) == (None, None, None)


def test_adding_takes_two_statements(desk: Desk) -> None:
    """The busiest action: an INSERT that returns the id, one into the search index, nothing else."""
    desk("contacts.add", **ADA)

    contact, words = desk.statements
    assert re.fullmatch(r"INSERT INTO contacts \(.*\) RETURNING id", contact)
    assert words.startswith("INSERT INTO contacts_fts (rowid, words)")


def test_two_people_may_share_name_and_email(desk: Desk) -> None:
    """No uniqueness is imposed on what people are called."""
    assert desk("contacts.add", **ADA) != desk("contacts.add", **ADA)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_kept_as_it_is(desk: Desk, text: str) -> None:
    """Quotes, operators and control characters are text like any other."""
    fields = {"name": f"n{text}", "phone": f"p{text}", "company": f"c{text}"}
    added = desk("contacts.add", **fields)
    contact = desk("contacts.update", id=added["id"], name=f"m{text}")

    assert desk("contacts.get", id=added["id"]) == contact
    assert {field: contact[field] for field in fields} == fields | {"name": f"m{text}"}
    assert desk("contacts.remove", id=added["id"]) == added
    desk.check_search_index()


def test_an_update_changes_what_was_given_and_nothing_else(desk: Desk) -> None:
    """The result is the contact as it is now; created_at stays, updated_at moves."""
    before = desk("contacts.get", **desk("contacts.add", **ADA))
    after = desk("contacts.update", id=before["id"], phone="+44 1")

    assert after == before | {"phone": "+44 1", "updated_at": "2026-03-14T09:26:56.000Z"}
    assert desk("contacts.get", id=before["id"]) == after


def test_null_empties_a_field_and_an_absent_one_stays(desk: Desk) -> None:
    """The two are told apart."""
    added = desk("contacts.add", **ADA)
    contact = desk("contacts.update", id=added["id"], email=None)

    assert (contact["email"], contact["company"]) == (None, ADA["company"])


def test_a_name_cannot_be_emptied(desk: Desk) -> None:
    """Neither by null nor by blanks."""
    added = desk("contacts.add", **ADA)
    for name in (None, "", " \t\n"):
        with pytest.raises(InvalidArgument) as refused:
            desk("contacts.update", id=added["id"], name=name)
        assert refused.value.refusal.details[0].field == "params.name"


def test_an_update_without_a_field_is_refused(desk: Desk) -> None:
    """It says which fields there are."""
    added = desk("contacts.add", **ADA)
    with pytest.raises(InvalidArgument, match="at least one of name, email, phone, company"):
        desk("contacts.update", id=added["id"])


def test_a_removed_contact_is_gone_with_its_notes(desk: Desk) -> None:
    """Also from the search index."""
    kept, gone = desk("contacts.add", **ADA), desk("contacts.add", **ADA)
    desk("notes.add", contact_id=kept["id"], body="stays")
    desk("notes.add", contact_id=gone["id"], body="goes")
    desk("contacts.remove", id=gone["id"])

    assert [contact["id"] for contact in desk("contacts.find", text="ada")["contacts"]] == [1]
    assert desk.rows("SELECT body FROM notes") == [("stays",)]
    desk.check_search_index()


def test_a_contact_with_tickets_is_not_removed(desk: Desk) -> None:
    """The refusal names the newest tickets and what to do instead; nothing is lost."""
    added = desk("contacts.add", **ADA)
    for _ in range(5):
        desk("tickets.open", contact_id=added["id"], subject="s", body="b")

    with pytest.raises(FailedPrecondition, match=r"tickets \(5, 4, 3, …\).*contacts\.update"):
        desk("contacts.remove", id=added["id"])
    assert desk("contacts.get", id=added["id"])["name"] == ADA["name"]


@pytest.mark.parametrize("action", ["contacts.get", "contacts.update", "contacts.remove"])
def test_a_contact_that_is_not_there_is_named(desk: Desk, action: str) -> None:
    """With the way to find one."""
    name = {"name": "x"} if action == "contacts.update" else {}
    with pytest.raises(NotFound, match=r"contact 17 is not there: .*contacts\.find"):
        desk(action, id=17, **name)


@pytest.mark.parametrize(
    "field",
    [
        {"name": "x" * 201},
        {"email": "not an address"},
        {"email": "Ada <ada@example.com>"},
        {"email": f"{'x' * 250}@b.co"},
        {"phone": ""},
        {"phone": "1" * 41},
        {"company": "x" * 201},
        {"fax": "1"},
        {"name": 7},
    ],
)
def test_fields_outside_their_limits_are_refused_by_name(field: dict[str, object]) -> None:
    """The index's limits on adding and updating are the same."""
    name = next(iter(field))
    for action, given in (("contacts.add", {"name": "x"}), ("contacts.update", {"id": 1})):
        with pytest.raises(InvalidArgument) as refused:
            INDEX.actions[action].params.parse(given | field)
        assert {detail.field for detail in refused.value.refusal.details} == {f"params.{name}"}


@pytest.mark.parametrize("contact_id", [0, -1, 2**53, 2**63, 1.5, "1", True, None])
def test_an_id_is_an_integer_that_every_client_can_hold(contact_id: object) -> None:
    """Larger ones would reach SQLite as an overflow, or a JSON client as another number."""
    with pytest.raises(InvalidArgument):
        INDEX.actions["contacts.get"].params.parse({"id": contact_id})
