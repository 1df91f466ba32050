"""What the desk tells the outside about a ticket: its replies by mail, and that one was closed.

A tenant that is not subscribed goes without: its tickets are what they were, and nobody is told.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final
from unicodedata import category

from sqlalchemy import bindparam, select, update

from actors.errors import NotFound, NotSubscribed
from actors.tenant.context import Context
from actors.tenant.functions import tickets
from actors.tenant.functions.tables import bound, contacts, ticket_replies
from actors.tenant.functions.tables import tickets as table

BREAKS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of what a subject cannot hold. Joiners and marks of direction (Cf) are part of the text."""

SENDING = "sending"
SENT = "sent"
FAILED = "failed"

ADDRESSED = (
    select(contacts.c.email, table.c.contact_id, table.c.subject)
    .join_from(table, contacts, contacts.c.id == table.c.contact_id)
    .where(table.c.id == bindparam("ticket_id"))
)
MAILED = (
    update(ticket_replies)
    .where(ticket_replies.c.id == bindparam("reply_id"))
    .values(bound("mail", "mail_key"))
)
OUTCOME = (
    update(ticket_replies)
    .where(ticket_replies.c.mail_key == bindparam("key"))
    .values(bound("mail"))
    .returning(ticket_replies.c.ticket_id)
)


def reply(ctx: Context, params: Any) -> dict[str, Any]:
    """Version 2 of tickets.reply: what the desk wrote is mailed to the contact, where that can be."""
    result = tickets.reply(ctx, params)
    key = _mailed(ctx, params) if params.author == "desk" else None
    if key is not None:
        ctx.db.run(MAILED, {"reply_id": result["id"], "mail": SENDING, "mail_key": key})
    return {**result, "mail": None if key is None else SENDING}


def mailed(ctx: Context, params: Any) -> dict[str, Any]:
    """Note what became of a reply's mail; the engine calls it with the outcome of the delivery."""
    mail = SENT if params.ok else FAILED
    ticket_id = ctx.db.scalar(OUTCOME, {"key": params.key, "mail": mail})
    if ticket_id is None:
        raise NotFound(f"no reply was mailed as {params.key!r}")
    tickets.note(ctx, ticket_id, f"mail {mail}", None if params.ok else params.error.message[:200])
    return {"id": ticket_id, "mail": mail}


def close(ctx: Context, params: Any) -> dict[str, Any]:
    """Version 2 of tickets.close: the tenant's own service is told."""
    result = tickets.close(ctx, params)
    row = ctx.db.first(ADDRESSED, {"ticket_id": params.id})
    assert row is not None  # it was closed a moment ago
    ticket = {"id": params.id, "contact_id": row.contact_id, "subject": row.subject}
    payload = {**ticket, "reason": params.reason, "closed_by": ctx.caller.id}
    with suppress(NotSubscribed):
        ctx.send("webhook.post", {"type": "ticket.closed", "payload": payload})
    return result


def one_line(text: str) -> str:
    """As a subject may be: line breaks and control characters are spaces, and what joins letters stays."""
    signs = (" " if category(sign) in BREAKS else sign for sign in text)
    return " ".join("".join(signs).split())


def _mailed(ctx: Context, params: Any) -> str | None:
    """The delivery's key; None where the contact has no address, or the tenant sends no mail."""
    row = ctx.db.first(ADDRESSED, {"ticket_id": params.id})
    assert row is not None  # it was replied to a moment ago
    if row.email is None:
        return None
    subject = f"[#{params.id}] {one_line(row.subject)}"
    letter = {"to": [row.email], "subject": subject, "text": params.body}
    with suppress(NotSubscribed):
        return ctx.send("mail.send", letter, then="tickets.mailed")
    return None
