"""The address book, one contact at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, bindparam, delete, insert, select, update

from actors.errors import FailedPrecondition, InvalidArgument
from actors.tenant.context import Context, Row
from actors.tenant.functions import missing, search_index
from actors.tenant.functions.tables import bound, contacts, tickets, timestamp

if TYPE_CHECKING:
    from contracts import (
        ContactsAddParams,
        ContactsAddResult,
        ContactsGetParams,
        ContactsGetResult,
        ContactsRemoveParams,
        ContactsRemoveResult,
        ContactsUpdateParams,
        ContactsUpdateResult,
    )

FIELDS = ("name", "email", "phone", "company")
"""What a caller may set; the rest is ours."""

ADD = (
    insert(contacts)
    .values(bound(*FIELDS, "created_at", "updated_at", "words"))
    .returning(contacts.c.id)
)
SHOWN = ("id", *FIELDS, "created_at", "updated_at")
GET = select(*(contacts.c[name] for name in SHOWN)).where(contacts.c.id == bindparam("contact_id"))
STORED = select(contacts).where(contacts.c.id == bindparam("contact_id"))
"""With its words, for what changes them."""
UPDATE = (
    update(contacts)
    .where(contacts.c.id == bindparam("contact_id"))
    .values(bound(*FIELDS, "updated_at", "words"))
)
REMOVE = delete(contacts).where(contacts.c.id == bindparam("contact_id"))
TICKETS_KEPT = (
    select(tickets.c.id)
    .where(tickets.c.contact_id == bindparam("contact_id"))
    .order_by(tickets.c.id.desc())
    .limit(4)
)


def add(ctx: Context, params: ContactsAddParams) -> ContactsAddResult:
    """Store a contact. Names and emails may repeat: two people can share both."""
    now = timestamp(ctx.now)
    binds = {
        "name": params.name,
        "email": params.email,
        "phone": params.phone,
        "company": params.company,
        "created_at": now,
        "updated_at": now,
    }
    words = search_index.words(binds)
    contact_id = ctx.db.scalar(ADD, binds | {"words": words})
    search_index.learn(ctx, contact_id, words)
    return {"id": contact_id}


def get(ctx: Context, params: ContactsGetParams) -> ContactsGetResult:
    """Show one contact with every field."""
    return _shown(_present(ctx, GET, params.id)._asdict())


def change(ctx: Context, params: ContactsUpdateParams) -> ContactsUpdateResult:
    """Change the fields that were given; null empties a field, an absent one stays as it is."""
    given = {name: getattr(params, name) for name in FIELDS if name in params.model_fields_set}
    if not given:
        raise InvalidArgument(f"nothing to change: give at least one of {', '.join(FIELDS)}")
    before = _present(ctx, STORED, params.id)._asdict()
    contact = before | given | {"updated_at": timestamp(ctx.now)}
    contact["words"] = search_index.words(contact)
    written = {name: contact[name] for name in (*FIELDS, "updated_at", "words")}
    search_index.forget(ctx, params.id, before["words"])
    ctx.db.run(UPDATE, {"contact_id": params.id, **written})
    search_index.learn(ctx, params.id, contact["words"])
    return _shown(contact)


def remove(ctx: Context, params: ContactsRemoveParams) -> ContactsRemoveResult:
    """Remove a contact and the notes on it; one with tickets stays, so that they keep theirs."""
    contact = _present(ctx, STORED, params.id)
    binds = {"contact_id": params.id}
    if kept := ctx.db.all(TICKETS_KEPT, binds):
        raise FailedPrecondition(
            f"contact {params.id} has tickets ({_first_ids(kept)}), which are kept with their "
            "contact: empty its fields with contacts.update instead"
        )
    search_index.forget(ctx, params.id, contact.words)
    ctx.db.run(REMOVE, binds)
    return {"id": params.id}


def _present(ctx: Context, statement: Select[Any], contact_id: int) -> Row:
    row = ctx.db.first(statement, {"contact_id": contact_id})
    if row is None:
        raise missing.contact(contact_id)
    return row


def _shown(contact: Mapping[str, Any]) -> ContactsGetResult:
    return {
        "id": contact["id"],
        "name": contact["name"],
        "email": contact["email"],
        "phone": contact["phone"],
        "company": contact["company"],
        "created_at": contact["created_at"],
        "updated_at": contact["updated_at"],
    }


def _first_ids(rows: Sequence[Row]) -> str:
    """Up to three ids, and an ellipsis where there are more."""
    ids = [str(row.id) for row in rows[:3]]
    return ", ".join([*ids, "…"] if len(rows) > len(ids) else ids)
