"""Tickets: what a contact asked, who deals with it, and every step on the way.

open: the desk has to act. pending: the contact has to. closed: nobody has to. What was said is
kept: tickets are not removed, and each step is written to ticket_events with who and when.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update

from actors.errors import FailedPrecondition
from actors.tenant.context import Context
from actors.tenant.functions import missing
from actors.tenant.functions.tables import (
    bound,
    contacts,
    ticket_events,
    ticket_replies,
    tickets,
    timestamp,
)

AFTER_REPLY = {
    ("open", "desk"): "pending",
    ("open", "contact"): "open",
    ("pending", "desk"): "pending",
    ("pending", "contact"): "open",
    ("closed", "contact"): "open",
}
"""(state, author of a reply) → state. A closed ticket takes no reply of the desk, because nobody
waits for one; the contact's reply opens it again."""

OPEN = (
    insert(tickets)
    .from_select(
        ["contact_id", "subject", "body", "state", "assignee", "created_at", "updated_at"],
        select(
            contacts.c.id,
            *bound("subject", "body", "state", "assignee", "created_at", "updated_at").values(),
        ).where(contacts.c.id == bindparam("contact_id")),
    )
    .returning(tickets.c.id)
)
"""Inserts nothing where the contact is not there: one statement both looks and writes."""

STANDING = select(tickets.c.state, tickets.c.assignee).where(tickets.c.id == bindparam("ticket_id"))
MOVE = (
    update(tickets)
    .where(tickets.c.id == bindparam("ticket_id"))
    .values(bound("state", "assignee", "updated_at"))
)
REPLY = (
    insert(ticket_replies)
    .values(bound("ticket_id", "author", "sent_by", "body", "created_at"))
    .returning(ticket_replies.c.id)
)
RECORD = insert(ticket_events).values(
    bound("ticket_id", "event", "from_state", "to_state", "detail", "actor", "created_at")
)


class Standing(NamedTuple):
    """Where a ticket stands."""

    state: str
    assignee: str | None
    """Who deals with it; None while nobody does."""


def open_ticket(ctx: Context, params: Any) -> dict[str, Any]:
    """Open a ticket for a contact."""
    now = timestamp(ctx.now)
    binds = {
        "contact_id": params.contact_id,
        "subject": params.subject,
        "body": params.body,
        "state": "open",
        "assignee": params.assignee,
        "created_at": now,
        "updated_at": now,
    }
    ticket_id = ctx.db.scalar(OPEN, binds)
    if ticket_id is None:
        raise missing.contact(params.contact_id)
    _record(ctx, ticket_id, "opened", None, "open", params.assignee)
    return {"id": ticket_id, "state": "open"}


def reply(ctx: Context, params: Any) -> dict[str, Any]:
    """Add what the desk or the contact wrote; the ticket then waits for the other of the two."""
    standing = _standing(ctx, params.id)
    state = AFTER_REPLY.get((standing.state, params.author))
    if state is None:
        raise FailedPrecondition(
            f"ticket {params.id} is {standing.state} and takes no reply of the {params.author}: "
            'open a new one with tickets.open; a reply with author "contact" opens it again'
        )
    binds = {
        "ticket_id": params.id,
        "author": params.author,
        "sent_by": ctx.caller.id,
        "body": params.body,
        "created_at": timestamp(ctx.now),
    }
    reply_id = ctx.db.scalar(REPLY, binds)
    _move(ctx, params.id, "replied", standing, standing._replace(state=state), params.author)
    return {"id": reply_id, "state": state}


def assign(ctx: Context, params: Any) -> dict[str, Any]:
    """Give a ticket to somebody, or with null to nobody."""
    standing = _not_closed(ctx, params.id)
    moved = standing._replace(assignee=params.assignee)
    _move(ctx, params.id, "assigned", standing, moved, params.assignee)
    return {"id": params.id, **moved._asdict()}


def close(ctx: Context, params: Any) -> dict[str, Any]:
    """Close a ticket, with a word on why where one is given."""
    standing = _not_closed(ctx, params.id)
    _move(ctx, params.id, "closed", standing, standing._replace(state="closed"), params.reason)
    return {"id": params.id, "state": "closed"}


def note(ctx: Context, ticket_id: int, event: str, detail: str | None) -> None:
    """Write a step that leaves the ticket where it stands."""
    state = _standing(ctx, ticket_id).state
    _record(ctx, ticket_id, event, state, state, detail)


def _standing(ctx: Context, ticket_id: int) -> Standing:
    row = ctx.db.first(STANDING, {"ticket_id": ticket_id})
    if row is None:
        raise missing.ticket(ticket_id)
    return Standing(row.state, row.assignee)


def _not_closed(ctx: Context, ticket_id: int) -> Standing:
    standing = _standing(ctx, ticket_id)
    if standing.state == "closed":
        raise FailedPrecondition(
            f"ticket {ticket_id} is closed: a reply of the contact opens it again "
            '(tickets.reply with author "contact")'
        )
    return standing


def _move(
    ctx: Context,
    ticket_id: int,
    event: str,
    standing: Standing,
    moved: Standing,
    detail: str | None,
) -> None:
    """Write where the ticket stands now, and the step that brought it there."""
    binds = {"ticket_id": ticket_id, "updated_at": timestamp(ctx.now), **moved._asdict()}
    ctx.db.run(MOVE, binds)
    _record(ctx, ticket_id, event, standing.state, moved.state, detail)


def _record(
    ctx: Context,
    ticket_id: int,
    event: str,
    from_state: str | None,
    to_state: str,
    detail: str | None,
) -> None:
    binds = {
        "ticket_id": ticket_id,
        "event": event,
        "from_state": from_state,
        "to_state": to_state,
        "detail": detail,
        "actor": ctx.caller.id,
        "created_at": timestamp(ctx.now),
    }
    ctx.db.run(RECORD, binds)
