"""Paging: cursors, and pages while rows come and go."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import InvalidArgument
from actors.tenant.functions import cursor
from tests.actors.tenant.functions.desk import Desk, open_desk


@given(last=st.integers(1, cursor.LARGEST_ID), listing=st.sampled_from(["contacts", "replies"]))
def test_a_cursor_reads_back_and_fits_into_its_field(last: int, listing: str) -> None:
    """64 characters are what the index allows."""
    made = cursor.encode(listing, last)

    assert cursor.decode(listing, made) == last
    assert len(made) <= 64


@given(text=st.text(max_size=64))
def test_no_other_text_is_a_cursor(text: str) -> None:
    """It is refused by name, whatever it holds."""
    with pytest.raises(InvalidArgument, match="not a cursor of contacts") as refused:
        cursor.decode("contacts", text)
    assert refused.value.refusal.details[0].field == "params.after"


@pytest.mark.parametrize(
    "plain", ["notes:1", "contacts:0", "contacts:-1", "contacts:01", f"contacts:{2**53}", "1", ":1"]
)
def test_a_cursor_of_something_else_is_refused(plain: str) -> None:
    """Of another listing, or of a row that cannot be."""
    forged = base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")
    with pytest.raises(InvalidArgument):
        cursor.decode("contacts", forged)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("contacts.find", {}),
        ("contacts.find", {"text": "x"}),
        ("notes.list", {"contact_id": 1}),
        ("tickets.list", {}),
        ("tickets.get", {"id": 1}),
        ("tickets.history", {"id": 1}),
    ],
)
@pytest.mark.parametrize("after", ["", "x", "'; --", "MQ", "💥", cursor.encode("others", 1)])
def test_every_listing_refuses_what_is_not_its_cursor(
    desk: Desk, action: str, params: dict[str, Any], after: str
) -> None:
    """An expected refusal, not a defect."""
    contact = desk("contacts.add", name="x")["id"]
    desk("tickets.open", contact_id=contact, subject="s", body="b")
    with pytest.raises(InvalidArgument):
        desk(action, **params, after=after)


LISTINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "contacts": ("contacts", "contacts.find", {}),
    "contacts by text": ("contacts", "contacts.find", {"text": "ro"}),
    "notes": ("notes", "notes.list", {"contact_id": 1}),
}


class Shelf:
    """Rows that come and go while somebody turns the pages of a listing."""

    def __init__(self, desk: Desk, listing: str) -> None:
        self.desk = desk
        self.things, self.action, self.params = LISTINGS[listing]
        if self.things == "notes":
            desk("contacts.add", name="Ada Lovelace")

    def put(self) -> int:
        """Add a row; its id."""
        row = {"contact_id": 1, "body": "row"} if self.things == "notes" else {"name": "row"}
        added: int = self.desk(f"{self.things}.add", **row)["id"]
        return added

    def take(self, row: int) -> None:
        """Remove a row."""
        self.desk(f"{self.things}.remove", id=row)

    def page(self, limit: int, after: str | None) -> tuple[list[int], str | None]:
        """The ids on a page, and the way to the next."""
        onwards = {} if after is None else {"after": after}
        page = self.desk(self.action, **self.params, limit=limit, **onwards)
        return [row["id"] for row in page[self.things]], page["next"]


@given(data=st.data(), listing=st.sampled_from(sorted(LISTINGS)))
def test_pages_neither_miss_nor_repeat_a_row_while_others_come_and_go(
    empty_file: Path, data: st.DataObject, listing: str
) -> None:
    """Every row that is there throughout is seen once, and none is seen twice."""
    with open_desk(empty_file) as desk:
        shelf = Shelf(desk, listing)
        there = {shelf.put() for _ in range(data.draw(st.integers(0, 12)))}
        throughout = set(there)
        seen, after = shelf.page(data.draw(st.integers(1, 5)), None)
        while after is not None:
            for gone in data.draw(
                st.sets(st.sampled_from(sorted(there)), max_size=3) if there else st.just(set())
            ):
                shelf.take(gone)
                there.discard(gone)
                throughout.discard(gone)
            there |= {shelf.put() for _ in range(data.draw(st.integers(0, 3)))}
            ids, after = shelf.page(data.draw(st.integers(1, 5)), after)
            seen += ids
        assert throughout <= set(seen)
        assert seen == sorted(set(seen), reverse=listing == "notes")
