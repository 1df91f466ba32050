"""What a ticket tells the outside, and what it remembers of that."""

from __future__ import annotations

import json
from email import message_from_string, policy
from typing import Any

import pytest

from actors.connectors.mail import MailConnector
from actors.errors import NotFound
from tests.actors.connectors.deliveries import LOOPBACK, delivery, known
from tests.actors.tenant.functions.desk import HOSTILE, Desk


def ticket(desk: Desk, email: str | None = "ada@example.com", subject: str = "Engine") -> int:
    """One of a contact with that address."""
    contact = desk("contacts.add", name="Ada", **({} if email is None else {"email": email}))["id"]
    opened: int = desk("tickets.open", contact_id=contact, subject=subject, body="Stuck.")["id"]
    return opened


def outcome(desk: Desk, **fields: Any) -> dict[str, Any]:
    """As the engine tells it of the last thing that was sent."""
    told = {"id": 1, "key": desk.sent[-1].key, "operation": "mail.send", **fields}
    return desk("tickets.mailed", **told)


def mails(desk: Desk, ticket: int) -> list[str | None]:
    """What became of each reply's mail."""
    return [reply["mail"] for reply in desk("tickets.get", id=ticket)["replies"]]


def last_step(desk: Desk, ticket: int) -> tuple[str, str, str | None]:
    """Of its history."""
    step = desk("tickets.history", id=ticket)["events"][-1]
    return step["event"], step["to_state"], step["detail"]


def test_what_the_desk_writes_is_mailed_to_the_contact(desk: Desk) -> None:
    """And what the contact writes is not."""
    desk.subscriptions = {"mail"}
    opened = ticket(desk)
    assert desk("tickets.reply", id=opened, body="Turn it.")["mail"] == "sending"
    assert desk("tickets.reply", id=opened, body="It turns.", author="contact")["mail"] is None
    (sent,) = desk.sent
    assert (sent.operation, sent.then) == ("mail.send", "tickets.mailed")
    assert json.loads(sent.params) == {
        "to": ["ada@example.com"],
        "subject": f"[#{opened}] Engine",
        "text": "Turn it.",
    }
    assert mails(desk, opened) == ["sending", None]


def test_the_ticket_hears_that_it_was_sent(desk: Desk) -> None:
    """Its state is nobody's business but the people's."""
    desk.subscriptions = {"mail"}
    opened = ticket(desk)
    desk("tickets.reply", id=opened, body="Turn it.")
    result = {"message_id": "<1@acme>", "refused": []}
    assert outcome(desk, ok=True, result=result) == {"id": opened, "mail": "sent"}
    assert mails(desk, opened) == ["sent"]
    assert last_step(desk, opened) == ("mail sent", "pending", None)


def test_or_why_it_was_not(desk: Desk) -> None:
    """For whoever wonders why the contact does not answer."""
    desk.subscriptions = {"mail"}
    opened = ticket(desk)
    desk("tickets.reply", id=opened, body="Turn it.")
    error = {"code": "failed_precondition", "message": "the relay refused the login " + "x" * 500}
    outcome(desk, ok=False, error=error)
    assert mails(desk, opened) == ["failed"]
    event, _, detail = last_step(desk, opened)
    assert event == "mail failed"
    assert detail is not None
    assert detail.startswith("the relay refused")
    assert len(detail) == 200


def test_an_outcome_of_something_else_is_no_ticket_s(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk("tickets.mailed", id=1, key="k", operation="mail.send", ok=True)


@pytest.mark.parametrize("subscriptions", [set(), {"webhook"}])
def test_without_a_subscription_the_reply_is_kept_and_nothing_is_sent(
    desk: Desk, subscriptions: set[str]
) -> None:
    desk.subscriptions = subscriptions
    opened = ticket(desk)
    assert desk("tickets.reply", id=opened, body="Turn it.")["mail"] is None
    assert mails(desk, opened) == [None]
    assert desk.sent == []


def test_without_an_address_neither(desk: Desk) -> None:
    desk.subscriptions = {"mail"}
    opened = ticket(desk, email=None)
    assert desk("tickets.reply", id=opened, body="Turn it.")["mail"] is None
    assert desk.sent == []


@pytest.mark.parametrize("subject", HOSTILE)
def test_whatever_a_ticket_is_called_can_be_mailed(desk: Desk, subject: str) -> None:
    """As one subject of one mail."""
    desk.subscriptions = {"mail"}
    opened = ticket(desk, subject=f"x{subject}")
    desk("tickets.reply", id=opened, body=subject if subject.strip() else "x")
    letter = json.loads(desk.sent[-1].params)
    settings = known("mail", host="mx.example", port=587, sender="desk@acme.example")
    outer = MailConnector(LOOPBACK).outer(delivery("send"), letter, settings)
    message = message_from_string(outer["content"], policy=policy.default)
    assert message["subject"] == letter["subject"]
    assert set(message) & {"Bcc", "Cc"} == set()


@pytest.mark.parametrize("reason", ["It turns.", None])
def test_a_closed_ticket_is_told_to_the_tenant_s_own_service(
    desk: Desk, reason: str | None
) -> None:
    desk.subscriptions = {"webhook"}
    opened = ticket(desk)
    desk("tickets.close", id=opened, **({} if reason is None else {"reason": reason}))
    (sent,) = desk.sent
    assert (sent.operation, sent.then) == ("webhook.post", None)
    told = json.loads(sent.params)
    assert told["type"] == "ticket.closed"
    assert (told["payload"]["id"], told["payload"]["reason"]) == (opened, reason)


def test_without_a_subscription_it_is_closed_all_the_same(desk: Desk) -> None:
    opened = ticket(desk)
    assert desk("tickets.close", id=opened)["state"] == "closed"
    assert desk.sent == []
