"""Tickets: their states, who deals with them, and the record of every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.actors.tenant.functions.desk import HOSTILE, Desk, open_desk


@pytest.fixture
def contact(desk: Desk) -> int:
    """Somebody with a question."""
    added: int = desk("contacts.add", name="Ada Lovelace")["id"]
    return added


@pytest.fixture
def ticket(desk: Desk, contact: int) -> int:
    """An open one."""
    opened: int = desk("tickets.open", contact_id=contact, subject="Engine", body="Stuck.")["id"]
    return opened


def steps(desk: Desk, ticket: int) -> list[tuple[Any, ...]]:
    """The history in short."""
    events = desk("tickets.history", id=ticket)["events"]
    return [
        tuple(e[part] for part in ("event", "from_state", "to_state", "detail")) for e in events
    ]


def test_a_ticket_goes_from_hand_to_hand_and_remembers(desk: Desk, ticket: int) -> None:
    """Each step with its states and a word on it."""
    desk("tickets.assign", id=ticket, assignee="grace")
    desk("tickets.reply", id=ticket, body="Have you tried turning it?")
    desk("tickets.reply", id=ticket, body="It turns.", author="contact")
    desk("tickets.assign", id=ticket, assignee=None)
    desk("tickets.close", id=ticket, reason="It turns.")
    desk("tickets.reply", id=ticket, body="It stopped.", author="contact")

    assert steps(desk, ticket) == [
        ("opened", None, "open", None),
        ("assigned", "open", "open", "grace"),
        ("replied", "open", "pending", "desk"),
        ("replied", "pending", "open", "contact"),
        ("assigned", "open", "open", None),
        ("closed", "open", "closed", "It turns."),
        ("replied", "closed", "open", "contact"),
    ]
    shown = desk("tickets.get", id=ticket)
    assert [reply["body"] for reply in shown["replies"]] == [
        "Have you tried turning it?",
        "It turns.",
        "It stopped.",
    ]
    assert (shown["state"], shown["assignee"]) == ("open", None)
    assert shown["created_at"] < shown["updated_at"] == shown["replies"][-1]["created_at"]


def test_history_says_who_and_when(desk: Desk, ticket: int) -> None:
    """The caller of each message, and its moment."""
    (opened,) = desk("tickets.history", id=ticket)["events"]

    assert (opened["actor"], opened["created_at"]) == ("t_4f1c", "2026-03-14T09:26:55.000Z")


def test_a_ticket_may_be_opened_for_somebody_to_deal_with(desk: Desk, contact: int) -> None:
    """The assignee stands in the ticket and in its history."""
    opened = desk("tickets.open", contact_id=contact, subject="s", body="b", assignee="grace")

    assert desk("tickets.get", id=opened["id"])["assignee"] == "grace"
    assert steps(desk, opened["id"]) == [("opened", None, "open", "grace")]


def test_a_ticket_needs_its_contact(desk: Desk) -> None:
    """Nothing is stored for no one, no step either."""
    with pytest.raises(NotFound, match="contact 17 is not there"):
        desk("tickets.open", contact_id=17, subject="s", body="b")
    assert desk.rows("SELECT * FROM tickets UNION ALL SELECT * FROM ticket_events") == []


def test_a_closed_ticket_takes_no_words_of_the_desk(desk: Desk, ticket: int) -> None:
    """The refusal says what to do; the reply is not kept."""
    desk("tickets.close", id=ticket)
    with pytest.raises(FailedPrecondition, match=r'is closed .*tickets\.open.*author "contact"'):
        desk("tickets.reply", id=ticket, body="One more thing")

    assert desk("tickets.get", id=ticket)["replies"] == []


@pytest.mark.parametrize(("action", "params"), [("assign", {"assignee": "grace"}), ("close", {})])
def test_a_closed_ticket_is_neither_assigned_nor_closed(
    desk: Desk, ticket: int, action: str, params: dict[str, str]
) -> None:
    """And its history does not grow."""
    desk("tickets.close", id=ticket)
    with pytest.raises(FailedPrecondition, match="is closed: a reply of the contact opens it"):
        desk(f"tickets.{action}", id=ticket, **params)

    assert len(steps(desk, ticket)) == 2


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("reply", {"body": "x"}),
        ("assign", {"assignee": None}),
        ("close", {}),
        ("get", {}),
        ("history", {}),
    ],
)
def test_a_ticket_that_is_not_there_is_named(
    desk: Desk, action: str, params: dict[str, Any]
) -> None:
    """With the way to find one."""
    with pytest.raises(NotFound, match=r"ticket 17 is not there: .*tickets\.list"):
        desk(f"tickets.{action}", id=17, **params)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_kept_as_it_is(desk: Desk, contact: int, text: str) -> None:
    """In subject, body, assignee, reply and reason."""
    subject, body = f"s{text}", f"b{text}"
    opened = desk("tickets.open", contact_id=contact, subject=subject, body=body)["id"]
    desk("tickets.assign", id=opened, assignee=text)
    desk("tickets.reply", id=opened, body=body)
    (listed,) = desk("tickets.list", assignee=text)["tickets"]
    shown = desk("tickets.get", id=opened)
    desk("tickets.close", id=opened, reason=text)

    assert (listed["subject"], listed["assignee"]) == (subject, text)
    assert (shown["subject"], shown["body"], shown["replies"][0]["body"]) == (subject, body, body)
    assert steps(desk, opened)[-1] == ("closed", "pending", "closed", text)


@pytest.fixture
def queue(desk: Desk) -> Desk:
    """Six tickets of two contacts in every state."""
    for name in ("Ada", "Grace"):
        contact = desk("contacts.add", name=name)["id"]
        for state in ("open", "pending", "closed"):
            opened = desk("tickets.open", contact_id=contact, subject=state, body="b")["id"]
            if state == "pending":
                desk("tickets.assign", id=opened, assignee=name)
                desk("tickets.reply", id=opened, body="b")
            if state == "closed":
                desk("tickets.close", id=opened)
    return desk


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"state": "open"}, [4, 1]),
        ({"state": "pending"}, [5, 2]),
        ({"state": "closed"}, [6, 3]),
        ({"contact_id": 2}, [6, 5, 4]),
        ({"contact_id": 9}, []),
        ({"assignee": "Ada"}, [2]),
        ({"assignee": None}, [6, 4, 3, 1]),
        ({"assignee": None, "state": "open"}, [4, 1]),
        ({"assignee": "Grace", "state": "pending", "contact_id": 2}, [5]),
        ({"assignee": "Grace", "state": "open", "contact_id": 2}, []),
    ],
)
def test_tickets_are_listed_by_what_is_asked_newest_first(
    queue: Desk, filters: dict[str, Any], found: list[int]
) -> None:
    """Every filter alone and together; null asks for those that no one deals with."""
    assert [ticket["id"] for ticket in queue("tickets.list", **filters)["tickets"]] == found
    pages = queue.pages("tickets.list", limit=1, **filters)
    assert [ticket["id"] for page in pages for ticket in page["tickets"]] == found


def test_a_list_by_state_reads_that_state_alone(queue: Desk) -> None:
    """The plan uses the index, so that years of closed tickets cost nothing."""
    queue("tickets.list", state="open")

    plan = queue.plan()
    assert "tickets_state" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    "filters", [{"state": "lost"}, {"state": None}, {"assignee": ""}, {"limit": 101}, {"body": "x"}]
)
def test_a_filter_that_is_none_is_refused(desk: Desk, filters: dict[str, Any]) -> None:
    """Rather than ignored."""
    with pytest.raises(InvalidArgument):
        desk("tickets.list", **filters)


def test_replies_and_history_come_in_pages(desk: Desk, ticket: int) -> None:
    """Oldest first, and the ticket itself on every page."""
    for number in range(5):
        desk("tickets.reply", id=ticket, body=f"reply {number}")

    pages = list(desk.pages("tickets.get", id=ticket, limit=2))
    assert [[reply["body"][-1] for reply in page["replies"]] for page in pages] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]
    assert {page["subject"] for page in pages} == {"Engine"}
    assert len(list(desk.pages("tickets.history", id=ticket, limit=2))) == 3


STEPS = {
    "desk": ("tickets.reply", {"body": "b", "author": "desk"}),
    "contact": ("tickets.reply", {"body": "b", "author": "contact"}),
    "assign": ("tickets.assign", {"assignee": "grace"}),
    "close": ("tickets.close", {}),
}
MOVES = {
    "open": {"desk": "pending", "contact": "open", "assign": "open", "close": "closed"},
    "pending": {"desk": "pending", "contact": "open", "assign": "pending", "close": "closed"},
    "closed": {"contact": "open"},
}
"""What the index says in its comment on tickets: state, step, state."""


@given(taken=st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_tickets_move_as_the_table_says_and_record_each_move(
    empty_file: Path, taken: list[str]
) -> None:
    """Any steps in any order: the allowed ones move it, the others leave no trace."""
    with open_desk(empty_file) as desk:
        contact = desk("contacts.add", name="Ada Lovelace")["id"]
        ticket = desk("tickets.open", contact_id=contact, subject="s", body="b")["id"]
        states = ["open"]
        for step in taken:
            action, params = STEPS[step]
            if step in MOVES[states[-1]]:
                states.append(MOVES[states[-1]][step])
                assert desk(action, id=ticket, **params)["state"] == states[-1]
            else:
                with pytest.raises(FailedPrecondition):
                    desk(action, id=ticket, **params)
        recorded = steps(desk, ticket)
        assert desk("tickets.get", id=ticket)["state"] == states[-1]
        assert [to for _, _, to, _ in recorded] == states
        assert [before for _, before, _, _ in recorded] == [None, *states[:-1]]
