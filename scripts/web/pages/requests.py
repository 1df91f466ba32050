"""Requests: what tenants wish for, by state, votes or priority, and one of them with its history."""

from __future__ import annotations

from typing import Final

from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document

ROWS: Final = 50


async def index(visit: Visit) -> Document:
    """One page of a tenant's requests, or of all for people of the platform."""
    wanted = visit.request.params("state", "priority", "function", "text", "sort", "after")
    published = {"published": True} if "published" in visit.request.query else {}
    params = {"limit": ROWS, **wanted, **published}
    (listed,) = await visit.panels(Wanted("requests.list", params, visit.tenant))
    return visit.page("requests.html", listed=listed, tenant=visit.tenant)


async def show(visit: Visit, request: str) -> Document:
    """One request, with what was said and done about it."""
    (shown,) = await visit.panels(Wanted("requests.show", {"request": request}, visit.tenant))
    return visit.page("request.html", name=request, shown=shown, tenant=visit.tenant)
