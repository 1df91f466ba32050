"""Keeping the full-text index in step with the contacts: whoever writes a contact calls this.

Triggers would do it by themselves, but with `trusted_schema=OFF`, as tenants' files are opened, SQLite
refuses FTS5 in a trigger (seen on 3.40: "unsafe use of virtual table"). The cost is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import bindparam, insert, select

from actors.tenant.context import Context
from actors.tenant.functions.folding import folded
from actors.tenant.functions.tables import bound, contacts, contacts_fts

INDEXED: Final = ("name", "email", "company")

SEPARATOR: Final = " \ue000 "
"""Between the fields: a word that no folded text has, so that no phrase runs from one into the next."""

LEARN = insert(contacts_fts).values(bound("rowid", "words"))
FORGET = insert(contacts_fts).values(contacts_fts="delete", **bound("rowid", "words"))
"""FTS5's way to delete from an index without content of its own: it is told the values that it learnt
(sqlite.org/fts5.html#the_delete_command)."""

LEARN_ABOVE = insert(contacts_fts).from_select(
    ["rowid", "words"],
    select(contacts.c.id, contacts.c.words).where(contacts.c.id > bindparam("last")),
)


def words(contact: Mapping[str, Any]) -> str:
    """What a contact is found by, as it is kept beside it."""
    return SEPARATOR.join([folded(contact[name] or "") for name in INDEXED])


def learn(ctx: Context, contact_id: int, known_by: str) -> None:
    """Make a contact's words findable."""
    ctx.db.run(LEARN, {"rowid": contact_id, "words": known_by})


def learn_above(ctx: Context, last: int) -> None:
    """Make the words of every contact with a higher id findable."""
    ctx.db.run(LEARN_ABOVE, {"last": last})


def forget(ctx: Context, contact_id: int, known_by: str) -> None:
    """Take a contact's words back; they must be exactly those it was learnt with."""
    ctx.db.run(FORGET, {"rowid": contact_id, "words": known_by})
