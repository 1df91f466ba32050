"""The list of tenants, a page at a time from the server: ten thousand are as quick as ten."""

from __future__ import annotations

from typing import Final

from scripts.cli.describe import before
from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document

ROWS: Final = 50

STATUSES: Final = ("active", "suspended", "deleting")


async def show(visit: Visit) -> Document:
    """One page: from a name on, or those that begin with one."""
    query = visit.request.query
    params: dict[str, object] = {"limit": ROWS, **visit.request.params("status", "after")}
    prefix = query.get("prefix", "").strip().lower()
    if prefix and "after" not in params:
        params["after"] = before(prefix)
    listed, unserved = await visit.panels(
        Wanted("tenants.list", params), Wanted("tenants.unserved")
    )
    rows = [each for each in listed.result.get("tenants", ()) if each["name"].startswith(prefix)]
    following = listed.result.get("next")
    if following is not None and not following.startswith(prefix):
        following = None
    troubles = {each["name"]: each for each in unserved.result.get("tenants", ())}
    return visit.page(
        "tenants.html",
        listed=listed,
        rows=rows,
        following=following,
        unserved=unserved,
        troubles=troubles,
        statuses=STATUSES,
    )
