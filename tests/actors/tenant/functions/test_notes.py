"""Notes on contacts."""

from __future__ import annotations

import pytest

from actors.errors import InvalidArgument, NotFound
from tests.actors.tenant.functions.desk import HOSTILE, Desk


@pytest.fixture
def contact(desk: Desk) -> int:
    """Somebody to write about."""
    added: int = desk("contacts.add", name="Ada Lovelace")["id"]
    return added


def bodies(desk: Desk, contact: int) -> list[str]:
    """What is noted."""
    return [note["body"] for note in desk("notes.list", contact_id=contact)["notes"]]


def test_notes_are_signed_dated_and_listed_newest_first(desk: Desk, contact: int) -> None:
    """The author is the caller."""
    desk("notes.add", contact_id=contact, body="first")
    desk("notes.add", contact_id=contact, body="second")

    second, first = desk("notes.list", contact_id=contact)["notes"]
    assert (second["body"], first["body"]) == ("second", "first")
    assert first["author"] == "t_4f1c"
    assert first["created_at"] == "2026-03-14T09:26:55.000Z"


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 4000, "多" * 4000])
def test_a_note_keeps_any_text(desk: Desk, contact: int, text: str) -> None:
    """Up to 4,000 characters."""
    text = text if text.strip() else f"{text}."
    desk("notes.add", contact_id=contact, body=text)

    assert bodies(desk, contact) == [text]


@pytest.mark.parametrize("text", ["", " ", "\n", "x" * 4001, 7, None])
def test_a_note_says_something_in_4000_characters(desk: Desk, contact: int, text: object) -> None:
    """Blank and longer ones are refused."""
    with pytest.raises(InvalidArgument):
        desk("notes.add", contact_id=contact, body=text)


def test_only_the_notes_of_the_contact_are_listed(desk: Desk, contact: int) -> None:
    """Not those of the next one."""
    other = desk("contacts.add", name="Grace Hopper")["id"]
    desk("notes.add", contact_id=contact, body="on Ada")
    desk("notes.add", contact_id=other, body="on Grace")

    assert bodies(desk, contact) == ["on Ada"]


def test_a_contact_without_notes_has_an_empty_list(desk: Desk, contact: int) -> None:
    """Which is not the same as no contact."""
    assert desk("notes.list", contact_id=contact) == {"notes": [], "next": None}


def test_a_note_on_nobody_is_refused(desk: Desk) -> None:
    """Writing and listing say who is missing; nothing is stored."""
    for action, params in (("notes.add", {"body": "x"}), ("notes.list", {})):
        with pytest.raises(NotFound, match="contact 17 is not there"):
            desk(action, contact_id=17, **params)
    assert desk.rows("SELECT count(*) FROM notes") == [(0,)]


def test_a_removed_note_is_gone(desk: Desk, contact: int) -> None:
    """And cannot be removed twice."""
    note = desk("notes.add", contact_id=contact, body="x")
    desk("notes.remove", id=note["id"])

    assert bodies(desk, contact) == []
    with pytest.raises(NotFound, match=r"note 1 is not there: .*notes\.list"):
        desk("notes.remove", id=note["id"])
