"""The demo tenants' data, sent to a real desk as the server sends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.demo import TENANTS, requests
from tests.actors.tenant.functions.desk import Desk, make_file, open_desk


@pytest.fixture(params=sorted(TENANTS))
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A new desk that was sent everything, in order."""
    with open_desk(make_file(tmp_path)) as desk:
        for action, params in requests(request.param):
            desk(action, **params)
        yield desk


def test_everything_is_taken(told: Desk) -> None:
    """Every request fits the index and the desk; a demo is worth looking at."""
    assert told.rows("SELECT count(*) FROM contacts") == [(30,)]
    assert told.rows("SELECT count(*) >= 6 FROM notes") == [(1,)]
    states = {state for (state,) in told.rows("SELECT DISTINCT state FROM tickets")}
    assert states == {"open", "pending", "closed"}


def test_the_search_that_the_manual_shows_finds_somebody(told: Desk) -> None:
    """`contacts.find text=ada` prints real rows for either tenant."""
    found = [contact["name"] for contact in told("contacts.find", text="ada")["contacts"]]

    assert {"Ada Lovelace", "Ada Yonath"} & set(found)


def test_notes_and_tickets_are_on_whom_they_speak_of(told: Desk) -> None:
    """Contacts are numbered in the order of the list: the numbers beside notes rely on it."""
    contacts = told.rows("SELECT id, name FROM contacts ORDER BY id")
    people = next(each.people for each in TENANTS.values() if each.people[0].name == contacts[0][1])

    assert contacts == [(number, person.name) for number, person in enumerate(people, 1)]


def test_the_requests_are_the_same_every_time() -> None:
    """So that they can be sent under fixed ids."""
    for tenant in TENANTS:
        assert list(requests(tenant)) == list(requests(tenant))


def test_another_tenant_gets_nothing() -> None:
    """The demo touches the two tenants it names."""
    assert list(requests("initech")) == []
