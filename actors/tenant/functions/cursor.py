"""Keyset paging: a page ends with a cursor that names the last row seen, never a position.

Rows that come or go while a client turns pages neither repeat nor hide the others. A cursor is
opaque to clients: they hand `next` back as `after`, unchanged.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from actors.errors import InvalidArgument
from actors.tenant.context import Row
from transport.message import Problem

LARGEST_ID = 2**53 - 1
"""The largest integer that every JSON client reads exactly (RFC 8259, section 6)."""


def after(listing: str, cursor: str | None) -> int:
    """Say up to which id an ascending listing has been shown; 0 for its first page."""
    return 0 if cursor is None else decode(listing, cursor)


def before(listing: str, cursor: str | None) -> int:
    """Say down to which id a descending listing has been shown; above all for its first page."""
    return LARGEST_ID + 1 if cursor is None else decode(listing, cursor)


def page(listing: str, rows: Sequence[Row], limit: int) -> dict[str, Any]:
    """Put the first `limit` of up to `limit + 1` rows under the listing's name, and `next`.

    The row too many says that there is a next page; `next` is None on the last.
    """
    shown = [row._asdict() for row in rows[:limit]]
    more = len(rows) > limit
    return {listing: shown, "next": encode(listing, shown[-1]["id"]) if more else None}


def encode(listing: str, last: int) -> str:
    """Make the cursor that follows the row of that id in the listing of that name."""
    return urlsafe_b64encode(f"{listing}:{last}".encode()).decode().rstrip("=")


def decode(listing: str, cursor: str) -> int:
    """Read the id in a cursor; InvalidArgument unless the listing of that name made it."""
    last = _number(cursor)
    if not 0 < last <= LARGEST_ID or encode(listing, last) != cursor:
        wrong = f"is not a cursor of {listing}: pass the `next` of the page before, unchanged"
        raise InvalidArgument(f"`after` {wrong}", details=(Problem("params.after", wrong),))
    return last


def _number(cursor: str) -> int:
    """Read the number at a cursor's end; 0, which no row has, where there is none."""
    try:
        plain = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return int(plain.rpartition(b":")[2])
    except ValueError:
        return 0
