"""Taking in a file of contacts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ActionError, InvalidArgument
from actors.tenant.functions.imports import ROW
from tests.actors.tenant.functions.desk import HOSTILE, INDEX, Desk, open_desk

GRACE = {"name": "Grace Hopper", "email": "grace@example.com"}


def test_the_rules_are_those_of_adding_one() -> None:
    """The function's copy of the schema and the index say the same."""
    assert INDEX.actions["contacts.add"].params.source == ROW


def test_a_thousand_rows_go_in_with_three_statements(desk: Desk) -> None:
    """All of them found afterwards, and the search index in step."""
    rows = [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(1000)]

    assert desk("contacts.import", rows=rows) == {"added": 1000, "refused": 0, "problems": []}
    assert len(desk.statements) == 3
    pages = desk.pages("contacts.find", text="person", limit=100)
    found = [contact["name"] for page in pages for contact in page["contacts"]]
    assert found == [row["name"] for row in rows]
    desk.check_search_index()


def test_rows_join_the_contacts_that_are_there(desk: Desk) -> None:
    """Each is learnt once by the search index, also after the last contact was removed."""
    desk("contacts.add", **GRACE)
    desk("contacts.import", rows=[{"name": "Ada Lovelace"}])
    desk("contacts.remove", id=2)
    desk("contacts.import", rows=[{"name": "Alan Turing"}, {"name": "Ada Yonath"}])

    found = desk("contacts.find", text="a")["contacts"]
    assert [contact["name"] for contact in found] == ["Alan Turing", "Ada Yonath"]
    desk.check_search_index()


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        ({}, "name", "is required"),
        ({"name": None}, "name", "is required"),
        ({"name": " \t"}, "name", "is required"),
        ({"name": 7}, "name", "is not text"),
        ({"name": ["x"]}, "name", "is not text"),
        ({"name": "x" * 201}, "name", "is longer than 200 characters"),
        ({"name": "x", "email": "nobody"}, "email", "is not an email address"),
        ({"name": "x", "phone": "1" * 41}, "phone", "is longer than 40 characters"),
        ({"name": "x", "phone": 441}, "phone", "is not text"),
        ({"name": "x", "company": "x" * 201}, "company", "is longer than 200 characters"),
        ({"name": "x", "fax": "1"}, "fax", "is not a field of a contact"),
        ({"name": "x", "f" * 300: "1"}, "f" * 64, "is not a field of a contact"),
        ({"name": "x", "id": 1}, "id", "is not a field of a contact"),
    ],
)
def test_a_bad_row_is_reported_and_the_good_ones_are_stored(
    desk: Desk, row: dict[str, Any], field: str, problem: str
) -> None:
    """Row, field and problem, in the words of a person."""
    result = desk("contacts.import", rows=[GRACE, row, {"name": "Ada Lovelace"}])

    assert result == {
        "added": 2,
        "refused": 1,
        "problems": [{"row": 1, "field": field, "problem": problem}],
    }
    assert desk.rows("SELECT name FROM contacts") == [("Grace Hopper",), ("Ada Lovelace",)]


def test_strict_stores_nothing_where_one_row_is_bad(desk: Desk) -> None:
    """The refusal's details name what to mend."""
    with pytest.raises(InvalidArgument, match="1 of the rows cannot be stored") as refused:
        desk("contacts.import", rows=[GRACE, {"name": "", "phone": 7}], strict=True)

    assert set(refused.value.refusal.details) == {
        ("params.rows.1.name", "is required"),
        ("params.rows.1.phone", "is not text"),
    }
    assert desk.rows("SELECT count(*) FROM contacts") == [(0,)]


def test_strict_stores_a_file_without_a_problem(desk: Desk) -> None:
    """Strictness alone refuses nothing."""
    assert desk("contacts.import", rows=[GRACE], strict=True)["added"] == 1


def test_an_email_that_comes_twice_in_a_file_is_reported(desk: Desk) -> None:
    """Whatever its case; the first row is stored, and so is a row after a bad one of that email."""
    rows = [
        {"name": "", "email": "a@example.com"},
        {"name": "first", "email": "a@example.com"},
        {"name": "second", "email": "A@Example.COM"},
        {"name": "without"},
        {"name": "without"},
    ]
    result = desk("contacts.import", rows=rows)

    assert result["added"] == 3
    assert result["problems"][1:] == [
        {"row": 2, "field": "email", "problem": "is the email of row 1 too"}
    ]


def test_blanks_around_values_and_empty_cells_count_for_nothing(desk: Desk) -> None:
    """As they come out of a spreadsheet."""
    desk(
        "contacts.import",
        rows=[{"name": " Ada ", "email": "  ", "phone": "", "company": None}],
    )
    contact = desk("contacts.get", id=1)

    assert [contact[field] for field in ("name", "email", "phone", "company")] == [
        "Ada",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_imported_as_it_is(desk: Desk, text: str) -> None:
    """In values and in the names of fields."""
    desk("contacts.import", rows=[{"name": f"n{text}n", "company": f"c{text}c"}, {text: text}])
    contact = desk("contacts.get", id=1)

    assert (contact["name"], contact["company"]) == (f"n{text}n", f"c{text}c")


def test_problems_are_counted_in_full_and_listed_up_to_a_thousand(desk: Desk) -> None:
    """A file that is wrong throughout gets an answer that a message can carry."""
    result = desk("contacts.import", rows=[{"email": "nobody"}] * 1000)

    assert (result["added"], result["refused"], len(result["problems"])) == (0, 1000, 1000)


@pytest.mark.parametrize("rows", [[], [{"name": "x"}] * 1001, ["x"], [None], None, {}])
def test_a_file_has_1_to_1000_rows_of_fields(desk: Desk, rows: object) -> None:
    """Anything else is no file, and refused as a whole."""
    with pytest.raises(InvalidArgument):
        desk("contacts.import", rows=rows)


FIELD = st.one_of(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=210),
    st.emails(),
    st.sampled_from(HOSTILE),
    st.integers(),
)
TIGHT = st.dictionaries(st.sampled_from(["name", "email", "phone", "company", "x"]), FIELD)


@given(
    row=TIGHT.map(lambda row: {k: v.strip() if isinstance(v, str) else v for k, v in row.items()})
)
def test_a_row_is_stored_exactly_where_adding_it_is_allowed(
    empty_file: Any, row: dict[str, Any]
) -> None:
    """Apart from empty cells, which adding refuses."""
    row = {field: value for field, value in row.items() if value != ""}
    try:
        INDEX.actions["contacts.add"].params.parse(row)
        allowed = True
    except ActionError:
        allowed = False
    with open_desk(empty_file) as desk:
        assert desk("contacts.import", rows=[row])["added"] == allowed
