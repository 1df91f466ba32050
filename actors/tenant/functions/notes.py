"""Notes on contacts: what the desk wants to remember about a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select

from actors.tenant.context import Context
from actors.tenant.functions import cursor, missing
from actors.tenant.functions.tables import contacts, notes, timestamp

LISTING = "notes"

ADD = (
    insert(notes)
    .from_select(
        ["contact_id", "body", "author", "created_at"],
        select(
            contacts.c.id, bindparam("body"), bindparam("author"), bindparam("created_at")
        ).where(contacts.c.id == bindparam("contact_id")),
    )
    .returning(notes.c.id)
)
"""Inserts nothing where the contact is not there: one statement both looks and writes."""

CONTACT = select(contacts.c.id).where(contacts.c.id == bindparam("contact_id"))
LIST: Select[Any] = (
    select(notes.c.id, notes.c.body, notes.c.author, notes.c.created_at)
    .where(notes.c.contact_id == bindparam("contact_id"), notes.c.id < bindparam("before"))
    .order_by(notes.c.id.desc())
    .limit(bindparam("rows"))
)
REMOVE = delete(notes).where(notes.c.id == bindparam("note_id"))


def add(ctx: Context, params: Any) -> dict[str, Any]:
    """Write a note on a contact, signed with the caller's id."""
    binds = {
        "contact_id": params.contact_id,
        "body": params.body,
        "author": ctx.caller.id,
        "created_at": timestamp(ctx.now),
    }
    note_id = ctx.db.scalar(ADD, binds)
    if note_id is None:
        raise missing.contact(params.contact_id)
    return {"id": note_id}


def listing(ctx: Context, params: Any) -> dict[str, Any]:
    """List the notes on one contact, newest first, a page at a time."""
    binds = {
        "contact_id": params.contact_id,
        "before": cursor.before(LISTING, params.after),
        "rows": params.limit + 1,
    }
    rows = ctx.db.all(LIST, binds)
    if not rows and ctx.db.first(CONTACT, {"contact_id": params.contact_id}) is None:
        raise missing.contact(params.contact_id)
    return cursor.page(LISTING, rows, params.limit)


def remove(ctx: Context, params: Any) -> dict[str, Any]:
    """Remove a note for good."""
    if not ctx.db.run(REMOVE, {"note_id": params.id}):
        raise missing.note(params.id)
    return {"id": params.id}
