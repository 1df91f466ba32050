"""Finding contacts: full-text search with SQLite's FTS5; the plain list where there is no text.

FTS5 gathers every contact that has a word with the last one's beginning before it returns the first: 2 to
30 ms of a million contacts. Where many are found, a page of them stands among the next contacts by id, so
that those are looked through first; where few are found, FTS5 gathers few.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select

from actors.tenant.context import Context, Row
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


LAST = select(func.coalesce(func.max(contacts.c.id), 0))

NEAR: Select[Any] = (
    select(*SHOWN, contacts.c.words)
    .where(
        contacts.c.id > bindparam("after"),
        contacts.c.id <= bindparam("until"),
        contacts.c.words.like(bindparam("part")),
    )
    .order_by(contacts.c.id)
    .limit(bindparam("rows"))
)
NEAR_WITH_WORDS: Select[Any] = (
    select(*SHOWN, contacts.c.words)
    .join_from(contacts_fts, contacts, contacts.c.id == contacts_fts.c.rowid)
    .where(
        contacts_fts.c.contacts_fts.match(bindparam("query")),
        contacts_fts.c.rowid > bindparam("after"),
        contacts_fts.c.rowid <= bindparam("until"),
        contacts.c.words.like(bindparam("part")),
    )
    .order_by(contacts_fts.c.rowid)
    .limit(bindparam("rows"))
)

MANY: Final = 20_000
"""Contacts from which on the next ones are looked through before the index is asked."""

NEXT: Final = (60, 2_000)
"""Ids that are looked through: first these, and if one is found among them, so many."""


def find(ctx: Context, params: Any) -> dict[str, Any]:
    """List the contacts in which every word of `text` occurs; all contacts where it is blank.

    The last word may be the beginning of one. Case and accents do not count (folding.py). Punctuation
    separates words, also inside an email address; a text of punctuation alone finds nothing.
    """
    text = (params.text or "").strip()
    after, rows = cursor.after(LISTING, params.after), params.limit + 1
    if not text:
        return cursor.page(LISTING, ctx.db.all(LIST, {"after": after, "rows": rows}), params.limit)
    found = _near(ctx, text, after, rows)
    if found is None:
        found = ctx.db.all(FIND, {"after": after, "rows": rows, "query": query(text)})
    page = cursor.page(LISTING, found, params.limit)
    for contact in page[LISTING]:
        contact.pop("words", None)
    return page


def _near(ctx: Context, text: str, after: int, rows: int) -> Sequence[Row] | None:
    """The first `rows` that are found, if the next contacts have so many; None for the index to be asked."""
    *whole, begun = map(folded, text.split())
    if not (begun.isascii() and begun.isalnum()) or ctx.db.scalar(LAST) < MANY:
        return None
    binds: dict[str, Any] = {"after": after, "part": f"%{begun}%", "rows": 2 * rows}
    if whole:
        binds["query"] = " ".join(map(_quoted, whole))
    found: list[Row] | None = []
    for ids in NEXT:
        near = ctx.db.all(NEAR_WITH_WORDS if whole else NEAR, {**binds, "until": after + ids})
        found = _with_word(near, begun)
        if not found:
            return None
    return found[:rows] if found and len(found) >= rows else None


def _with_word(rows: Sequence[Row], begun: str) -> list[Row] | None:
    """The rows with a word that begins so; None if that depends on what FTS5 takes for a letter.

    It takes letters and digits of ASCII, and no other character of ASCII, for part of a word.
    """
    if any(re.search(f"[^\\x00-\\x7f]{begun}", row.words) for row in rows):
        return None
    return [row for row in rows if re.search(f"(?<![0-9a-z]){begun}", row.words)]


def query(text: str) -> str:
    """Make the FTS5 expression that asks for every word of a person's text, and nothing else.

    Each word becomes a string in FTS5's syntax (sqlite.org/fts5.html#fts5_strings): within the
    quotes nothing is an operator, and a quote is doubled. Strings side by side are joined by AND;
    one without a letter or digit asks for nothing. The star makes the last one a prefix.
    """
    return " ".join(_quoted(folded(word)) for word in text.split()) + "*"


def _quoted(word: str) -> str:
    doubled = word.replace('"', '""')
    return f'"{doubled}"'
