"""Keeping the full-text index in step with the contacts: whoever writes a contact calls this.

Triggers would do it by themselves, but with `trusted_schema=OFF`, as tenants' files are opened, SQLite
refuses FTS5 in a trigger (seen on 3.40: "unsafe use of virtual table"). The cost is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select

from actors.tenant.context import Context
from actors.tenant.functions.tables import bound, contacts, contacts_fts

INDEXED = ("name", "email", "company")

LEARN = insert(contacts_fts).values(bound("rowid", *INDEXED))
FORGET = insert(contacts_fts).values(contacts_fts="delete", **bound("rowid", *INDEXED))
"""FTS5's way to delete from an index without content of its own: it is told the values that it learnt
(sqlite.org/fts5.html#the_delete_command)."""

LEARN_ABOVE = insert(contacts_fts).from_select(
    ["rowid", *INDEXED],
    select(contacts.c.id, *(contacts.c[name] for name in INDEXED)).where(
        contacts.c.id > bindparam("last")
    ),
)


def learn(ctx: Context, contact_id: int, contact: Mapping[str, Any]) -> None:
    """Make a contact's words findable."""
    ctx.db.run(LEARN, _entry(contact_id, contact))


def learn_above(ctx: Context, last: int) -> None:
    """Make the words of every contact with a higher id findable."""
    ctx.db.run(LEARN_ABOVE, {"last": last})


def forget(ctx: Context, contact_id: int, contact: Mapping[str, Any]) -> None:
    """Take a contact's words back; they must be exactly those it was learnt with."""
    ctx.db.run(FORGET, _entry(contact_id, contact))


def _entry(contact_id: int, contact: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rowid": contact_id,
        "name": contact["name"],
        "email": contact["email"],
        "company": contact["company"],
    }
