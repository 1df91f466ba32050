"""Finding contacts: full-text search with SQLite's FTS5; the plain list where there is no text."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, bindparam, select

from actors.tenant.context import Context
from actors.tenant.functions import cursor
from actors.tenant.functions.folding import folded
from actors.tenant.functions.tables import contacts, contacts_fts

LISTING = "contacts"

SHOWN = [column for column in contacts.c if column.name != "words"]

LIST: Select[Any] = (
    select(*SHOWN)
    .where(contacts.c.id > bindparam("after"))
    .order_by(contacts.c.id)
    .limit(bindparam("rows"))
)
FIND: Select[Any] = (
    select(*SHOWN)
    .join_from(contacts_fts, contacts, contacts.c.id == contacts_fts.c.rowid)
    .where(
        contacts_fts.c.contacts_fts.match(bindparam("query")),
        contacts_fts.c.rowid > bindparam("after"),
    )
    .order_by(contacts_fts.c.rowid)
    .limit(bindparam("rows"))
)
"""In the order of ids: FTS5 walks it without sorting, and the end of a page can be named for good,
while rank moves with every contact added."""


def find(ctx: Context, params: Any) -> dict[str, Any]:
    """List the contacts in which every word of `text` occurs; all contacts where it is blank.

    The last word may be the beginning of one. Case and accents do not count (folding.py). Punctuation
    separates words, also inside an email address; a text of punctuation alone finds nothing.
    """
    text = (params.text or "").strip()
    binds = {"after": cursor.after(LISTING, params.after), "rows": params.limit + 1}
    rows = ctx.db.all(FIND, binds | {"query": query(text)}) if text else ctx.db.all(LIST, binds)
    return cursor.page(LISTING, rows, params.limit)


def query(text: str) -> str:
    """Make the FTS5 expression that asks for every word of a person's text, and nothing else.

    Each word becomes a string in FTS5's syntax (sqlite.org/fts5.html#fts5_strings): within the
    quotes nothing is an operator, and a quote is doubled. Strings side by side are joined by AND;
    one without a letter or digit asks for nothing. The star makes the last one a prefix.
    """
    words = [folded(word).replace('"', '""') for word in text.split()]
    return " ".join(f'"{word}"' for word in words) + "*"
